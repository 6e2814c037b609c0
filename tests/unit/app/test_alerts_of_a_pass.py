"""From a decision to the people it concerns: one machine's pass, its store, and receivers on loopback."""

import time
from contextlib import contextmanager

import apprise
import pytest

from autoretrain.adapters.alerts import AlertSender
from autoretrain.adapters.settings import Settings
from autoretrain.app.local import LocalWorld, utc_now
from autoretrain.app.passes import run_pass
from autoretrain.domain.deployment import ModelArtefact
from autoretrain.domain.status import ModelRef, Status
from tests.spec_cases import VALID_TEXT
from tests.unit.alerts.receivers import MailServer, WebhookServer, served

# Apprise imports a module that Python 3.13 no longer has, and does without it there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

KEY = "default.sms-spam"
AIM_SECONDS = 5.0
"""From a decision to its delivery; what must not be missed is 60 s."""


class NoRegistry:
    """One that has nothing, and takes every alias."""

    def versions(self):
        return ()

    def set_aliases(self, **_aliases):
        """Forget them."""


@pytest.fixture
def open_world(tmp_path, monkeypatch):
    """Open the model as a process does; each time it is another process on the same state."""
    document = tmp_path / "model.yaml"
    document.write_text(VALID_TEXT)
    monkeypatch.setenv("AUTORETRAIN_SPEC", str(document))
    monkeypatch.setenv("AUTORETRAIN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("AUTORETRAIN_SERVING_PORT", "1")  # nobody listens there
    monkeypatch.setattr(apprise.NotifyBase, "request_rate_per_sec", 0)

    @contextmanager
    def opened(**options):
        world = LocalWorld.open(Settings(), expect_serving=False, **options)
        world._registry = NoRegistry()
        yield world
        world.trainer(world.model()).stop()
        world.close()

    return opened


def ref(version: str) -> ModelRef:
    return ModelRef(version=version, digest=f"sha256:{version}")


def serve_two_versions(world: LocalWorld) -> None:
    """Let version 4 be the champion, and version 3 the one to go back to."""
    for version in ("3", "4"):
        world.store.put_artefact(
            ModelArtefact(
                version=version,
                digest=f"sha256:{version}",
                run_id=f"run-{version}",
                model=b"model",
                reference=b"ref",
                card="{}",
            )
        )
    world.write_status(Status(champion=ref("4"), previous=ref("3"), run_ordinal=1, trained_hash="hash"))


def test_a_rollback_reaches_a_webhook_and_a_mailbox_in_time(open_world):
    with served(WebhookServer()) as webhook, served(MailServer()) as mail:
        sender = AlertSender([f"json://{webhook.address}/", mail.url])
        with open_world(notify=sender.send, dashboard_url="https://spam.example") as world:
            sender.resume(world.store)
            serve_two_versions(world)
            world.state.request(KEY, rollback="token", actor="ann", reason="too many complaints")
            decided = time.monotonic()
            run_pass(world, utc_now())
            while sender.counts.delivered < 2:
                assert time.monotonic() - decided < AIM_SECONDS
                time.sleep(0.01)
            print(f"decision to delivery, webhook and mailbox: {time.monotonic() - decided:.2f} s")
            sequence = world.store.decisions(limit=1)[0]["sequence"]
        sender.close()
    [(title, text)] = webhook.told
    [letter] = mail.letters
    assert (title, letter["Subject"]) == (f"{KEY}: the previous version is put back",) * 2
    assert f"More: https://spam.example/decisions?model={KEY}&id={sequence}" in text
    assert "Done: version 3 is being put back; version 4 is not promoted again" in text
    assert "too many complaints" in letter.get_body(("plain",)).get_content()


def test_a_process_that_was_killed_before_it_told_is_made_up_for_by_the_next(open_world):
    class Killed(BaseException):
        """Nothing of ours catches it, as nothing catches SIGKILL."""

    def killed(_key, _alert):
        raise Killed

    told = []
    with open_world(notify=killed) as world, pytest.raises(Killed):
        run_pass(world, utc_now())
    with open_world(notify=lambda _key, alert: told.append(alert)) as successor:
        run_pass(successor, utc_now())
        run_pass(successor, utc_now())
    assert [alert.event for alert in told] == ["Retraining"]
    assert told[0].id


def test_a_process_that_starts_again_tells_nothing_twice(open_world):
    with served(WebhookServer()) as webhook:
        for _ in range(3):
            sender = AlertSender([f"json://{webhook.address}/"], group_seconds=0.0)
            with open_world(notify=sender.send) as world:
                sender.resume(world.store)
                run_pass(world, utc_now())
                sender.close(timeout=10)
        assert [title for title, _ in webhook.told] == [f"{KEY}: a training run started"]


def test_an_alert_names_its_decision_by_the_ledger_s_number(open_world):
    told = []
    with open_world(notify=lambda _key, alert: told.append(alert.see)) as world:
        run_pass(world, utc_now())
        [record] = world.store.decisions(limit=5)
    assert told == [f"autoretrain explain sms-spam --decision {record['sequence']}"]
