"""What becomes of a run that a person started: the first model is promoted, a later one is offered."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from autoretrain.adapters import records
from autoretrain.adapters.settings import Settings
from autoretrain.app.local import LocalWorld, utc_now
from autoretrain.app.passes import run_pass
from autoretrain.app.state import write_atomically
from autoretrain.app.trainer import RunDirectory
from autoretrain.domain.status import ActiveRun
from autoretrain.domain.training import TrainingSummary

# A server that runs looks for another version twice a second, then loads it and answers with it.
ROLLOUT_SECONDS = 30.0
PAUSE_SECONDS = 0.25


def finish_with_a_pass(summary: TrainingSummary, settings: Settings) -> None:
    """Promote the version if there is no champion and it meets the floors; otherwise print the command that would."""
    world = LocalWorld.open(settings, expect_serving=False)
    try:
        key = world.model().key
        reason = ""
        if world.state.read_status(key).champion is not None:
            reason = "There is a champion already"
        elif world.state.controller_runs():
            reason = "Another process decides here"
        if reason:
            sys.stdout.write(f"{reason}. To serve v{summary.version}: {command(summary)}\n")
            return
        with world.state.lock(purpose="train"):
            told = decide_on(world, key, summary)
        sys.stdout.write(told + "\n")
    finally:
        world.close()


def decide_on(world: LocalWorld, key: str, summary: TrainingSummary) -> str:
    """Hand the finished run to the loop as if the loop had submitted it, and make its passes."""
    status = world.state.read_status(key)
    run = ActiveRun(
        name=summary.run_name,
        ordinal=status.run_ordinal + 1,
        trigger="Manual",
        started_at=utc_now(),
        label_cutoff=summary.label_cutoff,
        training_hash=world.model().training_hash,
    )
    directory = RunDirectory(world.state.runs(key) / run.name)
    write_atomically(directory.summary, json.dumps(records.dump_record(summary)))
    world.write_status(replace(status, active_run=run, run_ordinal=run.ordinal))
    decided = run_pass(world, utc_now())
    after = run_pass(world, utc_now())
    deadline = time.monotonic() + ROLLOUT_SECONDS
    while after.status.rollout is not None and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
        after = run_pass(world, utc_now())
    if after.status.rollout is not None:
        return f"v{summary.version} is promoted but not served yet; the next pass goes on with it: autoretrain status"
    if after.status.champion is not None and after.status.champion.version == summary.version:
        return f"v{summary.version} is the champion now: {decided.plan.message}"
    return f"{decided.plan.decision.value} ({decided.plan.reason.value}): {decided.plan.message}\n{command(summary)}"


def command(summary: TrainingSummary) -> str:
    """Return what would serve the version, as this installation can be called from any shell."""
    program, here = Path(sys.executable).with_name("autoretrain"), Path.cwd()
    shown = str(program.relative_to(here) if program.is_relative_to(here) else program)
    if not program.exists():
        shown = f"{sys.executable} -m autoretrain"
    return f'{shown} promote --version {summary.version} --force --reason "why"'
