"""Hooks of mkdocs: pages link to files outside of docs/, as the forge shows them, and the site must have these too.

What a page links to in the repository is taken into the site, below `repository/`, and so is what that links to. The
links are written anew for it; the text of a page stays as it is.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parent.parent
OUTSIDE: Final = "repository/"
_LINK: Final = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")


def site_path(path: str) -> str:
    """Return where the site has the file `path` of the repository."""
    return path.removeprefix("docs/") if path.startswith("docs/") else OUTSIDE + path


def repository_path(path: str) -> str:
    """Return which file of the repository the site has at `path`."""
    return path.removeprefix(OUTSIDE) if path.startswith(OUTSIDE) else f"docs/{path}"


def targets(path: str) -> Iterator[str]:
    """Yield the files that the page `path` of the repository links to, as paths of the repository."""
    if path.endswith(".md"):
        for target in _LINK.findall((ROOT / path).read_text(encoding="utf-8")):
            yield posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take in what is linked and lies outside. What is not there is left out, and mkdocs names the page."""
    waiting = [repository_path(file.src_uri) for file in files]
    while waiting:
        for path in targets(waiting.pop()):
            uri = site_path(path)
            if uri.startswith(OUTSIDE) and files.get_file_from_path(uri) is None and (ROOT / path).is_file():
                files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
                waiting.append(path)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the page's text with links as the site has the files."""
    here = repository_path(page.file.src_uri)

    def moved(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(here), link[1]))
        return posixpath.relpath(site_path(path), posixpath.dirname(page.file.src_uri) or ".")

    return _LINK.sub(moved, markdown)
