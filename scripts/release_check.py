"""Is there one version everywhere? Package, chart, images, definitions, examples, changelog; exit 1 where not.

With a tag, as `v0.1.0`, that is the version too, and the changelog has a heading of its own for it.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
ANNOTATION: Final = "autoretrain.dev/version"
DEFINITIONS: Final = (
    *("manifests/crd.yaml", "manifests/crd-decision.yaml", "src/autoretrain/adapters/crd.yaml"),
    *("helm/autoretrain/files/crd.yaml", "helm/autoretrain/files/crd-decision.yaml"),
)
IMAGES: Final = ("agent", "controller", "serving", "trainer")
VERSION_LABEL: Final = 'org.opencontainers.image.version="$VERSION"'
SERVER_METADATA: Final = re.compile(r'\{"name": "autoretrain", "version": "([^"]*)"')


def package_version(root: Path) -> str:
    project: dict[str, str] = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return project["version"]


def problems(root: Path, *, tag: str = "") -> Iterator[str]:
    """Return each place under `root` that says another version than pyproject.toml, as one sentence."""
    version = package_version(root)
    for place, said in _stated(root):
        if said != version:
            yield f"{place} says {said or 'nothing'}, pyproject.toml says {version}"
    for image in IMAGES:
        recipe = f"images/{image}/Dockerfile"
        if VERSION_LABEL not in (root / recipe).read_text():
            yield f"{recipe}: the version is no label of the image"
    headings = re.findall(r"^## (.+)$", (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = any(heading.split()[0].strip("[]") == version for heading in headings)
    if tag and tag != f"v{version}":
        yield f"the tag is {tag}, pyproject.toml says {version}"
    if tag and not released:
        yield f"CHANGELOG.md has no heading for {version}"
    if not released and "Unreleased" not in headings:
        yield f"CHANGELOG.md has a heading neither for {version} nor for Unreleased"


def _stated(root: Path) -> Iterator[tuple[str, str]]:
    """Return what says a version, and which."""
    chart = yaml.safe_load((root / "helm/autoretrain/Chart.yaml").read_text())
    yield "version of helm/autoretrain/Chart.yaml", chart["version"]
    yield "appVersion of helm/autoretrain/Chart.yaml", chart["appVersion"]
    images = yaml.safe_load((root / "helm/autoretrain/values.yaml").read_text())["images"]
    # Empty means the chart's appVersion, so that there is one place less to forget.
    yield "images.tag of helm/autoretrain/values.yaml", images["tag"] or chart["appVersion"]
    for name in DEFINITIONS:
        metadata = yaml.safe_load((root / name).read_text())["metadata"]
        yield f"annotation {ANNOTATION} of {name}", metadata.get("annotations", {}).get(ANNOTATION, "")
    for said in SERVER_METADATA.findall((root / "docs/reference/http.md").read_text()):
        yield "an example of docs/reference/http.md", said


def main() -> int:
    """Print what differs; 1 where something does."""
    parser = argparse.ArgumentParser(description="One version everywhere.")
    parser.add_argument("--tag", default="", help="the tag that is to be released, as v0.1.0")
    found = list(problems(ROOT, tag=parser.parse_args().tag))
    sys.stdout.write("\n".join(found or [f"{package_version(ROOT)} everywhere"]) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
