"""Passes as the ledger keeps them."""

from dataclasses import replace

from autoretrain.app.ledger_record import decision_record
from autoretrain.app.passes import PassResult
from autoretrain.decide.transition import decide, fold
from autoretrain.domain.plan import Outcome
from autoretrain.domain.training import RunObservation, RunState
from tests.unit.decide import builders


def recorded(observation, *, succeeded=True):
    """The record of a pass over `observation`, whose actions all ended alike."""
    plan = decide(observation)
    told = "" if succeeded else "the disk is full"
    outcomes = tuple(Outcome(action=action, succeeded=succeeded, message=told) for action in plan.actions)
    status = fold(observation, plan, outcomes)
    return decision_record(PassResult(observation=observation, plan=plan, outcomes=outcomes, status=status))


def judging(summary=None, **changes):
    """A pass that sees a run end with `summary`."""
    run = builders.run()
    summary = summary or builders.summary()
    observation = replace(
        builders.quiet(),
        status=replace(builders.status(), active_run=run),
        run=RunObservation(run_name=run.name, state=RunState.SUCCEEDED, summary=summary),
    )
    return builders.but(observation, **changes)
