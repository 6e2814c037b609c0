"""Which programs does a film need, and where are they? None is downloaded."""

import shutil
from dataclasses import dataclass

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class FilmError(Exception):
    """What a person must mend before a film can be made."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The paths of programs that this machine has."""

    chromium: str
    ffmpeg: str
    curl: str


def find_tools() -> Tools:
    """Return them. Raises FilmError naming each that is missing."""
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    ffmpeg, curl = shutil.which("ffmpeg"), shutil.which("curl")
    found = {"Chromium": chromium, "ffmpeg": ffmpeg, "curl": curl}
    missing = [name for name, path in found.items() if path is None]
    if chromium is None or ffmpeg is None or curl is None:
        raise FilmError(
            f"a film needs {' and '.join(missing)}, which this machine has not on its PATH; install it first"
        )
    return Tools(chromium=chromium, ffmpeg=ffmpeg, curl=curl)
