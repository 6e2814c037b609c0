"""The schedule's process outlives what a pass stumbles over."""

from datetime import timedelta

from structlog.testing import capture_logs

from autoretrain.app import scheduling
from autoretrain.app.local import utc_now
from autoretrain.domain.errors import StoreUnavailable


class BrokenWorld:
    def gather(self, now):
        raise StoreUnavailable("the store is locked")


def test_a_pass_that_fails_is_logged_and_made_again_soon():
    before = utc_now()
    with capture_logs() as logs:
        wake = scheduling.pass_and_next_wake(BrokenWorld())
    assert timedelta(0) < wake - before <= timedelta(seconds=scheduling.RETRY_SECONDS + 5)
    assert [(entry["log_level"], entry["error"]) for entry in logs] == [("warning", "the store is locked")]
