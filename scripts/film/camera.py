"""A browser as the film's camera: a page is photographed once, whole, and the film moves over the photograph.

So nothing flickers, however slowly a busy machine draws, and little is asked of it.
"""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Playwright, expect

from scripts.film.reel import FRAMES_PER_SECOND, PICTURE_HEIGHT, WIDTH, Reel, Scene
from scripts.film.tools import FilmError, Tools

ZOOM = 1.25
PAN_SECONDS = 1.25
SETTLE_SECONDS, PLACE_SECONDS = 90.0, 20.0
REDRAWN = "[data-stale=true]"
LONGEST_PAGE = 6000
ASSISTANT = "[data-component-id='mlflow.assistant.chat_panel.close']"
SCROLL_HEIGHT = "(document.querySelector('[data-testid=stMain]') || document.documentElement).scrollHeight"
ABOVE = 70
"""As many pixels of the page stay above what the camera moves to."""
Stop = tuple[str | int, float]


@contextmanager
def open_chromium(playwright: Playwright, tools: Tools) -> Iterator[Browser]:
    # Its own sandbox needs rights that root in a container has not; what it opens here is ours.
    browser = playwright.chromium.launch(executable_path=tools.chromium, args=["--no-sandbox"])
    try:
        yield browser
    finally:
        browser.close()


def take(page: Page) -> Image.Image:
    """Return what the page shows as soon as two looks are alike; a page that never rests, as it was last seen whole."""
    deadline = time.monotonic() + SETTLE_SECONDS
    whole = b""
    while time.monotonic() < deadline:
        now = page.screenshot(animations="disabled", caret="hide", timeout=SETTLE_SECONDS * 1000)
        # What is drawn anew is pale meanwhile.
        if page.locator(REDRAWN).count() == 0:
            if now == whole:
                break
            whole = now
        page.wait_for_timeout(400)
    if not whole:
        raise FilmError(f"{page.url} was never drawn whole within {SETTLE_SECONDS:.0f} s")
    return Image.open(io.BytesIO(whole)).convert("RGB")


def wait_until_drawn(page: Page) -> None:
    """Wait until Streamlit has drawn its page whole. Raises AssertionError where something went wrong on it."""
    limit = SETTLE_SECONDS * 1000
    expect(page.get_by_role("heading").first).to_be_visible(timeout=limit)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=limit)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=limit)
    expect(page.locator(REDRAWN)).to_have_count(0, timeout=limit)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def open_mlflow(page: Page, address: str, *, shows: str) -> None:
    """Open one of MLflow's pages and wait for the text `shows`; its assistant, which nobody asked for, is closed."""
    page.goto(address, timeout=SETTLE_SECONDS * 1000)
    expect(page.get_by_text(shows).first).to_be_visible(timeout=SETTLE_SECONDS * 1000)
    page.wait_for_timeout(1000)
    assistant = page.locator(ASSISTANT)
    if assistant.count():
        assistant.first.click()
        page.mouse.move(640, 5)


def take_whole(page: Page, *, width: int) -> Image.Image:
    """Return a photograph of the whole page, however long it is; for that long the window is as high."""
    before = page.viewport_size or {"width": width, "height": 800}
    height = before["height"]
    for _ in range(3):  # what was out of sight may be drawn now, and be higher than its place
        needed = page.evaluate(SCROLL_HEIGHT)
        if needed <= height:
            break
        height = min(int(needed), LONGEST_PAGE)
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(700)
    return take(page)


