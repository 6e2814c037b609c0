"""Write the Grafana dashboards of the chart: all models, one model, the operator. A test compares the files.

What they show is in scripts/dashboards/. Run it after a change: python scripts/make_dashboards.py
"""

import sys
from pathlib import Path
from typing import Final

from scripts.dashboards.fleet import FLEET
from scripts.dashboards.grafana import render
from scripts.dashboards.model import MODEL
from scripts.dashboards.operator import OPERATOR

ROOT: Final = Path(__file__).resolve().parent.parent
DIRECTORY: Final = ROOT / "helm" / "autoretrain" / "dashboards"


def render_files() -> dict[Path, str]:
    """Return every file that this writes, with its text."""
    return {DIRECTORY / f"{each.name}.json": render(each) for each in (FLEET, MODEL, OPERATOR)}


def main() -> int:
    DIRECTORY.mkdir(exist_ok=True)
    for path, text in render_files().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
