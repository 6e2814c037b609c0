"""Does a run start whenever a rule says so, and never otherwise? Random scenarios through the real store and one pass.

Each scenario is a machine of its own: document, state directory, SQLite store. Messages are scored by a real champion,
labels arrive, the window monitor measures, `LocalWorld` gathers, `decide` decides; nothing is started. All is drawn
from the seed: sources, amounts, times, and what else the status remembers.

- Met: one rule holds, labels are there, storm control is open. RETRAIN is due, with the reason of that rule. In a drift
  scenario the rule is met where the last two measured windows are above the threshold; windows in which the detector
  finds no drift are counted apart, since then no rule is met.
- Suppressed: a rule holds as well, and one thing that keeps a run from starting. No run is due, and the plan names it.
- Within the floor: traffic as it ever was, true labels, nothing due. No run is due.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from local_traffic import answer, clopper_pearson, data_dir, label, open_world, read_csv, write_document

from autoretrain.app.local import LocalWorld
from autoretrain.app.monitoring import WindowMonitor
from autoretrain.decide.transition import decide
from autoretrain.domain.deployment import Deployment, ModelArtefact
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.domain.plan import Decision, Plan, StartTraining, Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import AlgorithmSpec, TrainingSpec
from autoretrain.domain.status import ActiveRun, GuardState, ModelRef, Status
from autoretrain.ml.drift.references import build_references
from autoretrain.ml.linear import LinearModel
from autoretrain.ml.sample_corpus import generate_corpus, generate_traffic, generate_wave
from autoretrain.ml.splits import in_holdout
from autoretrain.ml.training import search
from autoretrain.ml.variants import Algorithm

WINDOW, THRESHOLD = 250, 0.15
MUST = 0.9
TRAINING = TrainingSpec(
    profile="Word",
    seed=0,
    algorithms=tuple(AlgorithmSpec(name=name, parameters={}) for name in Algorithm),
    active_deadline_seconds=900,
    backoff_limit=1,
)
ZONES = ("Etc/UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
PERFORMANCE = {Reason.ACCURACY_BELOW_FLOOR, Reason.SPAM_RECALL_BELOW_FLOOR, Reason.F1_BELOW_FLOOR}


@dataclass(frozen=True)
class Corpus:
    """A champion, messages like those it learnt from but unseen, and messages of other times."""

    champion: ModelArtefact
    usual: Sequence[LabelledMessage]
    drifted: dict[str, Sequence[LabelledMessage]]
    origin: str

    @classmethod
    def load(cls, data: Path) -> "Corpus":
        if (data / "uci_train_A.csv").exists():
            base, usual = read_csv(data / "uci_train_A.csv"), read_csv(data / "uci_holdout_A.csv")
            drifted = {name: changed_part(data, f"dev-abrupt-{name}") for name in ("india-telecom", "youtube")}
            origin = "UCI SMS (uci_train_A.csv trains, uci_holdout_A.csv is traffic), drift from india-telecom, youtube"
        else:
            base, usual = generate_corpus(seed=0), generate_traffic(seed=1, messages=2000)
            drifted = {"wave": generate_wave(seed=2, messages=2000, share_new=0.9, spam_share=0.45)}
            origin = f"GENERATED sample messages, since {data} has no UCI rows; not real ones"
        trained = search(base, TRAINING)
        reference = build_references(trained.model, [row for row in base if in_holdout(row.text)], seed=0)
        champion = ModelArtefact(
            version="1", digest=trained.digest, run_id="r1", model=trained.artefact, reference=reference, card="{}"
        )
        return cls(champion, usual, drifted, origin)


def changed_part(data: Path, name: str) -> list[LabelledMessage]:
    """The messages of a stream from its change on."""
    change = json.loads((data / "truth_dev.json").read_text(encoding="utf-8"))["streams"][name]["change_at"][0]
    lines = (data / "streams" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[change:]
    return [LabelledMessage(text=row["text"], label=Label(row["label"])) for row in map(json.loads, lines)]


@dataclass
class Scenario:
    """What is set up before the pass; the functions below change it."""

    random: Random
    corpus: Corpus
    now: datetime
    rows: list[LabelledMessage]
    spec: dict[str, Any]
    status: Status
    labelled: float = 1.0  # share of the audit sample whose label is there
    reported: float = 0.3
    champion: bool = True
    requests: dict[str, Any] | None = None
    later_spec: dict[str, Any] | None = None


def ordinary(random: Random, corpus: Corpus) -> Scenario:
    """A machine on which all is well: two to four windows of usual traffic, true labels, a champion of some days."""
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=random.randrange(300 * 86400))
    windows = random.randint(2, 4)
    rows = random.sample(corpus.usual, min(windows * WINDOW + random.randrange(WINDOW), len(corpus.usual)))
    ended = now - timedelta(hours=random.uniform(25, 200))
    run = active_run(ended - timedelta(minutes=2), ordinal=random.randint(1, 40))
    champion = ModelRef(
        version="1", digest=corpus.champion.digest, run_id="r1", promoted_at=ended + timedelta(minutes=1)
    )
    status = Status(
        champion=champion,
        run_ordinal=run.ordinal,
        last_run=run,
        last_run_reason=Reason.BETTER_ON_RECENT_ROWS,
        last_run_ended_at=ended,
        # Runs of today are within the budget, and failed ones long enough ago.
        run_starts=tuple(now - timedelta(hours=random.uniform(2, 23)) for _ in range(random.randint(0, 3))),
        rejections=random.randint(0, 2),
    )
    spec = {
        "training": {"profile": "Word"},
        "monitoring": {
            "window": {"size": WINDOW, "minSamples": 200},
            "audit": {"rate": f"{random.uniform(0.2, 0.5):.2f}"},
        },
        "triggers": {"schedule": {"mode": "Disabled"}},
    }
    return Scenario(random, corpus, now, rows, spec, status, reported=random.uniform(0.2, 0.6))


def active_run(started_at: datetime, *, ordinal: int) -> ActiveRun:
    return ActiveRun(
        name=f"benchmark-train-{ordinal}",
        ordinal=ordinal,
        trigger="drift",
        started_at=started_at,
        label_cutoff=0,
        training_hash="",
    )


# Rules that are met.


def drift(scenario: Scenario) -> None:
    """At least the last two windows are of another time, wholly or mostly."""
    random = scenario.random
    source, share = random.choice(list(scenario.corpus.drifted.values())), random.uniform(0.7, 1.0)
    rows = scenario.rows[: len(scenario.rows) // WINDOW * WINDOW]
    changed = random.randint(2, len(rows) // WINDOW) * WINDOW
    new = iter(random.sample(list(source), min(changed, len(source))))
    for index in range(len(rows) - changed, len(rows)):
        if random.random() < share:
            rows[index] = next(new, rows[index])
    scenario.rows = rows
    # Drift alone shall be the reason.
    scenario.spec["triggers"]["performance"] = {"mode": random.choice(["Disabled", "Advise"])}


def performance(scenario: Scenario) -> None:
    """The model errs on 20 % to 40 % of the traffic: messages of another time, or usual ones with another meaning."""
    random = scenario.random
    if random.random() < 0.5 and "youtube" in scenario.corpus.drifted:
        scenario.rows[:] = random.sample(list(scenario.corpus.drifted["youtube"]), min(2 * WINDOW, len(scenario.rows)))
        scenario.spec["triggers"]["drift"] = {"mode": random.choice(["Disabled", "Advise"])}
        return
    wrong = random.uniform(0.2, 0.4)
    scenario.rows[:] = [
        replace(row, label=opposite(row.label)) if random.random() < wrong else row for row in scenario.rows
    ]


def opposite(true: Label) -> Label:
    return Label.HAM if true is Label.SPAM else Label.SPAM


def schedule(scenario: Scenario) -> None:
    """A daily schedule in some time zone is due since less than its starting deadline."""
    random, now = scenario.random, scenario.now
    zone = random.choice(ZONES)
    due = (now - timedelta(seconds=random.randint(0, 3400))).astimezone(ZoneInfo(zone)).replace(second=0)
    scenario.spec["triggers"]["schedule"] = {
        "mode": "Act",
        "cron": f"{due.minute} {due.hour} * * *",
        "timeZone": zone,
        "startingDeadlineSeconds": 3600,
    }
    base = due.astimezone(UTC) - timedelta(days=random.randint(1, 9))
    scenario.status = replace(scenario.status, last_schedule_at=base)


def spec_changed(scenario: Scenario) -> None:
    training = {"profile": "Word", "seed": scenario.random.randint(1, 10**6)}
    if scenario.random.random() < 0.5:
        training = {"profile": "Word", "algorithms": [{"name": scenario.random.choice(list(Algorithm)).value}]}
    scenario.later_spec = {**scenario.spec, "training": training}


def manual(scenario: Scenario) -> None:
    token = f"{scenario.random.random()}"
    scenario.requests = {"retrain": token, "actor": "benchmark", "reason": "a scenario"}


def no_champion(scenario: Scenario) -> None:
    scenario.champion, scenario.status = False, Status()


MET: dict[str, tuple[Callable[[Scenario], None], set[Reason], int]] = {
    "drift": (drift, {Reason.DRIFT_THRESHOLD_EXCEEDED}, 60),
    "performance": (performance, PERFORMANCE, 50),
    "schedule due": (schedule, {Reason.SCHEDULE_DUE}, 30),
    "spec changed": (spec_changed, {Reason.SPEC_CHANGED}, 20),
    "manual": (manual, {Reason.MANUAL_REQUEST}, 20),
    "no champion": (no_champion, {Reason.NO_CHAMPION}, 20),
}


# What keeps a run from starting.


def with_status(**changes: Callable[[Scenario], object]) -> Callable[[Scenario], None]:
    def change(scenario: Scenario) -> None:
        scenario.status = replace(scenario.status, **{name: make(scenario) for name, make in changes.items()})

    return change


def within_cooldown(scenario: Scenario) -> datetime:
    return scenario.now - timedelta(seconds=scenario.random.randint(60, 3500))


def few_labels(scenario: Scenario) -> None:
    scenario.labelled, scenario.reported = scenario.random.uniform(0.0, 0.15), 0.0


def suspend(scenario: Scenario) -> None:
    scenario.spec["suspend"] = True


def advise(scenario: Scenario) -> None:
    scenario.spec["triggers"]["drift"] = {"mode": "Advise"}


SUPPRESSED: dict[str, tuple[Callable[[Scenario], None], Reason]] = {
    "cooldown": (with_status(last_run_ended_at=within_cooldown), Reason.COOLDOWN_ACTIVE),
    "back-off": (
        with_status(last_run_ended_at=within_cooldown, failures=lambda s: s.random.randint(1, 5)),
        Reason.BACKOFF_ACTIVE,
    ),
    "budget": (
        with_status(run_starts=lambda s: tuple(s.now - timedelta(hours=s.random.uniform(2, 23)) for _ in range(4))),
        Reason.BUDGET_SPENT,
    ),
    "too few labels": (few_labels, Reason.NO_NEW_DATA),
    "suspended": (suspend, Reason.SUSPENDED),
    "run active": (
        with_status(active_run=lambda s: active_run(s.now - timedelta(seconds=60), ordinal=99)),
        Reason.RUN_ACTIVE,
    ),
    "breaker open": (with_status(breaker_open=lambda s: True, rejections=lambda s: 3), Reason.BREAKER_OPEN),
    "guard": (
        with_status(guard=lambda s: GuardState(version="1", started_at=s.now - timedelta(seconds=900), expected=None)),
        Reason.GUARD_ACTIVE,
    ),
    "advise only": (advise, Reason.DRIFT_THRESHOLD_EXCEEDED),
}


# One pass.


def make_pass(scenario: Scenario, *, seed: int, mlflow: str, template: Path) -> tuple[Plan, list[DriftReport]]:
    """Set the machine up, let the traffic pass and its labels arrive, measure, gather and decide."""
    random, champion = scenario.random, scenario.corpus.champion
    with tempfile.TemporaryDirectory(prefix="autoretrain-triggers-") as temporary:
        directory = Path(temporary)
        shutil.copyfile(template, directory / "store.db")
        write_document(directory, scenario.spec)
        world = open_world(directory, kind=LocalWorld, mlflow=mlflow)
        reports: list[DriftReport] = []
        if scenario.champion:
            world.store.put_artefact(champion)
            world.store.deploy(Deployment(version=champion.version, digest=champion.digest))
            apart = timedelta(seconds=random.uniform(2, 60))
            model = LinearModel.load(champion.model)
            rows = scenario.rows
            predictions = answer(
                world.store,
                rows,
                served=(champion.version, model),
                start=scenario.now - len(rows) * apart,
                apart=apart,
                audit_rate=world.model().spec.monitoring.audit_rate,
                name="m",
                seed=seed,
            )
            here = [
                pair
                for pair in zip(predictions, [r.label for r in rows], strict=True)
                if random.random() < scenario.labelled
            ]
            reported = [random.random() < scenario.reported for _ in here]
            label(world.store, here, received_at=scenario.now, reported=reported)
            reports = WindowMonitor(world.store).measure(world.model().spec.monitoring, now=scenario.now)
        world.write_status(
            replace(scenario.status, trained_hash=world.model().training_hash if scenario.champion else "")
        )
        if scenario.later_spec is not None:
            write_document(directory, scenario.later_spec)
        if scenario.requests is not None:
            world.state.request(world.model().key, **scenario.requests)
        plan = decide(world.gather(scenario.now))
        world.close()
    return plan, reports


def starts(plan: Plan) -> bool:
    """Whether a new run starts; one in flight that is submitted again under its name is none."""
    return plan.decision is Decision.RETRAIN and any(isinstance(action, StartTraining) for action in plan.actions)


def is_met(reports: Sequence[DriftReport]) -> bool:
    """The rule of drift, said again: the last two windows are above the threshold, and not by the spam share alone."""
    return len(reports) >= 2 and all(each.score > THRESHOLD and not each.prior_shift for each in reports[-2:])


def share(hits: int, n: int) -> str:
    low, high = clopper_pearson(hits, n)
    return f"{hits:4}/{n:<4} {hits / n:6.1%}  [{low:.3f}, {high:.3f}]"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--scenarios", type=int, default=200, help="of those that are met, and of those within the floor"
    )
    parser.add_argument("--suppressed", type=int, default=10, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    started = time.perf_counter()
    corpus = Corpus.load(data_dir())
    print(f"seed {options.seed}, profile Word, windows of {WINDOW}; {corpus.origin}")
    with tempfile.TemporaryDirectory(prefix="autoretrain-triggers-") as temporary:
        bench = Bench(corpus, Path(temporary), options.seed)
        reliable = bench.met(options.scenarios)
        quiet = bench.suppressed(options.suppressed) + bench.within_floor(options.scenarios) == 0
    print(f"{time.perf_counter() - started:.0f} s")
    return 0 if reliable > MUST and quiet else 1


class Bench:
    """Draws scenarios, each from its own seed, and counts what the passes decided."""

    def __init__(self, corpus: Corpus, directory: Path, seed: int) -> None:
        self._corpus, self._seed = corpus, seed
        self._mlflow = f"sqlite:///{(directory / 'mlflow.db').as_posix()}"
        write_document(directory, {})
        world = open_world(directory, kind=LocalWorld)
        world.close()
        self._template = directory / "store.db"

    def _pass(self, name: str, *changes: Callable[[Scenario], None]) -> tuple[Plan, list[DriftReport]]:
        scenario = ordinary(Random(f"{self._seed} {name}"), self._corpus)
        for change in changes:
            change(scenario)
        return make_pass(scenario, seed=self._seed, mlflow=self._mlflow, template=self._template)

    def met(self, scenarios: int) -> float:
        print(f"\n{'rule met':16} {'RETRAIN for that reason':26} 95 % bounds      otherwise")
        hits = total = 0
        whole = sum(count for *_, count in MET.values())
        for kind, (change, reasons, part) in MET.items():
            wanted, right, tried, other = max(1, round(scenarios * part / whole)), 0, 0, Counter[str]()
            done = 0
            while done < wanted and tried < 3 * wanted:
                plan, reports = self._pass(f"{kind} {tried}", change)
                tried += 1
                if kind == "drift" and not is_met(reports):
                    continue
                done += 1
                if starts(plan) and plan.reason in reasons:
                    right += 1
                else:
                    other[f"{plan.decision} {plan.reason}: {plan.message}"] += 1
            apart = f"not met (no drift measured) in {tried - done} of {tried} drawn" if tried > done else ""
            print(f"{kind:16} {share(right, max(done, 1))}  {apart} {dict(other) if other else ''}", flush=True)
            hits, total = hits + right, total + done
        print(f"{'all':16} {share(hits, total)}  must > 90 %, aim 100 %")
        return hits / total

    def suppressed(self, each: int) -> int:
        print(f"\n{'drift, but':16} {'no run':>9} {'named':>9}  by reason of the plan")
        runs = 0
        for kind, (change, reason) in SUPPRESSED.items():
            found, named, said, tried = [], 0, defaultdict(int), 0
            while len(found) < each and tried < 3 * each:
                plan, reports = self._pass(f"but {kind} {tried}", drift, change)
                tried += 1
                if not is_met(reports):
                    continue
                found.append(starts(plan))
                named += any(f.verdict is Verdict.TRIGGERED and f.reason is reason for f in plan.findings)
                said[f"{plan.decision} {plan.reason}"] += 1
            print(
                f"{kind:16} {found.count(False):4}/{len(found):<4} {named:4}/{len(found):<4}  {dict(said)}", flush=True
            )
            runs += sum(found)
        return runs

    def within_floor(self, scenarios: int) -> int:
        plans = [self._pass(f"floor {number}")[0] for number in range(scenarios)]
        runs = [plan for plan in plans if starts(plan)]
        print(f"\n{'within the floor':16} runs {share(len(runs), scenarios)}  aim 0 runs")
        print(f"  {dict(Counter(f'{plan.decision} {plan.reason}' for plan in plans))}")
        for plan in runs:
            print(f"  {plan.reason}: {plan.message}")
        return len(runs)


if __name__ == "__main__":
    sys.exit(main())
