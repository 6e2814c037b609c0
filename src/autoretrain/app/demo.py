"""`make demo`: a day in the life of a model in a few minutes, on the project's own generated messages.

Normal traffic, then a wave of new spam with late labels: drift, run, comparison, promotion, guard. Then somebody
promotes a broken model by hand, and the guard puts the previous one back. A client predicts through all of it.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from autoretrain.adapters.datasets import write_tsv
from autoretrain.adapters.registry_mlflow import MlflowRegistry
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.app.demo_stack import Stack
from autoretrain.app.demo_traffic import Traffic
from autoretrain.app.narration import boxed
from autoretrain.app.steps import Steps
from autoretrain.domain.deployment import ModelArtefact
from autoretrain.domain.status import HistoryEntry, Status
from autoretrain.ml.artefact import digest_of, render_artefact
from autoretrain.ml.linear import LinearModel
from autoretrain.ml.sample_corpus import generate_corpus, generate_traffic, generate_wave

SEED = 20
KEY = "default.demo"
API_KEY = "demo-abuse-desk"
RATE = 40.0
LABEL_DELAY_SECONDS = 8.0
TOTAL_STEPS = 8
DOCUMENT = Path("examples/demo.yaml")
PHASE_SECONDS = 300.0


@dataclass(slots=True)
class Timeline:
    """Prints each decision once, with the seconds since the demo's traffic began."""

    started: float = field(default_factory=time.monotonic)
    _told: set[HistoryEntry] = field(default_factory=set)

    def follow(self, status: Status) -> None:
        for entry in status.history:
            if entry not in self._told:
                self._told.add(entry)
                self.say(f"{entry.decision} ({entry.reason}): {entry.message}")

    def say(self, text: str) -> None:
        sys.stdout.write(f"  {time.monotonic() - self.started:6.1f} s  {text}\n")
        sys.stdout.flush()


def run(*, keep: bool) -> int:
    """Play the scenario; return 0 when everything that it promises happened."""
    steps = Steps(total=TOTAL_STEPS)
    directory = (Settings().state_dir / "demo").resolve()
    stack = Stack(directory=directory, document=DOCUMENT, data=directory.parent / "demo-corpus.tsv")
    traffic = Traffic(
        address=stack.address,
        api_key=API_KEY,
        messages_per_second=RATE,
        delay_seconds=LABEL_DELAY_SECONDS,
        reported_every=2,
    )
    try:
        play(stack, traffic, steps)
    finally:
        traffic.stop()
        stack.stop()
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)
            stack.data.unlink(missing_ok=True)
    return 0 if traffic.failed == 0 else 1


def play(stack: Stack, traffic: Traffic, steps: Steps) -> None:
    with steps.step("Generate messages: corpus, traffic and wave share no text") as notes:
        corpus = generate_corpus(seed=SEED)
        normal = generate_traffic(seed=SEED + 1, messages=3000)
        wave = generate_wave(seed=SEED + 2, messages=6000)
        write_tsv(stack.data, corpus)
        notes.append(f"{len(corpus)} to train on, generated; no figure here is UCI's")
    keys = stack.data.with_name("demo-keys")
    keys.write_text(f"abuse-desk: {API_KEY}\n")
    keys.chmod(0o600)
    stack.environment = {"AUTORETRAIN_API_KEYS_FILE": str(keys)}
    with steps.step("Start everything, train and serve the first model"):
        stack.start()
    timeline = Timeline()

    def until(what: str, reached: Callable[[Status], bool]) -> None:
        def look() -> bool:
            status = stack.status(KEY)
            timeline.follow(status)
            return reached(status)

        stack.wait(what, look, seconds=PHASE_SECONDS)

    first = stack.status(KEY).champion
    with steps.step("Normal traffic: nothing should happen", talks=True):
        traffic.play(normal)
        traffic.start()
        until("a window was checked", lambda s: s.drift is not None)
        calm = stack.status(KEY).drift
        timeline.say(f"drift {calm.score:.3f}, threshold {calm.threshold}: quiet" if calm else "no window")
    with steps.step("A wave of new spam; its labels arrive late", talks=True):
        traffic.play(wave)
        timeline.say("the wave begins")
        until("a run was started", lambda s: s.run_ordinal > 1)
    with steps.step("Retrain, compare on the same rows, promote", talks=True):
        until(
            "the candidate was promoted", lambda s: bool(s.champion and first and s.champion.version != first.version)
        )
        timeline.say(comparison_line(stack))
    with steps.step("Guard the new model", talks=True):
        until("the guard passed", lambda s: bool(s.guard and s.guard.ended == "Passed"))
    good = stack.status(KEY).champion
    with steps.step("Promote a broken model on purpose, round the gates", talks=True):
        version = register_broken_model(stack)
        stack.command("promote", "--version", version, "--force", "--reason", "demo: a broken model", "--no-wait")
        until("the broken model was served", lambda s: bool(s.champion and s.champion.version == version))
        timeline.say(f"v{version} calls everything spam and is served")
    with steps.step("The guard puts the previous model back, without a label", talks=True):
        until(
            "the previous model is back",
            lambda s: bool(good and s.champion and s.champion.version == good.version and s.rollout is None),
        )
    sys.stdout.write(boxed(summary(stack, traffic)))


def comparison_line(stack: Stack) -> str:
    """Return candidate against champion in numbers, from the summary of the promoted run."""
    runs = sorted(stack.state.runs(KEY).glob("*/summary.json"), key=lambda path: path.stat().st_mtime)
    recent = json.loads(runs[-1].read_text())["recent"]
    if recent is None:
        return "no recent rows"
    candidate, champion = recent["candidate"], recent["champion"]
    return (
        f"on {recent['rows']} recent rows: candidate F1 {candidate['f1']:.3f}, champion F1 {champion['f1']:.3f}; "
        f"{recent['fixed']} fixed, {recent['broken']} broken, p = {recent['p_value']:.2g}"
    )


def register_broken_model(stack: Stack) -> str:
    """Register a version that calls everything spam: the champion's weights with an absurd intercept."""
    with Store(stack.store_url, model=KEY) as store:
        deployment = store.deployment()
        champion = store.artefact(deployment.digest) if deployment else None
        if champion is None:
            raise LookupError("nothing is deployed")
        broken = render_artefact(replace(LinearModel.load(champion.model).parts, offset=25.0))
        registry = MlflowRegistry(stack.tracking_uri, name=KEY)
        version = registry.register_artefact(
            model=broken, reference=champion.reference, card=champion.card, run_name="broken-on-purpose"
        )
        store.put_artefact(
            ModelArtefact(
                version=version.version,
                digest=digest_of(broken),
                run_id=version.run_id,
                model=broken,
                reference=champion.reference,
                card=champion.card,
            )
        )
    return version.version


def summary(stack: Stack, traffic: Traffic) -> list[str]:
    return [
        f"{traffic.sent} requests, {traffic.failed} failed",
        f"{traffic.reports} labels reported late, {traffic.audits} messages of the audit sample labelled",
        f"served now: {stack.current()['version']}",
        *([f"failures: {', '.join(traffic.failures)}"] if traffic.failures else []),
    ]
