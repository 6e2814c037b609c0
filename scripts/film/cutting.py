"""Puts captions below the frames and all of it together to a film, by ffmpeg."""

import html
import subprocess
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from scripts.film.camera import open_chromium
from scripts.film.reel import CAPTION_HEIGHT, FRAMES_PER_SECOND, HEIGHT, PICTURE_HEIGHT, WIDTH, Frame, Reel
from scripts.film.tools import FilmError, Tools

MOST_BYTES = 10_000_000
QUALITY = 24  # x264's constant rate factor: text stays sharp, and still frames cost next to nothing
CAPTION = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; height: {height}px; background: #1b2733; color: #fff;
  font: 19.5px/1.3 "DejaVu Sans", Verdana, sans-serif; display: flex; align-items: center; padding: 0 22px;
  box-sizing: border-box }}
b {{ color: #8fd0ff; flex: none; width: 200px; padding-right: 22px; font-size: 17px }}
</style><b>{title}</b><span>{caption}</span>"""


def write_captions(reel: Reel, tools: Tools) -> None:
    """Photograph each scene's caption into its directory."""
    with sync_playwright() as playwright, open_chromium(playwright, tools) as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": CAPTION_HEIGHT})
        for scene in reel.scenes:
            title, caption = html.escape(scene.title), html.escape(scene.caption)
            page.set_content(CAPTION.format(height=CAPTION_HEIGHT, title=title, caption=caption))
            if page.evaluate("document.documentElement.scrollHeight") > CAPTION_HEIGHT:
                raise FilmError(f"the caption of {scene.name} has no room")
            page.screenshot(path=reel.directory / scene.name / "caption.png")


def compose(reel: Reel) -> Path:
    """Write every frame with its caption, and the list that ffmpeg reads; return that."""
    listed = []
    for scene in reel.scenes:
        caption = Image.open(reel.directory / scene.name / "caption.png").convert("RGB")
        for frame in scene.frames:
            whole = Image.new("RGB", (WIDTH, HEIGHT), "white")
            whole.paste(Image.open(reel.directory / frame.picture).convert("RGB"), (0, 0))
            whole.paste(caption, (0, PICTURE_HEIGHT))
            path = composed_path(reel, frame)
            whole.save(path, compress_level=1)
            listed.append(f"file '{path.relative_to(reel.directory)}'\nduration {frame.seconds:.4f}\n")
    # ffmpeg gives the last frame its time only where it is named once more.
    listed.append(listed[-1].split("\n", 1)[0] + "\n")
    found = reel.directory / "frames.txt"
    found.write_text("".join(listed), encoding="utf-8")
    return found


def composed_path(reel: Reel, frame: Frame) -> Path:
    return (reel.directory / frame.picture).with_suffix(".whole.png")


def composed(reel: Reel, frame: Frame) -> Image.Image:
    """Return a frame with its caption, as it is in the film."""
    return Image.open(composed_path(reel, frame))


def encode(frames: Path, film: Path, tools: Tools) -> None:
    """Let ffmpeg make the film. Raises FilmError where it fails or the film is too large."""
    command = [
        tools.ffmpeg,
        *("-y", "-loglevel", "error", "-f", "concat", "-i", str(frames)),
        *("-vf", f"fps={FRAMES_PER_SECOND},format=yuv420p", "-c:v", "libx264", "-preset", "medium"),
        *("-tune", "stillimage", "-crf", str(QUALITY), "-g", str(FRAMES_PER_SECOND * 20)),
        *("-movflags", "+faststart", "-map_metadata", "-1", str(film)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FilmError(f"ffmpeg ended with {done.returncode}: {done.stderr.strip()[-1000:]}")
    if film.stat().st_size > MOST_BYTES:
        raise FilmError(f"{film} has {film.stat().st_size / 1e6:.1f} MB, which is more than a repository should carry")
