"""Does every image carry only licences that we may ship? Reads the installed metadata of what each lock names.

GPL and AGPL would bind the whole, BSL and SSPL forbid some users; LGPL is fine for a library that is only imported.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
LOCKS: Final = ("agent", "controller", "serving", "trainer")
REFUSED: Final = re.compile(
    r"\bA?GPL|\bGNU (?:Affero )?General Public|\bSSPL|Server Side Public|\bBUSL|\bBSL[- ]?1\.1|Business Source",
    re.IGNORECASE,
)
ELSEWHERE: Final = re.compile(r"sys_platform == '(?:win32|emscripten)'")
TITLE_CHARACTERS: Final = 200
"""How much of a whole text is its own title; further down it may speak of other licences."""


def locked(text: str) -> Iterator[str]:
    """Return the names of the packages of a lock that are installed on Linux."""
    for line in text.splitlines():
        if (found := re.match(r"([A-Za-z0-9._-]+)(?:\[.*\])?==", line)) and not ELSEWHERE.search(line):
            yield found[1]


def refused(licences: Iterable[str]) -> bool:
    """Return whether no way is left to use a package: a choice by OR is fine where one side of it is."""
    said = [each for each in licences if each]
    return any(all(REFUSED.search(way) for way in re.split(r"\bOR\b", each)) for each in said)


def licences_of(package: str) -> list[str]:
    """Return what the metadata says, else how the licence's text begins. Raises PackageNotFoundError."""
    installed = distribution(package)
    said = installed.metadata
    if expression := said.get("License-Expression"):
        return [expression]
    # Several classifiers are a choice as often as not; packages of today have an expression.
    named = [each for each in said.get_all("Classifier") or [] if each.startswith("License :: OSI Approved ::")]
    if named or said.get("License"):
        return [(said.get("License") or "")[:TITLE_CHARACTERS], " OR ".join(named)]
    texts = [file for file in installed.files or () if "LICEN" in file.name.upper()]
    return [file.read_text()[:TITLE_CHARACTERS] for file in texts]


def problems(root: Path) -> Iterator[str]:
    """Return each package of an image whose licence is refused, not said, or can't be looked up, as one sentence."""
    for lock in LOCKS:
        for package in locked((root / "requirements" / f"{lock}.txt").read_text()):
            try:
                licences = licences_of(package)
            except PackageNotFoundError:
                yield f"{lock}: {package} is not installed, so its licence is not known"
                continue
            if not any(licences):
                yield f"{lock}: {package} does not say its licence"
            elif refused(licences):
                yield f"{lock}: {package} is under {' / '.join(filter(None, licences))}"


def main() -> int:
    """Print what must not be shipped; 1 where something is."""
    found = list(problems(ROOT))
    sys.stdout.write("\n".join(found or ["every licence may be shipped"]) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
