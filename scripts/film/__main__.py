"""`make film`: the whole loop for real, filmed, and the pictures of docs/ taken beside it.

`play` runs the demo and films it; `look` films what it left, and takes the pictures; `cut` makes the film of both.
"""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from scripts.film.camera import Camera, open_chromium
from scripts.film.cards import BEGINS, LOOP, add_card, with_play_button
from scripts.film.cutting import compose, composed, encode, write_captions
from scripts.film.demo_run import ROOT, DemoRun
from scripts.film.live import Live
from scripts.film.pages import WAVE, Pages
from scripts.film.pictures import (
    IMAGES,
    UNDER_TRAFFIC,
    after_it,
    at_the_end,
    save,
    take_mlflow,
    take_shots,
    take_swagger,
    take_try_it,
)
from scripts.film.reel import Reel
from scripts.film.terminal import Terminal
from scripts.film.tools import FilmError, Tools, find_tools

FILM = ROOT / "docs" / "film.mp4"
STILL, STILL_OF = IMAGES / "film.png", "look/drift-over"
PARTS = ("play", "look", "cut")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.film", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all where none is named")
    parser.add_argument("--home", type=Path, default=Path.home() / "autoretrain-demo", help="where the run writes")
    arguments = parser.parse_args()
    parts = arguments.parts or PARTS
    if not set(parts) <= set(PARTS):
        parser.error(f"parts are {', '.join(PARTS)}")
    os.chdir(ROOT)
    home, reels = arguments.home, arguments.home.with_name(f"{arguments.home.name}-reel")
    try:
        tools = find_tools()
        if "play" in parts:
            record(Reel.empty(reels, part="play"), DemoRun(home=home), tools, play)
        if "look" in parts:
            record(Reel.empty(reels, part="look"), DemoRun.kept(home), tools, look)
        if "cut" in parts:
            cut(reels, tools)
    except FilmError as error:
        sys.stderr.write(f"No film: {error}\n")
        return 1
    return 0


Recording = Callable[[Live, Browser, ExitStack], None]


def record(reel: Reel, run: DemoRun, tools: Tools, recording: Recording) -> None:
    """Give `recording` a browser and all that it films with; whatever it starts is stopped behind it."""
    with ExitStack() as stack:
        browser = stack.enter_context(open_chromium(stack.enter_context(sync_playwright()), tools))
        stack.callback(run.stop)
        live = Live(
            run=run,
            reel=reel,
            demo=Terminal.of(browser, reel, name="Terminal"),
            client=Terminal.of(browser, reel, name="Terminal of a client"),
            dashboard=Camera.of(browser, reel),
            api=Camera.of(browser, reel),
            mlflow=Camera.of(browser, reel, zoom=1.0),
            tools=tools,
        )
        recording(live, browser, stack)
    reel.save()
    say(f"{reel.part}: {sum(scene.seconds for scene in reel.scenes):.0f} s")


def open_dashboard(live: Live, stack: ExitStack) -> str:
    """Start it over the run's state; return its address."""
    address = live.run.address("DASHBOARD")
    stack.enter_context(live.run.beside("dashboard", ready=f"{address}/_stcore/health"))
    live.dashboard.open(address, sidebar=True)
    return address


def play(live: Live, browser: Browser, stack: ExitStack) -> None:
    """Film from the command that starts the demo until it ends by itself."""
    add_card(browser, live.reel, name="title", title="The loop", caption=LOOP, lines=BEGINS)
    live.run.start()
    live.run.find_environment()
    dashboard = open_dashboard(live, stack)
    pages = Pages.of(live)
    go_on(live.begin, live.calm, live.ask, live.swagger, live.drift, live.training, live.promotion)
    # The guard and the way to the broken model take less than a minute: what needs them comes first.
    pages.try_it()
    take_try_it(browser, dashboard, message=WAVE)
    live.performance()
    take_shots(browser, dashboard, UNDER_TRAFFIC)
    go_on(live.broken, live.rollback, pages.candidate)
    # The first pass of another start tidies away what a comparison needs.
    take_shots(browser, dashboard, at_the_end(compared=live.run.promotion()))


def look(live: Live, browser: Browser, stack: ExitStack) -> None:
    """Film what the run left, and take the pictures of the docs."""
    run, serving = live.run, live.run.address("SERVING")
    stack.enter_context(run.beside("run", "--no-dashboard", ready=f"{serving}/readyz"))
    dashboard = open_dashboard(live, stack)
    pages = Pages.of(live)
    pages.send_some()
    take_shots(browser, dashboard, after_it(rolled_back=run.rollback()))
    go_on(pages.answer, pages.story, pages.decision, pages.versions, pages.registry, pages.label, pages.told)
    live.end(browser)
    take_mlflow(browser, run.address("MLFLOW"))
    take_swagger(browser, serving)


def go_on(*parts: Callable[[], None]) -> None:
    for part in parts:
        say(part.__name__)
        part()


def cut(reels: Path, tools: Tools) -> None:
    reel = Reel.load(reels, parts=("play", "look"))
    write_captions(reel, tools)
    encode(compose(reel), FILM, tools)
    [shown] = [scene for scene in reel.scenes if scene.name == STILL_OF]
    save(with_play_button(composed(reel, shown.frames[-1])), STILL)
    say(f"{FILM}: {sum(scene.seconds for scene in reel.scenes):.0f} s, {FILM.stat().st_size / 1e6:.1f} MB")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
