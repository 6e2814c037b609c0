"""Does the closed loop win back what drift takes, and what does it cost on the old messages?

Each stream (benchmarks/README.md says where they are looked for) is played through the real store and the real passes,
in simulated time: 250 messages an hour, a pass every 50 messages, the product's defaults with windows of 250. The
champion at the start is trained on `uci_train_A.csv`. The loop sees texts; labels arrive one window late, of an audit
sample (20 % of messages, drawn as serving draws it) and of a share of messages that users report. What MLflow would
keep stands in a list.

At each promotion models are compared on the rest of the stream: the one of the start, which never retrains; the
promoted one; and full retraining: the same search on base and every label of the stream up to that moment, 100 % of
them and none of them late, nothing held back to judge on. `arrived` is full retraining on what had arrived by then.
Streams in which nothing was promoted count, with the model of the start, from their last run on.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from benchmark_document import document_of
from local_traffic import answer, label
from real_messages import data_dir, read_csv

from autoretrain.adapters.records import dump_record, load_json
from autoretrain.adapters.spammodel import parse_spam_model
from autoretrain.adapters.store import Store
from autoretrain.app.monitoring import WindowMonitor
from autoretrain.app.passes import run_pass
from autoretrain.app.replay_world import ReplayWorld
from autoretrain.domain.messages import Label, LabelledMessage, Prediction
from autoretrain.domain.observation import RegistryVersion
from autoretrain.domain.plan import Decision
from autoretrain.domain.spec import SpamModel, TrainingSpec
from autoretrain.domain.status import Status
from autoretrain.ml.evaluation import evaluate
from autoretrain.ml.linear import LinearModel
from autoretrain.ml.splits import in_holdout
from autoretrain.ml.text import canonical
from autoretrain.ml.training import search

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
WINDOW, STEP = 250, 50
APART = timedelta(hours=1) / WINDOW
AUDIT_RATE = 0.2
LEAST_REST = WINDOW  # messages; F1 on fewer says little
LEAST_SPAM = 50  # in the part of uci_holdout_A.csv that is not in the stream
LEAST_GAIN = 0.005  # F1
MOST_PASSES = 20
HEADER = (
    f"{'stream':30} {'kind':17} {'windows to run':14} runs promotions  "
    f"{'F1 served, fixed -> loop':26} {'F1 lost on UCI':26} not promoted"
)
MUST_SHARE, MOST_LOST = 0.9, 0.01
JUDGEMENTS = {Decision.PROMOTE, Decision.HOLD, Decision.REJECT, Decision.ROLLBACK}


@dataclass(frozen=True, kw_only=True)
class Event:
    """A pass that started a run or judged one; `at` counts the messages before it."""

    at: int
    decision: Decision
    reason: str
    message: str
    model: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """One promotion, or the last run where there was none: F1 on the rest of the stream of the four models."""

    at: int
    promoted: bool
    rest: int
    fixed: float
    ours: float
    full: float
    arrived: float

    @property
    def share(self) -> str:
        """The part of what full retraining wins that was won; below half a point there is nothing to divide by."""
        gain = self.full - self.fixed
        return f"{(self.ours - self.fixed) / gain:.2f}" if gain > LEAST_GAIN else "-"


@dataclass(frozen=True, kw_only=True)
class Played:
    """What became of one stream. `lost` is F1 lost on messages of `uci_holdout_A.csv` that are not in the stream."""

    name: str
    kind: str
    messages: int
    events: tuple[Event, ...]
    recoveries: tuple[Recovery, ...]
    alarm: str
    lost: float | None
    held_out: str
    live: float
    live_fixed: float
    live_messages: int


def pass_until_quiet(world: ReplayWorld, now: datetime, *, at: int) -> list[Event]:
    """Passes as they follow each other while something is under way, with what they decided."""
    events = []
    for number in range(MOST_PASSES):
        result = run_pass(world, now + number * timedelta(seconds=5))
        plan, before, after = result.plan, result.observation.status, result.status
        if plan.decision in JUDGEMENTS | {Decision.RETRAIN} and before.history != after.history:
            deployed = deployed_artefact(world) if plan.decision is Decision.PROMOTE else b""
            events.append(
                Event(at=at, decision=plan.decision, reason=plan.reason, message=plan.message, model=deployed)
            )
        if not plan.actions and before.history == after.history:
            return events
    raise RuntimeError(f"{MOST_PASSES} passes and still not quiet: {events[-1] if events else 'nothing decided'}")


def deployed_artefact(world: ReplayWorld) -> bytes:
    deployment = world.store.deployment()
    artefact = world.store.artefact(deployment.digest) if deployment else None
    return artefact.model if artefact else b""


def play(
    world: ReplayWorld, rows: Sequence[LabelledMessage], *, reports: float, seed: int
) -> tuple[list[Event], list[Label]]:
    """Let the stream pass; returns what was decided and what was answered."""
    monitor = WindowMonitor(world.store)
    reported = np.random.default_rng(seed).random(len(rows)) < reports
    answered: list[Prediction] = []
    events: list[Event] = []
    arrived = 0
    for first in range(0, len(rows), STEP):
        served = world.serving.deployed()
        if served is None:
            raise RuntimeError("nothing is deployed")
        start, part = START + first * APART, rows[first : first + STEP]
        answered += answer(
            world.store,
            part,
            served=served,
            start=start,
            apart=APART,
            audit_rate=AUDIT_RATE,
            name=f"m{first}",
            seed=seed,
        )
        now, due = START + len(answered) * APART, max(0, len(answered) - WINDOW)
        pairs = [(answered[index], rows[index].label) for index in range(arrived, due)]
        label(world.store, pairs, received_at=now, reported=reported[arrived:due])
        arrived = due
        monitor.measure(world.model.spec.monitoring, deployed=world.store.deployment(), now=now)
        events += pass_until_quiet(world, now, at=len(answered))
    return events, [prediction.label for prediction in answered]


def play_stream(job: tuple[str, Path, Path, SpamModel, float, int]) -> Played:
    name, data, template, model, reports, seed = job
    warnings.simplefilter("ignore")
    truth = json.loads((data / "truth_dev.json").read_text(encoding="utf-8"))["streams"][name]
    lines = (data / "streams" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [LabelledMessage(text=row["text"], label=Label(row["label"])) for row in map(json.loads, lines)]
    base = read_csv(data / "uci_train_A.csv")
    with tempfile.TemporaryDirectory(prefix="autoretrain-recovery-") as temporary:
        directory = Path(temporary) / "world"
        shutil.copytree(template, directory)
        world = open_replay(directory, base, model=model)
        fixed = LinearModel.load(deployed_artefact(world))
        events, answers = play(world, rows, reports=reports, seed=seed)
        world.store.close()
    promoted = [event for event in events if event.decision is Decision.PROMOTE]
    judged = [event for event in promoted if len(rows) - event.at >= LEAST_REST]
    if not judged:
        # Where nothing was promoted the model of the start went on, while full retraining would have won something.
        runs = [event for event in events if event.decision is Decision.RETRAIN]
        judged = [event for event in runs if len(rows) - event.at >= LEAST_REST][-1:]
    recoveries = [recover(event, rows, base, fixed=fixed, training=model.spec.training) for event in judged]
    seen = {canonical(row.text) for row in rows}
    held_out = [row for row in read_csv(data / "uci_holdout_A.csv") if canonical(row.text) not in seen]
    spam = sum(row.label is Label.SPAM for row in held_out)
    comparable = promoted and spam >= LEAST_SPAM
    lost = f1(fixed, held_out) - f1(LinearModel.load(promoted[-1].model), held_out) if comparable else None
    harm = next((window["start"] for window in truth["windows"] if window["harmful"]), None)
    after = range(harm, len(rows)) if harm is not None else range(len(rows))
    return Played(
        name=name,
        kind=truth["kind"],
        messages=len(rows),
        events=tuple(events),
        recoveries=tuple(recoveries),
        alarm=windows_to_alarm(events, harm),
        lost=lost,
        held_out=f"{len(held_out)}, {spam} spam",
        live=evaluate([rows[i].label for i in after], [answers[i] for i in after]).f1,
        live_fixed=f1(fixed, [rows[i] for i in after]),
        live_messages=len(after),
    )


def recover(
    event: Event,
    rows: Sequence[LabelledMessage],
    base: Sequence[LabelledMessage],
    *,
    fixed: LinearModel,
    training: TrainingSpec,
) -> Recovery:
    own = [row for row in base if not in_holdout(row.text)]
    rest = rows[event.at :]
    return Recovery(
        at=event.at,
        promoted=bool(event.model),
        rest=len(rest),
        fixed=f1(fixed, rest),
        ours=f1(LinearModel.load(event.model) if event.model else fixed, rest),
        full=f1(search([*own, *rows[: event.at]], training, holdout_share=0.0).model, rest),
        arrived=f1(search([*own, *rows[: max(0, event.at - WINDOW)]], training, holdout_share=0.0).model, rest),
    )


def f1(model: LinearModel, rows: Sequence[LabelledMessage]) -> float:
    return evaluate([row.label for row in rows], [model.predict(row.text)[0] for row in rows]).f1


def windows_to_alarm(events: Sequence[Event], harm: int | None) -> str:
    """Windows from the first harmful message to the start of a run; a run that began earlier says so."""
    starts = [event.at for event in events if event.decision is Decision.RETRAIN]
    if harm is None:
        return "no harm"
    later = [at for at in starts if at > harm]
    early = f" ({len(starts) - len(later)} before)" if len(starts) > len(later) else ""
    return (f"{(later[0] - harm) / WINDOW:.1f}" if later else "never") + early


def print_stream(played: Played, *, verbose: bool) -> None:
    count = Counter(event.decision for event in played.events)
    others = Counter(
        f"{event.decision} {event.reason}"
        for event in played.events
        if event.decision in {Decision.HOLD, Decision.REJECT, Decision.ROLLBACK}
    )
    lost = "-" if played.lost is None else f"{played.lost:+.4f} of {played.held_out}"
    print(
        f"{played.name:30} {played.kind:17} {played.alarm:14} {count[Decision.RETRAIN]:4} {count[Decision.PROMOTE]:9}  "
        f"{played.live_fixed:.3f} -> {played.live:.3f} ({played.live_messages})  {lost:26} "
        f"{', '.join(f'{n} {reason}' for reason, n in others.items())}"
    )
    for each in played.recoveries:
        done = "promoted" if each.promoted else "run, none promoted,"
        print(
            f"    {done} after {each.at}: F1 on the {each.rest} left: fixed {each.fixed:.3f}, ours {each.ours:.3f}, "
            f"full {each.full:.3f}, arrived {each.arrived:.3f}; won back {each.share}"
        )
    if verbose:
        for event in played.events:
            print(f"    {event.at:6} {event.decision:9} {event.reason}: {event.message}")


def print_totals(played: Sequence[Played]) -> bool:
    """Print the sums over the streams that drift; whether the figures to reach are reached."""
    drifting = [each for each in played if each.kind not in {"no_drift", "prior_shift"} and each.recoveries]
    promoted = sum(each.recoveries[-1].promoted for each in drifting)
    losses = [each.lost for each in played if each.lost is not None]
    print(
        f"\n{promoted} of {len(drifting)} streams with drift and a run had a promotion with {LEAST_REST} messages left"
    )
    won = {}
    for title, index in (("first", 0), ("last", -1)):
        found = [each.recoveries[index] for each in drifting]
        gains = [sum(getattr(e, name) - e.fixed for e in found) for name in ("ours", "full", "arrived")]
        won[title] = gains[0] / gains[1] if gains[1] > 0 else 1.0
        print(
            f"after the {title} promotion, streams without one too: F1 summed over streams {gains[0]:+.3f}, "
            f"full retraining {gains[1]:+.3f}, on arrived labels {gains[2]:+.3f}; won back {won[title]:.3f}"
        )
    worst = max(losses, default=0.0)
    print(f"F1 lost on UCI: {worst:+.4f} at most, over {len(losses)} streams with a promotion")
    enough = won["last"] >= MUST_SHARE
    print(f"aims: >= {MUST_SHARE:.0%} won back: {enough}; <= {MOST_LOST} lost: {worst <= MOST_LOST}")
    return enough and worst <= MOST_LOST


def open_replay(directory: Path, base: Sequence[LabelledMessage], *, model: SpamModel) -> ReplayWorld:
    """The world that `first_champion` has left in `directory`, or an empty one."""
    store = Store(f"sqlite:///{(directory / 'store.db').as_posix()}", model=model.key)
    store.migrate()
    world, status, served = ReplayWorld(model, store, base), directory / "status.json", store.deployment()
    if status.exists():
        world.status = load_json(Status, status.read_text(encoding="utf-8"))
    if served is not None:
        champion = RegistryVersion(version=served.version, digest=served.digest, alias="", run_id="")
        world.registry.registered.append(champion)
        world.registry.set_aliases(champion=served.version)
    return world


def first_champion(directory: Path, base: Sequence[LabelledMessage], *, profile: str) -> SpamModel:
    """Train and promote the first model by passes of the loop itself, a day and a half before the streams."""
    spec = {
        "training": {"profile": profile},
        "monitoring": {"window": {"size": WINDOW, "minSamples": 200}, "audit": {"rate": str(AUDIT_RATE)}},
        "triggers": {"schedule": {"mode": "Disabled"}},
    }
    model = parse_spam_model(document_of(spec), uid="benchmark", generation=1)
    world = open_replay(directory, base, model=model)
    pass_until_quiet(world, START - timedelta(hours=36), at=0)
    served = world.store.deployment()
    (directory / "status.json").write_text(json.dumps(dump_record(world.status)), encoding="utf-8")
    world.store.close()
    if served is None:
        sys.exit("the first model was not promoted")
    return model


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="Word", choices=["Word", "WordAndCharacter"])
    parser.add_argument("--stream", action="append", help="only streams whose name contains this; again for more")
    parser.add_argument("--reports", type=float, default=0.3, help="share of messages whose label users send")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="streams played at the same time")
    parser.add_argument("--verbose", action="store_true", help="print every decision")
    options = parser.parse_args()
    data, started = data_dir(), time.perf_counter()
    if not (data / "truth_dev.json").exists():
        parser.error(f"no streams in {data}; set AUTORETRAIN_DATA_DIR")
    names = sorted(json.loads((data / "truth_dev.json").read_text(encoding="utf-8"))["streams"])
    names = [name for name in names if any(part in name for part in options.stream or [""])]
    with tempfile.TemporaryDirectory(prefix="autoretrain-recovery-") as template:
        model = first_champion(Path(template), read_csv(data / "uci_train_A.csv"), profile=options.profile)
        jobs = [(name, data, Path(template), model, options.reports, options.seed) for name in names]
        print(f"seed {options.seed}, profile {options.profile}, {AUDIT_RATE:.0%} audited, ", end="")
        print(f"{options.reports:.0%} reported, labels {WINDOW} messages late")
        print(HEADER, flush=True)
        played = []
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(max_workers=options.jobs, mp_context=context) as pool:
            for each in pool.map(play_stream, jobs):
                print_stream(each, verbose=options.verbose)
                sys.stdout.flush()
                played.append(each)
    met = print_totals(played)
    print(f"{time.perf_counter() - started:.0f} s")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
