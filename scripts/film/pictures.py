"""The pictures of docs/: every page of the dashboard, and MLflow, of the run that is filmed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from scripts.film.camera import open_mlflow, take, take_whole, wait_until_drawn

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
MOST_BYTES = 150_000
COLOURS = (128, 64, 32, 16)
LIMIT = 120_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A page at `path`, saved as `name`; `height` cuts what is below it off, in pixels. `press` names a button."""

    name: str
    path: str
    width: int = 1280
    height: int = 1400
    scheme: str = "light"
    press: str = ""


UNDER_TRAFFIC = (
    Shot(name="dashboard-performance", path="performance", press="hour"),
    Shot(name="dashboard", path="", height=1250),
    Shot(name="dashboard-drift", path="drift", height=2100),
    Shot(name="dashboard-dark", path="", height=1250, scheme="dark"),
    Shot(name="dashboard-phone", path="", width=390, height=1300),
)


def at_the_end(*, compared: int) -> tuple[Shot, ...]:
    """Pages as the run left them; `compared` is the number of the decision that promoted a candidate."""
    return (
        Shot(name="dashboard-candidate", path=f"candidate?id={compared}", height=1900),
        Shot(name="dashboard-decisions", path="decisions"),
        Shot(name="dashboard-decisions-phone", path="decisions", width=390, height=1000),
        Shot(name="dashboard-versions", path="versions"),
    )


def after_it(*, rolled_back: int) -> tuple[Shot, ...]:
    """Pages that need a registry or a person; `rolled_back` is the number of the rollback."""
    return (
        Shot(name="dashboard-decision", path=f"decisions?id={rolled_back}"),
        Shot(name="dashboard-label", path="label"),
        Shot(name="dashboard-agent", path="agent"),
    )


def take_shots(browser: Browser, address: str, shots: Sequence[Shot]) -> None:
    """Photograph pages of the dashboard at `address`."""
    for shot in shots:
        size = {"width": shot.width, "height": 800}
        page = browser.new_page(viewport=size, color_scheme=shot.scheme)
        page.goto(f"{address}/{shot.path}", timeout=LIMIT)
        wait_until_drawn(page)
        if shot.press:
            page.get_by_text(shot.press, exact=True).click()
        whole = take_whole(page, width=shot.width)
        save(whole.crop((0, 0, shot.width, min(shot.height, whole.height))), IMAGES / f"{shot.name}.png")
        page.close()


def take_try_it(browser: Browser, address: str, *, message: str) -> None:
    """Photograph what the versions say of `message`."""
    page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
    page.goto(f"{address}/try-it", timeout=LIMIT)
    wait_until_drawn(page)
    page.get_by_label("Message").fill(message)
    page.get_by_role("button", name="Ask").click()
    page.get_by_text("% sure").first.wait_for(timeout=LIMIT)
    save(take_whole(page, width=1280), IMAGES / "dashboard-try-it.png")
    page.close()


def take_mlflow(browser: Browser, address: str) -> None:
    """Photograph MLflow's runs and the registered versions."""
    page = browser.new_page(viewport={"width": 1280, "height": 620}, color_scheme="light")
    for name, path, shows in (
        ("mlflow-runs", "experiments/1/runs", "demo-train-"),
        ("mlflow-versions", "models/default.demo", "champion"),
    ):
        open_mlflow(page, f"{address}/#/{path}", shows=shows)
        save(take(page), IMAGES / f"{name}.png")
    page.close()


def take_swagger(browser: Browser, address: str) -> None:
    """Photograph the page of the HTTP API."""
    page = browser.new_page(viewport={"width": 1280, "height": 760}, color_scheme="light")
    page.goto(f"{address}/docs", timeout=LIMIT)
    page.locator(".opblock-post").first.wait_for(timeout=LIMIT)
    save(take(page), IMAGES / "swagger.png")
    page.close()


def save(picture: Image.Image, path: Path) -> None:
    """Write it with as many colours as leave it small."""
    for colours in COLOURS:
        palette = picture.convert("RGB").quantize(colours, dither=Image.Dither.NONE)
        palette.save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            return
