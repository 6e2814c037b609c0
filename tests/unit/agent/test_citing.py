"""Answers that rest on decisions name them, and a question about one version is answered about that version."""

import pytest

from autoretrain.domain.plan import Decision
from autoretrain.domain.reasons import Reason
from tests.unit.agent.test_agent import ask, decided


def kept(sequence, decision, reason, message):
    return {**decided(decision, reason, message), "sequence": sequence}


LEDGER = (
    kept(14, Decision.PROMOTE, Reason.BETTER_ON_RECENT_ROWS, "candidate 12: gains 4 points"),
    kept(15, Decision.NO_ACTION, Reason.ROLLOUT_COMPLETE, "version 12 is served"),
    kept(17, Decision.ROLLBACK, Reason.SPAM_SHARE_TOO_HIGH, "0.8; going back from version 12 to version 11"),
    kept(18, Decision.REJECT, Reason.NO_GAIN, "candidate 13: no gain"),
    kept(21, Decision.ROLLBACK, Reason.ROLLBACK_REQUESTED, "asked; going back from version 14 to version 11"),
    kept(22, Decision.ALERT, Reason.NO_NEW_DATA, "label more"),
    kept(23, Decision.ALERT, Reason.NO_NEW_DATA, "label more"),
)


@pytest.mark.parametrize(
    "question",
    [
        "why was version 12 rolled back?",
        "Why did v12 go back?",
        "why did you roll version 12 back",
        "WHAT HAPPENED AT THE ROLLBACK OF VERSION 12",
    ],
)
def test_tells_of_the_version_that_is_asked_about_and_names_the_decision(question):
    assert ask(question, decisions=LEDGER) == (
        "2026-11-23 19:30:00 UTC: ROLLBACK (SpamShareTooHigh). 0.8; going back from version 12 to version 11. "
        "(decision 17)"
    )


def test_says_that_a_version_was_not_rolled_back_and_what_is_kept_about_it():
    told = ask("why was version 13 rolled back?", decisions=LEDGER).splitlines()
    assert told[0] == "Version 13 was not rolled back in the decisions that are kept."
    assert told[1].endswith("candidate 13: no gain. (decision 18)")


def test_the_version_that_was_gone_back_to_was_not_rolled_back():
    assert ask("why was version 11 rolled back?", decisions=LEDGER).startswith("Version 11 was not rolled back")


@pytest.mark.parametrize(
    "question", ["why was version 99 rolled back?", "why was v99 promoted", "what about version 99?"]
)
def test_says_when_nothing_is_kept_about_a_version(question):
    assert ask(question, decisions=LEDGER).endswith("No decision that is kept is about version 99.")


def test_tells_all_of_a_version_where_nothing_else_is_asked():
    told = ask("version 12?", decisions=LEDGER).splitlines()
    assert [line.rpartition(" (")[2] for line in told] == ["decision 14)", "decision 15)", "decision 17)"]


def test_tells_why_a_version_was_promoted():
    assert ask("why was version 12 promoted?", decisions=LEDGER).endswith("gains 4 points. (decision 14)")


def test_repetitions_are_told_once_with_their_numbers():
    assert ask("What happened lately?", decisions=LEDGER).splitlines()[-1].endswith("label more. (decisions 22 to 23)")


def test_live_quality_of_a_version_that_is_not_served_is_not_made_up():
    told = ask("how good is version 12?")
    assert told.startswith("Version 12 is not served, and only what is served is measured live.\n")
    assert not ask("how good is version 3?").startswith("Version 3 is not served")