@dataclass(slots=True)
class Camera:
    """Films `page`, whose window is WIDTH x PICTURE_HEIGHT pixels of the film."""

    page: Page
    reel: Reel

    @classmethod
    def of(cls, browser: Browser, reel: Reel, *, zoom: float = ZOOM) -> "Camera":
        size = {"width": round(WIDTH / zoom), "height": round(PICTURE_HEIGHT / zoom)}
        context = browser.new_context(viewport=size, device_scale_factor=zoom, color_scheme="light")
        return cls(page=context.new_page(), reel=reel)

    def open(self, address: str, *, sidebar: bool = False) -> None:
        """Open a page of the dashboard; without its sidebar there is room for larger letters."""
        self.page.goto(address, timeout=SETTLE_SECONDS * 1000)
        wait_until_drawn(self.page)
        side = self.page.get_by_test_id("stSidebar")
        if not sidebar and side.get_attribute("data-collapsed") == "false":
            side.hover()
            self.page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
            expect(side).to_have_attribute("data-collapsed", "true")
            self.page.mouse.move(500, 5)

    def rest(self) -> None:
        """Leave the page, so that it asks nothing of the machine."""
        self.page.goto("about:blank")

    def snap(self, scene: Scene, seconds: float) -> None:
        """Show the window as it is."""
        self._add(scene, take(self.page), seconds)

    def point_at(self, scene: Scene, what: Locator, seconds: float = 1.5) -> None:
        """Show what will be clicked with a frame around it."""
        what.scroll_into_view_if_needed()
        what.evaluate("e => { e.style.outline = '3px solid #D55E00'; e.style.outlineOffset = '2px' }")
        self.snap(scene, seconds)
        what.evaluate("e => { e.style.outline = '' }")

    def move_over(self, scene: Scene, *stops: Stop) -> None:
        """Show the page from one stop to the next: a text of the page or a height, and seconds to stay there."""
        window = self.page.viewport_size
        if window is None:
            raise FilmError("the camera has no window")
        whole = take_whole(self.page, width=window["width"])
        reached = [(self._height_of(place, longest=whole.height), seconds) for place, seconds in stops]
        side = self._sidebar_width()
        self.page.set_viewport_size(window)
        at = None
        for height, seconds in reached:
            if height is None:
                continue  # a live page may no longer show it
            for between in path(height if at is None else at, height):
                self._add(scene, window_of(whole, between, side=side), 1 / FRAMES_PER_SECOND)
            self._add(scene, window_of(whole, height, side=side), seconds)
            at = height
        if at is None:
            raise FilmError(f"{self.page.url} shows nothing of {', '.join(str(place) for place, _ in stops)}")

    def _height_of(self, place: str | int, *, longest: int) -> int | None:
        """The height at which the camera stops for `place`; None where the page does not show it."""
        wanted = float(place) if isinstance(place, int) else None
        if isinstance(place, str):
            shown = self.page.get_by_test_id("stMain").get_by_text(place).locator("visible=true")
            box = shown.first.bounding_box(timeout=PLACE_SECONDS * 1000) if shown.count() else None
            wanted = box["y"] - ABOVE if box else None
        return None if wanted is None else max(0, min(round(wanted * ZOOM), longest - PICTURE_HEIGHT))

    def _sidebar_width(self) -> int:
        found = self.page.get_by_test_id("stSidebar")
        shown = found.count() > 0 and found.get_attribute("data-collapsed") == "false"
        box = found.bounding_box() if shown else None
        return round((box["x"] + box["width"]) * ZOOM) if box else 0

    def _add(self, scene: Scene, picture: Image.Image, seconds: float) -> None:
        file = self.reel.new_file(scene)
        picture.save(file, compress_level=1)
        self.reel.add(scene, file, seconds)


def window_of(whole: Image.Image, top: int, *, side: int) -> Image.Image:
    """Cut the film's picture out of a photograph; the sidebar stays where it is."""
    picture = whole.crop((0, top, WIDTH, top + PICTURE_HEIGHT))
    if side > 0:
        picture.paste(whole.crop((0, 0, side, PICTURE_HEIGHT)), (0, 0))
    return picture


def path(start: int, end: int) -> list[int]:
    """The heights between two stops: slow at first and at last."""
    if start == end:
        return []
    steps = round(PAN_SECONDS * FRAMES_PER_SECOND)
    shares = (step / steps for step in range(1, steps))
    return [round(start + (end - start) * share * share * (3 - 2 * share)) for share in shares]
