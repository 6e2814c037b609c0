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
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

from bounds import Bounds, clopper_pearson
from local_traffic import answer, label, open_world, write_document
from real_messages import data_dir
from trigger_corpus import TriggerCorpus
from trigger_scenarios import MET, SUPPRESSED, WINDOW, Scenario, drift, ordinary

from autoretrain.app.monitoring import WindowMonitor
from autoretrain.decide.transition import decide
from autoretrain.domain.deployment import Deployment
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.plan import Decision, Plan, StartTraining, Verdict
from autoretrain.ml.linear import LinearModel

MUST, THRESHOLD = 0.9, 0.15


def make_pass(scenario: Scenario, *, seed: int, mlflow: str, template: Path) -> tuple[Plan, list[DriftReport]]:
    """Set the machine up, let the traffic pass and its labels arrive, measure, gather and decide."""
    random, champion = scenario.random, scenario.corpus.champion
    with tempfile.TemporaryDirectory(prefix="autoretrain-triggers-") as temporary:
        directory = Path(temporary)
        shutil.copyfile(template, directory / "store.db")
        write_document(directory, scenario.spec)
        world = open_world(directory, mlflow=mlflow)
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
            spec, deployed = world.model().spec.monitoring, world.store.deployment()
            reports = WindowMonitor(world.store).measure(spec, deployed=deployed, now=scenario.now)
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


class Bench:
    """Draws scenarios, each from its own seed, and counts what the passes decided."""

    def __init__(self, corpus: TriggerCorpus, directory: Path, seed: int) -> None:
        self._corpus, self._seed = corpus, seed
        self._mlflow = f"sqlite:///{(directory / 'mlflow.db').as_posix()}"
        write_document(directory, {})
        world = open_world(directory)
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
        print(f"{'all':16} {share(hits, total)}")
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
        print(f"\n{'within the floor':16} runs {share(len(runs), scenarios)}")
        print(f"  {dict(Counter(f'{plan.decision} {plan.reason}' for plan in plans))}")
        for plan in runs:
            print(f"  {plan.reason}: {plan.message}")
        return len(runs)


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
    corpus = TriggerCorpus.load(data_dir())
    print(f"seed {options.seed}, profile Word, windows of {WINDOW}; {corpus.origin}")
    with tempfile.TemporaryDirectory(prefix="autoretrain-triggers-") as temporary:
        bench = Bench(corpus, Path(temporary), options.seed)
        reliable = bench.met(options.scenarios)
        suppressed, within_floor = bench.suppressed(options.suppressed), bench.within_floor(options.scenarios)
    print(f"{time.perf_counter() - started:.0f} s")
    bounds = Bounds()
    bounds.must(f"runs of rules that are met > {MUST:.0%}", f"{reliable:.1%}", met=reliable > MUST)
    bounds.aim("runs of rules that are met: all", f"{reliable:.1%}", met=reliable == 1)
    bounds.must("runs in suppressed scenarios: none", f"{suppressed}", met=suppressed == 0)
    bounds.must("runs within the floor: none", f"{within_floor}", met=within_floor == 0)
    return bounds.report()


if __name__ == "__main__":
    sys.exit(main())
