"""The schedule's process outlives what a pass stumbles over."""

from datetime import timedelta

from structlog.testing import capture_logs

from autoretrain.app import scheduling
from autoretrain.app.local import utc_now
from autoretrain.app.passes import PassResult
from autoretrain.decide.transition import decide
from autoretrain.domain.errors import StoreUnavailable
from tests.unit.decide.builders import quiet


class BrokenWorld:
    def gather(self, now):
        raise StoreUnavailable("the store is locked")


def test_what_is_past_its_retention_goes_also_where_only_the_schedule_is_watched(monkeypatch):
    tidied = []

    class World:
        def tidy_when_due(self, now):
            tidied.append(now)

    seen = quiet()
    passed = PassResult(observation=seen, plan=decide(seen), outcomes=(), status=seen.status)
    monkeypatch.setattr(scheduling, "run_pass", lambda _world, _now: passed)
    scheduling.pass_and_next_wake(World())
    assert len(tidied) == 1


def test_a_pass_that_fails_is_logged_and_made_again_soon():
    before = utc_now()
    with capture_logs() as logs:
        wake = scheduling.pass_and_next_wake(BrokenWorld())
    assert timedelta(0) < wake - before <= timedelta(seconds=scheduling.RETRY_SECONDS + 5)
    assert [(entry["log_level"], entry["error"]) for entry in logs] == [("warning", "the store is locked")]
