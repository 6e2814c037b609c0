"""The chain of one decision, through records as the ledger keeps them."""

import json
from dataclasses import asdict

import pytest

from autoretrain.adapters.records import dump_record
from autoretrain.app.ledger_record import decision_record
from autoretrain.app.passes import PassResult
from autoretrain.decide.chain import UnknownDecision, build_chain
from autoretrain.decide.transition import decide, fold
from autoretrain.domain.plan import Outcome
from autoretrain.domain.spec import AgentSpec, TriggerMode
from autoretrain.domain.training import RunObservation, RunState
from tests.unit.agent.advised import advice
from tests.unit.decide.builders import (
    NOW,
    but,
    drifted,
    estimate,
    guard_evidence,
    minutes,
    quiet,
    served,
    summary,
    window,
)


class Story:
    """Passes that follow each other, each with the status that the one before it left."""

    def __init__(self):
        self.records = []
        self.status = quiet().status

    def make(self, minute, observation=None, **changes):
        observation = but(observation or quiet(), status=self.status, now=NOW + minutes(minute), **changes)
        plan = decide(observation)
        outcomes = tuple(Outcome(action=action, succeeded=True) for action in plan.actions)
        self.status = fold(observation, plan, outcomes)
        result = PassResult(observation=observation, plan=plan, outcomes=outcomes, status=self.status)
        self.records.append(decision_record(result) | {"sequence": len(self.records) + 1})
        return plan


def run_ended(story, **changes):
    made = summary(run_name=story.status.active_run.name, **changes)
    return RunObservation(run_name=made.run_name, state=RunState.SUCCEEDED, summary=made)


@pytest.fixture(scope="module")
def rolled_back():
    """A quiet window, then: drift, a run, its promotion, the rollout, a breach of the guard, and the way back."""
    story = Story()
    story.make(0)
    story.make(1, drifted())
    story.make(2, run=run_ended(story))
    story.make(3, served=served("4"))
    flood = but(guard_evidence(), model_version="4", spam_share=estimate(0.8), golden_ham_flagged=0.4)
    story.make(20, served=served("4"), guard=flood)
    story.make(21, served=served("3"))
    return story.records


def names(chain):
    return [(step.name, step.sequence) for step in chain.steps]


WHOLE = [
    ("Evidence", 2),
    ("Findings", 2),
    ("Decision", 2),
    ("Run", 3),
    ("Comparison", 3),
    ("Verdict", 3),
    ("Rollout", 4),
    ("Rollback", 5),
    ("Back", 6),
]


@pytest.mark.parametrize("asked", [2, 3, 4, 5, 6])
def test_any_decision_of_a_chain_leads_to_the_whole_of_it(rolled_back, asked):
    chain = build_chain(rolled_back, asked)
    assert names(chain) == WHOLE
    assert chain.unknown == ()


def test_each_link_is_told_with_its_numbers(rolled_back):
    told = build_chain(rolled_back, 5).render()
    for part in (
        "Decision 5, 2026-03-02 12:20:00 UTC: ROLLBACK (SpamShareTooHigh)",
        "Evidence (decision 2, 2026-03-02 12:01:00 UTC)\n  champion is version 3",
        "window w2: 500 messages, 2026-03-02 11:30 to 2026-03-02 11:59 UTC, drift 0.500 against 0.15; most in voc",
        "vocabulary_drift, 0.800 (without drift 0.750, rarely above 0.850)",
        "live, by 200 audit labels: accuracy 0.980 [0.970, 0.990], spam recall 0.930 [0.910, 0.950]",
        "250 new labels since the last run, 40 of them spam",
        "drift asked for a run\n    drift 0.50 > 0.15: 2 windows in a row are above the threshold, the last is w2",
        "made version 4: LinearSVM, Word, 4000 rows, 12 s; on 1000 held-out rows accuracy 0.9850, F1 0.9500",
        "with champion 3; on 200 recent rows accuracy +0.0600, F1 +0.1000, 13 fixed and 1 broken (p = 0.0009)",
        "ok        McNemar p 0.0009, at most 0.0500 is allowed",
        "Verdict (decision 3, ",
        "Rollback (this decision, 2026-03-02 12:20:00 UTC)",
        "FAILED    spam share 0.80 > 0.60: 0.800 [0.780, 0.820], limit 0.600",
        "version 3 is served again in place of version 4",
    ):
        assert part in told


def test_a_decision_that_started_nothing_is_told_by_itself(rolled_back):
    assert names(build_chain(rolled_back, 1)) == [("Evidence", 1), ("Findings", 1), ("Decision", 1)]


