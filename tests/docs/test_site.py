"""Does the site of docs/ build, is nothing left out of it, and does it load nothing from elsewhere?"""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}

pytest.importorskip("material", reason="mkdocs-material is not installed: make setup")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(directory)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return directory


def built(page: Path) -> Path:
    """Where the site has a page of docs/."""
    within = page.relative_to(ROOT / "docs").with_suffix("")
    return within.parent / "index.html" if within.name == "index" else within / "index.html"


class Loaded(HTMLParser):
    """Collects what a browser fetches by itself for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if said.get("rel") not in ("canonical", "prev", "next"):
            self.addresses.append(said.get(LOADING.get(tag, ""), "") or "")


def test_every_page_is_in_the_site(site: Path):
    pages = {built(page) for page in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if not (site / page).is_file()} == set()


def test_a_link_that_leaves_the_documentation_leads_to_the_file_itself(site: Path):
    text = (site / "reference" / "crd" / "index.html").read_text()
    (target,) = set(re.findall(r'href="([^"]+/manifests/crd\.yaml)"', text))
    found = (site / "reference" / "crd" / target).resolve()
    assert found.read_bytes() == (ROOT / "manifests" / "crd.yaml").read_bytes()


def test_no_page_loads_anything_from_elsewhere(site: Path):
    for page in site.rglob("*.html"):
        loaded = Loaded()
        loaded.feed(page.read_text())
        assert [address for address in loaded.addresses if re.match(r"(https?:)?//", address)] == [], page
    for style in site.rglob("*.css"):
        assert re.findall(r"url\(['\"]?(?:https?:)?//[^)]+\)|@import[^;]+//[^;]+", style.read_text()) == [], style
