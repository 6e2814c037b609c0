"""Compile the locks: universal, with hashes, without the address of any registry."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILE = [
    *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
    *("--no-annotate", "--no-emit-index-url", "--no-header", "pyproject.toml"),
]


def main() -> int:
    """Write requirements/dev.txt (everything, hashed) and requirements.txt (pins that end in `-e .`)."""
    development = ROOT / "requirements" / "dev.txt"
    subprocess.run([*COMPILE, "--group", "dev", "--generate-hashes", "-o", str(development)], check=True, cwd=ROOT)
    # The plain way, `pip install -r requirements.txt`, can't check hashes, since the project itself has none.
    pins = subprocess.run(
        [*COMPILE, "--constraint", str(development), "--no-strip-markers"],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout
    (ROOT / "requirements.txt").write_text(f"{pins.rstrip()}\n-e .\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
