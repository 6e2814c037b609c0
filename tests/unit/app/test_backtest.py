"""A history is played under a policy: real runs, real windows, real decisions, and no clock but the history's."""

import socket
from dataclasses import replace
from datetime import timedelta

import pytest

from autoretrain.adapters.histories import HistoryFile, RecordedMessage, write_history
from autoretrain.adapters.spammodel import parse_spam_model
from autoretrain.app.backtest import Backtest, Conditions
from autoretrain.app.backtest_score import mean_f1
from autoretrain.cli.histories import sample_history
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.plan import Decision
from autoretrain.domain.reasons import Reason
from autoretrain.ml.sample_corpus import generate_corpus

BASE = tuple(generate_corpus(seed=0, messages=800))
QUICK = {"profile": "Word", "algorithms": [{"name": "NaiveBayes", "parameters": {"alpha": ["0.1"]}}]}
CONDITIONS = Conditions(reports=0.5, label_delay=timedelta(minutes=30), window=100)


IDLE = {"drift": {"mode": "Disabled"}, "performance": {"mode": "Disabled", "minAccuracy": "0.80"}}
FLOORS = {"minAccuracy": "0.85", "minF1": "0.60", "minEvaluationRows": 60}


class Nobody:
    messages = 0

    def advance(self, messages):
        self.messages += messages


def policy(**spec):
    triggers = {"schedule": {"mode": "Disabled"}, "cooldownSeconds": 0, "minNewLabels": 100}
    triggers |= {"performance": {"minAccuracy": "0.80"}} | spec.pop("triggers", {})
    document = {
        "apiVersion": "autoretrain.dev/v1alpha1",
        "kind": "SpamModel",
        "metadata": {"name": "any"},
        "spec": {
            "data": {"file": {"path": "unused.tsv"}},
            "training": QUICK,
            "monitoring": {"window": {"size": 200, "minSamples": 150}, "audit": {"rate": "0.2"}},
            "triggers": triggers,
            "promotion": FLOORS | spec.pop("promotion", {}),
            # The wave is short: so few messages after a promotion would convict a good model by chance.
            "guard": {"maxSpamShareDelta": "0.50", "maxScoreShift": "0.50", "maxDisagreementDelta": "0.50"},
        }
        | spec,
    }
    return parse_spam_model(document, uid="", generation=1)


@pytest.fixture(scope="module", autouse=True)
def no_network():
    """A replay asks nobody for anything."""

    def refuse(*_):
        raise AssertionError("a connection was opened")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(socket.socket, "connect", refuse)
        yield


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """400 usual messages, then 600 with a wave of spam that the base data does not know."""
    path = tmp_path_factory.mktemp("history") / "history.jsonl"
    write_history(path, sample_history(seed=1, usual=400, wave=600))
    return HistoryFile.checked(path)


@pytest.fixture(scope="module")
def play(tmp_path_factory):
    """Play a history; first models are shared by all of this file."""
    firsts = Backtest(history=None, base=BASE, conditions=CONDITIONS).firsts

    def played(history, model=None, *, conditions=CONDITIONS, watcher=None, base=BASE):
        backtest = Backtest(history=history, base=base, conditions=conditions, firsts=firsts)
        directory = tmp_path_factory.mktemp("replay")
        return backtest.play("it", model or policy(), directory=directory, watcher=watcher or Nobody())

    return played


@pytest.fixture(scope="module")
def caught(history, play):
    return play(history)


def test_a_wave_is_learnt_and_the_first_model_alone_would_have_stayed_behind(history, caught):
    first = next(event for event in caught.events if event.decision is Decision.RETRAIN)
    assert first.message > 400
    assert all(history.first_at < event.at <= history.last_at + timedelta(seconds=1) for event in caught.events)
    assert caught.count(Decision.PROMOTE) >= 1
    assert mean_f1(caught.windows[-1:]) > mean_f1(caught.fixed[-1:]) + 0.05


def test_before_the_first_promotion_both_are_the_same_model(caught):
    promoted = next(event.message for event in caught.events if event.decision is Decision.PROMOTE)
    before = sum(window.start + window.messages <= promoted for window in caught.windows)
    assert before > 0
    assert caught.windows[:before] == caught.fixed[:before]


def test_the_same_seed_gives_the_same_story(history, play, caught):
    assert play(history) == caught


@pytest.fixture(scope="module")
def idle(history, play):
    """A policy that may start nothing."""
    watcher = Nobody()
    played = play(history, policy(triggers=IDLE), watcher=watcher)
    assert watcher.messages == 1000
    return played


def test_a_policy_that_may_do_nothing_does_nothing(idle):
    assert idle.events == ()
    assert idle.windows == idle.fixed


def test_another_seed_draws_other_labels(history, play, idle):
    assert play(history, policy(triggers=IDLE), conditions=replace(CONDITIONS, seed=1)).labels != idle.labels


def test_labels_that_come_too_late_start_no_run(history, play):
    late = play(history, conditions=replace(CONDITIONS, label_delay=timedelta(days=30)))
    assert (late.labels, late.events) == (0, ())


def test_a_first_model_needs_nobody_to_approve_it(history, play):
    waiting = policy(promotion={"approval": "Manual"}, triggers=IDLE, training=QUICK | {"seed": 3})
    assert len(play(history, waiting).windows) == 10


def test_a_schedule_comes_due_in_the_middle_of_a_silence(tmp_path, play, history):
    rows = list(history.read())[:300]
    path = tmp_path / "night.jsonl"
    silent = [*rows[:150], *(replace(row, at=row.at + timedelta(days=1)) for row in rows[150:])]
    write_history(path, silent)
    nightly = policy(triggers={"schedule": {"cron": "30 14 * * *"}})
    [run, *_] = play(HistoryFile.checked(path), nightly).events
    assert (run.reason, run.message, f"{run.at:%F %R}") == (Reason.SCHEDULE_DUE, 150, "2026-01-05 14:30")


def test_a_history_with_an_audit_sample_is_measured_by_it_alone(tmp_path, play, history):
    rows = list(history.read())[:400]
    path = tmp_path / "audited.jsonl"
    write_history(
        path,
        [
            replace(row, audit_probability=0.25 if n % 4 == 0 else None, label=row.label if n % 2 == 0 else None)
            for n, row in enumerate(rows)
        ],
    )
    audited = play(HistoryFile.checked(path), policy(monitoring={"audit": {"rate": "0.5"}}))
    assert audited.labels == 200 - sum(row.at > rows[-1].at - CONDITIONS.label_delay for row in rows[::2])


def test_a_base_from_which_no_model_is_good_enough_is_said(history, play):
    with pytest.raises(AutoRetrainError, match="no first model could be made of the base data: BelowFloors"):
        play(
            history,
            policy(
                promotion={"minF1": "0.999"}, triggers={"breaker": {"maxConsecutive": 1}}, training=QUICK | {"seed": 7}
            ),
        )


def test_a_message_of_the_same_moment_as_a_promotion_belongs_to_the_new_model(tmp_path, play, history):
    first = next(history.read()).at
    path = tmp_path / "burst.jsonl"
    write_history(path, [RecordedMessage(at=first, text=row.text, label=row.label) for row in history.read()])
    burst = play(HistoryFile.checked(path), conditions=replace(CONDITIONS, label_delay=timedelta(0)))
    assert burst.count(Decision.PROMOTE) >= 1
    assert mean_f1(burst.windows[-1:]) > mean_f1(burst.fixed[-1:])
