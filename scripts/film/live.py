"""What is filmed while the run goes on: the terminal, the API and the dashboard at the moments that matter."""

import json
from dataclasses import dataclass, field

from playwright.sync_api import Browser

from scripts.film.camera import Camera
from scripts.film.cards import add_card
from scripts.film.demo_run import DemoRun
from scripts.film.reel import Reel, Scene
from scripts.film.terminal import Terminal, run
from scripts.film.tools import Tools

SECONDS = 900.0
"""For each thing to happen, on a machine that has much else to do."""
SPAM = "WINNER! Claim your free prize now, text YES to 80082"
LIMIT = 90_000.0
"""Milliseconds for a page to show what is waited for."""
END = "Drift, retraining, promotion and rollback in one run; the one thing that a person did was to break it."
BROKEN = "calls everything spam and is served"
HAM = "are we still on for lunch tomorrow?"


@dataclass(slots=True)
class Live:
    """Follows `run`, whose terminal is `demo`; what a client asks stands in the terminal `client`."""

    run: DemoRun
    reel: Reel
    demo: Terminal
    client: Terminal
    dashboard: Camera
    api: Camera
    mlflow: Camera
    tools: Tools
    said_when_broken: list[str] = field(default_factory=list)
    _printed: int = 0

    def begin(self) -> None:
        """The command is typed; what it prints until the first model is served."""
        # The broken model is there for seconds only.
        self.run.reactions.append((BROKEN, lambda: self.said_when_broken.append(run(self.predict(HAM)))))
        self.run.wait_for(r"\[2/8\].* ok", seconds=SECONDS)
        scene = self.reel.scene(
            "start",
            "Terminal: the run begins",
            "One command starts serving, monitor and MLflow, trains a first model, and plays people who send messages. "
            "Its messages are generated; waits are cut.",
        )
        self.demo.type(scene, "autoretrain demo")
        self._print_so_far(scene)

    def ask(self) -> None:
        scene = self.reel.scene(
            "api",
            "API: what it says of a message",
            "Each answer has its confidence, the version that gave it, and the words that decided.",
        )
        for message in (SPAM, HAM):
            self.answer(scene, message)

    def answer(self, scene: Scene, message: str) -> None:
        """Ask about a message, and show it."""
        command = self.predict(message)
        self.client.show(scene, command, run(command), hold=3.5)

    def predict(self, message: str) -> list[str]:
        address = f"{self.run.address('SERVING')}/predict"
        return [self.tools.curl, "-s", address, "--json", json.dumps({"message": message})]

    def swagger(self) -> None:
        """The page of the API, and a request that is made on it."""
        page = self.api.page
        page.goto(f"{self.run.address('SERVING')}/docs")
        predict = page.locator(".opblock-post").first
        predict.wait_for(timeout=LIMIT)
        scene = self.reel.scene(
            "swagger",
            "API: Swagger",
            "Every route is described on a page that the service brings along, and can be tried out there.",
        )
        self.api.snap(scene, 4)
        predict.locator(".opblock-summary").click()
        page.get_by_role("button", name="Try it out").first.click(timeout=LIMIT)
        predict.locator("textarea").first.fill(json.dumps({"message": SPAM}))
        predict.locator("textarea").first.scroll_into_view_if_needed()
        self.api.snap(scene, 2)
        execute = predict.get_by_role("button", name="Execute")
        self.api.point_at(scene, execute, 2)
        execute.click()
        answer = predict.locator(".live-responses-table")
        answer.wait_for(timeout=LIMIT)
        answer.scroll_into_view_if_needed()
        self.api.snap(scene, 5)

    def calm(self) -> None:
        scene = self.reel.scene(
            "quiet",
            "Terminal: normal traffic",
            "Drift is measured in windows of 250 messages; below 0.15 nothing happens, and that is a decision, too.",
        )
        self.run.wait_for("threshold .*: quiet", seconds=SECONDS)
        self._print_so_far(scene)
        scene = self.reel.scene(
            "overview",
            "Dashboard: Overview",
            "The first page says what serves, how good it is by a labelled random sample, and if a person is needed.",
        )
        self.dashboard.open(self.run.address("DASHBOARD"), sidebar=True)
        self.dashboard.move_over(scene, (0, 4), ("Champion", 7), ("How it came to that", 6))

    def drift(self) -> None:
        self.run.wait_for(r"RETRAIN \(Drift", seconds=SECONDS)
        scene = self.reel.scene(
            "wave",
            "Terminal: a wave of new spam",
            "Spam that the model never saw arrives; two windows above the threshold in a row ask for a training run.",
        )
        self._print_so_far(scene)
        self.dashboard.open(f"{self.run.address('DASHBOARD')}/drift")
        scene = self.reel.scene(
            "drift",
            "Dashboard: Drift",
            "The score left the grey band of 199 in 200 undrifted windows, and the terms that drive it are named.",
        )
        self.dashboard.move_over(scene, (0, 6), ("Score of each window", 7), ("Terms that drive it", 9))

    def training(self) -> None:
        self.dashboard.open(self.run.address("DASHBOARD"))
        scene = self.reel.scene(
            "training",
            "Dashboard: retraining",
            "A run trains on base data and new labels, in a process of its own; the old model goes on answering.",
        )
        self.dashboard.move_over(scene, (0, 4), ("Run demo-train-", 7), ("How it came to that", 4))

    def promotion(self) -> None:
        self.run.wait_for(r"PROMOTE \((?!FirstModel)", seconds=SECONDS)
        self.run.wait_for("recent rows: candidate F1", seconds=SECONDS)
        self.dashboard.open(self.run.address("DASHBOARD"))
        scene = self.reel.scene(
            "promotion",
            "Terminal: compared, promoted",
            "Both models answer the same recent rows that neither learnt from; an exact test must rule out luck.",
        )
        self._print_so_far(scene)
        scene = self.reel.scene(
            "guard",
            "Dashboard: a new champion under guard",
            "The new version answers, no request was lost, and the guard watches it by figures that need no labels.",
        )
        self.dashboard.move_over(scene, ("Champion", 9))

    def performance(self) -> None:
        self.dashboard.open(f"{self.run.address('DASHBOARD')}/performance")
        scene = self.reel.scene(
            "performance",
            "Dashboard: Performance",
            "Traffic by label and version, and how long a message takes: the swap is a change of colour, not a gap.",
        )
        self.dashboard.page.get_by_text("hour", exact=True).click()
        self.dashboard.move_over(scene, (0, 6), ("Serving", 6))

    def broken(self) -> None:
        self.run.wait_for(BROKEN, seconds=SECONDS)
        self.client.clear()
        scene = self.reel.scene(
            "broken-answer",
            "API: a broken model",
            "A person has forced a broken version past every gate: it calls a question about lunch spam.",
        )
        self.client.show(scene, self.predict(HAM), self.said_when_broken[0], hold=4)

    def rollback(self) -> None:
        self.run.wait_for(r"ROLLBACK \(", seconds=SECONDS)
        self.run.wait_for("served now", seconds=SECONDS)
        scene = self.reel.scene(
            "rollback",
            "Terminal: back by itself",
            "The guard sees the share of spam jump, and puts the version before back, without a label or a person.",
        )
        self._print_so_far(scene)
        self.run.end()

    def end(self, browser: Browser) -> None:
        """The last picture: the sums that the demo ended with."""
        told = [line.text.strip("│ ") for line in self.run.lines if line.text.startswith("│")]
        lines = [*told, "Play it yourself: make demo"]
        add_card(browser, self.reel, name="end", title="The end", caption=END, lines=lines)

    def _print_so_far(self, scene: Scene) -> None:
        lines = [line.text for line in self.run.lines]
        self.demo.print(scene, lines[self._printed :], hold=4.0)
        self._printed = len(lines)