def test_a_run_that_was_wanted_and_held_back_leads_to_the_next_one():
    story = Story()
    story.make(0, drifted(), supply=but(quiet().supply, new_labels=3, new_spam_labels=1))
    story.make(1, drifted())
    chain = build_chain(story.records, 1)
    assert names(chain)[-1] == ("Next run", 2)
    assert chain.steps[1].text == "drift asked for a run, held back by new labels"


def test_a_run_that_failed_ends_the_chain():
    story = Story()
    story.make(0, drifted())
    name = story.status.active_run.name
    story.make(1, run=RunObservation(run_name=name, state=RunState.FAILED, message="out of memory"))
    chain = build_chain(story.records, 1)
    assert names(chain)[-1] == ("Run", 2)
    assert "out of memory" in chain.steps[-1].text
    assert chain.unknown == ()


def test_what_happens_still_is_not_known_yet(rolled_back):
    assert build_chain(rolled_back[:2], 2).unknown == (
        f"how run {rolled_back[1]['plan']['actions'][0]['run']['name']} ended: no record tells it yet",
    )
    assert build_chain(rolled_back[:3], 2).unknown == ("whether version 4 came to be served: no record tells it yet",)
    assert build_chain(rolled_back[:4], 2).unknown == ("how the guard over version 4 ended: no record tells it yet",)
    assert build_chain(rolled_back[:5], 2).unknown == (
        "whether the version before is served again: no record tells it yet",
    )


def test_records_that_are_gone_are_said_to_be_missing(rolled_back):
    name = rolled_back[1]["plan"]["actions"][0]["run"]["name"]
    first = "the records here begin with decision {}, 2026-03-02 12:{:02}:00 UTC"
    assert build_chain(rolled_back[2:], 5).unknown == (f"why run {name} was started: {first.format(3, 2)}",)
    assert build_chain(rolled_back[3:], 5).unknown == (
        f"which run made version 4, and how it was judged: {first.format(4, 3)}",
    )


def test_a_record_that_keeps_only_what_was_decided_says_so(rolled_back):
    short = {name: rolled_back[1][name] for name in ("at", "decision", "reason", "message", "outcomes", "sequence")}
    chain = build_chain([short], 2)
    assert names(chain) == [("Decision", 2)]
    assert chain.unknown == ("evidence and findings of decision 2: its record keeps only what was decided",)


def test_a_first_model_has_a_chain_without_a_champion():
    story = Story()
    story.status = but(story.status, champion=None, previous=None, trained_hash="")
    nobody = but(quiet(), served=served(None), drift=(), performance=None, registry=())
    story.make(0, nobody)
    made = run_ended(story, champion_version=None, champion_digest=None, holdout=None, recent=None, expected=None)
    story.make(1, nobody, run=made)
    told = build_chain(story.records, 1).render()
    assert "there is no champion" in told
    assert "there was no champion to compare with" in told
    assert "PROMOTE (FirstModel)" in told


@pytest.mark.parametrize(("records", "says"), [("none", "nothing has been decided yet"), ("all", "from 1 to 6")])
def test_a_decision_that_is_not_there_is_refused_with_those_that_are(rolled_back, records, says):
    with pytest.raises(UnknownDecision, match=f"there is no decision 99.*{says}"):
        build_chain(rolled_back if records == "all" else [], 99)


def test_the_chain_of_a_ledger_has_plain_values_only(rolled_back):
    chain = build_chain(rolled_back, 5)
    assert json.loads(json.dumps(asdict(chain)))["steps"][0]["data"]["drift"] == [
        dump_record(window(1, 0.4)),
        dump_record(window(2, 0.5)),
    ]


ASKED = AgentSpec(mode=TriggerMode.ADVISE, model="openai:test")


def findings_of(observation):
    story = Story()
    story.make(0, observation, advice=advice(situation_at=NOW))
    step = next(step for step in build_chain(story.records, 1).steps if step.name == "Findings")
    return [step.text, *step.details]


def test_advice_that_may_do_nothing_neither_asks_for_a_run_nor_holds_one_back():
    held = findings_of(but(drifted(), model__spec__suspend=True, model__spec__agent=ASKED))
    assert held[0] == "drift asked for a run, held back by suspend"
    assert "agent: openai:test advises RETRAIN (advice 12)" in held
    assert findings_of(but(quiet(), model__spec__agent=ASKED))[0] == "nothing asks for a run"


def test_advice_that_may_act_asks_for_the_run_that_it_starts():
    told = findings_of(but(quiet(), model__spec__agent=but(ASKED, mode=TriggerMode.ACT)))
    assert told[:2] == ["agent asked for a run", "agent: openai:test advises RETRAIN (advice 12)"]
