"""The pages of dashboard and MLflow that are filmed over the state of a run, while it goes on or when it has ended."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from playwright.sync_api import expect

from autoretrain.app.demo import KEY, SEED
from autoretrain.domain.messages import LabelledMessage
from autoretrain.ml.sample_corpus import generate_traffic, generate_wave
from scripts.film.camera import Camera, open_mlflow
from scripts.film.demo_run import DemoRun
from scripts.film.live import HAM, Live
from scripts.film.reel import Reel

WAVE = "Your playlists on StreamBox will be deleted today. Re-enter your billing information to keep watching."
MESSAGES, LABELS = 150, 3
LIMIT = 90_000.0
"""Milliseconds for a page to show what is waited for."""


@dataclass(slots=True)
class Pages:
    """Films the kept state of `run`: with `dashboard` its pages, with `mlflow` MLflow's."""

    run: DemoRun
    reel: Reel
    live: Live
    dashboard: Camera
    mlflow: Camera
    sent: Sequence[LabelledMessage] = ()

    @classmethod
    def of(cls, live: Live) -> "Pages":
        return cls(run=live.run, reel=live.reel, live=live, dashboard=live.dashboard, mlflow=live.mlflow)

    def answer(self) -> None:
        scene = self.reel.scene(
            "good-answer",
            "API: as before",
            "Started again on what the demo left, it serves the version that was put back: lunch is ham.",
        )
        self.live.answer(scene, HAM)

    def story(self) -> None:
        self._open("")
        scene = self.reel.scene(
            "story",
            "Dashboard: how it came to that",
            "Runs, promotions and the rollback over time, and each decision with its reason in words.",
        )
        self.dashboard.move_over(scene, (0, 4), ("Champion", 4), ("How it came to that", 9))
        self._open("drift")
        scene = self.reel.scene(
            "drift-over",
            "Dashboard: Drift",
            "Drift ended when the new version came: what it was trained for is no longer new to it.",
        )
        self.dashboard.move_over(scene, ("Score of each window", 7))

    def candidate(self) -> None:
        self._open(f"candidate?id={self.run.promotion()}")
        scene = self.reel.scene(
            "candidate",
            "Dashboard: Candidate and champion",
            "The promoted model beside the one before: the verdict gate by gate, and which messages each gets wrong.",
        )
        self.dashboard.move_over(scene, (0, 8), ("Rows", 6), ("Labelled messages that they call differently", 7))

    def decision(self) -> None:
        """The rollback by its lasting address, and decided again."""
        page = self.dashboard.page
        self._open("decisions")
        scene = self.reel.scene(
            "decisions",
            "Dashboard: Decisions",
            "Every decision is kept with its figures; a filter finds the rollback among them.",
        )
        self.dashboard.snap(scene, 4)
        kind = page.get_by_role("button", name="ROLLBACK")
        self.dashboard.point_at(scene, kind)
        kind.click()
        self._settle()
        self.dashboard.snap(scene, 4)
        self._open(f"decisions?id={self.run.rollback()}")
        scene = self.reel.scene(
            "decision",
            "Dashboard: one decision",
            "It has an address of its own to send to others, and tells evidence, decision, action and outcome.",
        )
        self.dashboard.move_over(scene, (0, 4), ("Story", 7))
        tab = page.get_by_role("tab", name="Decide it again")
        scene = self.reel.scene(
            "replay",
            "Dashboard: decided again",
            "The same rules over the recorded evidence give the same decision in every field, so it can be checked.",
        )
        self.dashboard.point_at(scene, tab)
        tab.click()
        expect(page.get_by_text("Decided again").first).to_be_visible(timeout=LIMIT)
        self.dashboard.move_over(scene, (0, 1), ("Decided again", 6))

    def versions(self) -> None:
        self._open("versions")
        # MLflow may have just been started.
        expect(self.dashboard.page.get_by_text("has not answered yet")).to_have_count(0, timeout=LIMIT)
        scene = self.reel.scene(
            "versions",
            "Dashboard: Versions",
            "What each version came from; whoever may act promotes or rolls back here, under the same guard.",
        )
        self.dashboard.move_over(scene, (0, 7), ("One version", 6))

    def try_it(self) -> None:
        self._open("try-it")
        page = self.dashboard.page
        scene = self.reel.scene(
            "try-it",
            "Dashboard: Try it",
            "A message of the new wave is put to the versions there are: what each says, how sure, and by which words.",
        )
        page.get_by_label("Message").fill(WAVE)
        self.dashboard.snap(scene, 2)
        ask = page.get_by_role("button", name="Ask")
        self.dashboard.point_at(scene, ask, 1)
        ask.click()
        expect(page.get_by_text("% sure").first).to_be_visible(timeout=LIMIT)
        self._settle()
        self.dashboard.move_over(scene, (0, 2), ("% sure", 8))

    def send_some(self) -> None:
        """Let a client go on for a moment, so that messages wait for labels: the demo's own people took all."""
        self.sent = generate_wave(seed=SEED + 3, messages=MESSAGES)
        with httpx.Client(base_url=self.run.address("SERVING"), timeout=30.0) as client:
            for message in self.sent:
                client.post("/predict", json={"message": message.text}).raise_for_status()

    def label(self) -> None:
        """Some answers by keyboard; which one is right is known of the messages that were sent."""
        of_the_demo = (*generate_traffic(seed=SEED + 1, messages=3000), *generate_wave(seed=SEED + 2, messages=6000))
        truth = {message.text: message.label.value for message in (*of_the_demo, *self.sent)}
        self._open("label")
        page = self.dashboard.page
        scene = self.reel.scene(
            "label",
            "Dashboard: Label",
            "People label a random sample by one key a message; live accuracy rests on that and on nothing else.",
        )
        for number in range(1, LABELS + 1):
            self.dashboard.snap(scene, 2.5)
            label = truth[page.get_by_test_id("stMain").get_by_test_id("stText").first.inner_text().strip()]
            page.keyboard.press(label[0])
            expect(page.get_by_text(f"{number} answered since you began")).to_be_visible(timeout=LIMIT)
            self._settle()
        self.dashboard.snap(scene, 3)

    def registry(self) -> None:
        page, address = self.mlflow.page, self.run.address("MLFLOW")
        open_mlflow(page, f"{address}/#/experiments/1/runs", shows="demo-train-")
        scene = self.reel.scene(
            "mlflow",
            "MLflow: runs",
            "Every training run is in MLflow with its parameters, metrics, pictures and data, promoted or not.",
        )
        self.mlflow.snap(scene, 7)
        open_mlflow(page, f"{address}/#/models/{KEY}", shows="champion")
        scene = self.reel.scene(
            "registry",
            "MLflow: registry",
            "Champion and previous are aliases of registered versions: what serves is one look away.",
        )
        self.mlflow.snap(scene, 7)

    def told(self) -> None:
        self.live.client.clear()
        scene = self.reel.scene(
            "explain",
            "Terminal: the story in words",
            "The same record is told in the terminal: what was decided, on what evidence, and what came of it.",
        )
        self.live.client.type(scene, "autoretrain explain")
        self.live.client.print(scene, self.run.command("explain").splitlines()[-9:], hold=4)

    def _open(self, path: str) -> None:
        self.dashboard.open(f"{self.run.address('DASHBOARD')}/{path}")

    def _settle(self) -> None:
        page = self.dashboard.page
        page.wait_for_timeout(700)
        expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=LIMIT)
