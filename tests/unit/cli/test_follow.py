"""How a verb that is followed ends: by what answered it, or by how the run ended that it started."""

from contextlib import contextmanager
from dataclasses import dataclass, replace

from autoretrain.cli.verbs import follow
from autoretrain.domain.status import HandledRequests, HistoryEntry, Status
from tests.unit.decide.builders import NOW, run

RETRAIN, ALERT, HOLD = (
    HistoryEntry(at=NOW, decision=decision, reason="Reason", message="why") for decision in ("RETRAIN", "ALERT", "HOLD")
)
ROLLED_BACK = HandledRequests(rollback="token")
RETRAINED = HandledRequests(retrain="token")


@dataclass
class Scripted:
    """A model whose status is another one at each look."""

    looks: list[Status]
    key: str = "default.sms-spam"
    pause_seconds: float = 0.0

    @contextmanager
    def following(self, _purpose: str):
        yield lambda: self.looks.pop(0)


def followed(command: str, *looks: Status) -> int:
    return follow(Scripted(list(looks)), command=command, changes={command: "token"}, before=Status())


def test_a_refused_verb_has_failed_whatever_is_decided_while_a_run_ends():
    refused = Status(handled=ROLLED_BACK, history=(ALERT,), active_run=run())
    assert followed("rollback", refused, replace(refused, history=(ALERT, HOLD), active_run=None)) == 1


def test_an_obeyed_verb_has_not_failed_by_an_alert_that_comes_later():
    obeyed = Status(handled=ROLLED_BACK, history=(HOLD,), active_run=run())
    assert followed("rollback", obeyed, replace(obeyed, history=(HOLD, ALERT), active_run=None)) == 0


def test_a_run_that_was_asked_for_and_fails_has_failed():
    started = Status(handled=RETRAINED, history=(RETRAIN,), active_run=run())
    assert followed("retrain", started, replace(started, history=(RETRAIN, ALERT), active_run=None)) == 1


def test_what_was_alerted_before_the_request_was_seen_is_not_its_answer():
    unseen = Status(history=(ALERT,))
    assert followed("rollback", unseen, Status(handled=ROLLED_BACK, history=(ALERT, HOLD))) == 0
