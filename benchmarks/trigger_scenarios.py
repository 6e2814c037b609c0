"""What may a machine be in the midst of when a pass looks at it? Scenarios, drawn at random, and what is due in each.

`ordinary` is a machine on which all is well. Each function of `MET` makes one rule hold; each of `SUPPRESSED` puts one
thing in the way of a run.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from trigger_corpus import TriggerCorpus

from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import ActiveRun, GuardState, ModelRef, Status
from autoretrain.ml.variants import Algorithm

WINDOW = 250
ZONES = ("Etc/UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
PERFORMANCE = {Reason.ACCURACY_BELOW_FLOOR, Reason.SPAM_RECALL_BELOW_FLOOR, Reason.F1_BELOW_FLOOR}


@dataclass
class Scenario:
    """What is set up before the pass; the functions below change it."""

    random: Random
    corpus: TriggerCorpus
    now: datetime
    rows: list[LabelledMessage]
    spec: dict[str, Any]
    status: Status
    labelled: float = 1.0  # share of the audit sample whose label is there
    reported: float = 0.3
    champion: bool = True
    requests: dict[str, Any] | None = None
    later_spec: dict[str, Any] | None = None


def ordinary(random: Random, corpus: TriggerCorpus) -> Scenario:
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
    # Two windows of labels must be enough to learn from and to be judged on.
    return Scenario(random, corpus, now, rows, spec, status, reported=random.uniform(0.5, 0.8))


def active_run(started_at: datetime, *, ordinal: int) -> ActiveRun:
    return ActiveRun(
        name=f"benchmark-train-{ordinal}",
        ordinal=ordinal,
        trigger="drift",
        started_at=started_at,
        label_cutoff=0,
        training_hash="",
    )


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
