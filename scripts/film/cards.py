"""The first and the last picture of the film, and the still that README shows of it."""

import html
from collections.abc import Sequence

from PIL import Image, ImageDraw
from playwright.sync_api import Browser

from scripts.film.reel import PICTURE_HEIGHT, WIDTH, Reel

CARD = """<!doctype html><meta charset="utf-8"><style>
body { margin: 0; height: 100vh; background: #f2f5f8; color: #1b2733; font: 25px/1.6 "DejaVu Sans", Verdana, sans-serif;
  display: flex; flex-direction: column; justify-content: center; padding: 0 110px; box-sizing: border-box }
h1 { font-size: 62px; margin: 0 0 18px; color: #0072B2 } p { margin: 3px 0 }
</style>"""
LOOP = "Messages are answered, drift and accuracy measured, models trained, compared, promoted, guarded and put back."
BEGINS = (
    "A spam classifier that is kept fresh and safe without anyone watching.",
    "You see one real run on one machine, from its first model to a rollback.",
)


def add_card(browser: Browser, reel: Reel, *, name: str, title: str, caption: str, lines: Sequence[str]) -> None:
    page = browser.new_page(viewport={"width": WIDTH, "height": PICTURE_HEIGHT})
    page.set_content(CARD + "<h1>AutoRetrain</h1>" + "".join(f"<p>{html.escape(line)}</p>" for line in lines))
    scene = reel.scene(name, title, caption)
    file = reel.new_file(scene)
    page.screenshot(path=file)
    reel.add(scene, file, 7.0)
    page.close()


def with_play_button(picture: Image.Image) -> Image.Image:
    """Return the picture with the sign of a film on it."""
    still = picture.convert("RGB")
    draw = ImageDraw.Draw(still, "RGBA")
    x, y, radius = still.width // 2, still.height // 2, 58
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(27, 39, 51, 215))
    draw.polygon([(x - 19, y - 30), (x - 19, y + 30), (x + 33, y)], fill="white")
    return still
