"""Compile the locks: universal, with hashes, without the address of any registry."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
COMPILE = [
    *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
    *("--no-annotate", "--no-emit-index-url", "--no-header"),
]
EVERYTHING = LOCKS / "dev.txt"
# What images are built with, and what each carries: versions of the lock of everything, which constrains them.
IMAGES = {
    "agent": ["--group", "pyproject.toml:image-agent"],
    "build": ["--group", "pyproject.toml:image-build"],
    "controller": ["--group", "pyproject.toml:image-controller"],
    "serving": ["--group", "pyproject.toml:image-serving"],
    "trainer": ["pyproject.toml"],
}


def compile_lock(target: Path, *arguments: str) -> None:
    subprocess.run([*COMPILE, *arguments, "--generate-hashes", "-o", str(target)], check=True, cwd=ROOT)


def main() -> int:
    """Write requirements/ (hashed; dev.txt is everything) and requirements.txt (what running needs, and `-e .`)."""
    everything = ["pyproject.toml", "--extra", "controller", "--extra", "agent", "--group", "dev"]
    compile_lock(EVERYTHING, *everything)
    constrained = ["--constraint", str(EVERYTHING)]
    for image, sources in IMAGES.items():
        compile_lock(LOCKS / f"{image}.txt", *sources, *constrained)
    # The plain way, `pip install -r requirements.txt`, can't check hashes, since the project itself has none.
    pins = subprocess.run(
        [*COMPILE, *IMAGES["trainer"], *constrained, "--no-strip-markers"],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout
    (ROOT / "requirements.txt").write_text(f"{pins.rstrip()}\n-e .\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
