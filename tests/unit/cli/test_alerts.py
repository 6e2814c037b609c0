"""`autoretrain alerts test` says of each address whether it works: from here, or from a cluster's monitor."""

import threading
from collections.abc import Iterator

import apprise
import pytest
from prometheus_client import CollectorRegistry

from autoretrain.adapters.alerts import Trial
from autoretrain.app import monitor_http
from autoretrain.cli.main import main
from tests.spec_cases import VALID_TEXT
from tests.unit.alerts.receivers import WebhookServer, nobody, served

# Apprise imports a module that Python 3.13 no longer has, and does without it there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

HERE = ["sms-spam", "--namespace", "spam"]


@pytest.fixture
def urls(tmp_path, monkeypatch):
    """This machine's document, and a file of addresses to write."""
    document = tmp_path / "model.yaml"
    document.write_text(VALID_TEXT)
    monkeypatch.setenv("AUTORETRAIN_SPEC", str(document))
    monkeypatch.setenv("AUTORETRAIN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(apprise.NotifyBase, "request_rate_per_sec", 0)
    file = tmp_path / "urls"
    monkeypatch.setenv("AUTORETRAIN_ALERT_URLS_FILE", str(file))
    return file


@pytest.fixture
def monitor(cluster) -> Iterator[list[Trial]]:
    """A monitor on this machine that the fake kubectl says it forwards to; what it answers is in the list."""
    trials: list[Trial] = []
    server = monitor_http.serve(CollectorRegistry(), host="127.0.0.1", port=0, take=print, test=lambda: trials)
    cluster.change(serving=f"127.0.0.1:{server.server_port}")
    yield trials
    server.shutdown()
    server.server_close()


def test_an_address_that_works_and_one_that_does_not_are_told_by_their_kind(urls, capsys):
    with served(WebhookServer()) as webhook:
        urls.write_text(f"json://{webhook.address}/sesame\nxml://{nobody()}/sesame\n")
        assert main(["alerts", "test"]) == 1
    assert [title for title, _ in webhook.told] == ["default.sms-spam: a test of alerts"]
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("JSON: delivered in ")
    assert second == "XML: not delivered: no connection, or no whole answer in time"


def test_where_every_address_works_it_ends_well(urls):
    with served(WebhookServer()) as webhook:
        urls.write_text(f"json://{webhook.address}/\n")
        assert main(["alerts", "test"]) == 0


def test_without_an_address_it_says_so_and_fails(urls, capsys):
    urls.write_text("# nobody yet\n")
    assert main(["alerts", "test"]) == 1
    assert capsys.readouterr().out.startswith("There is no address to send alerts to")


def test_on_a_cluster_the_monitor_tests_its_addresses(monitor, cluster, capsys):
    monitor.append(Trial(service="Slack", delivered=True, seconds=0.25, reason=""))
    monitor.append(Trial(service="E-Mail", delivered=False, seconds=8.0, reason="it was not taken"))
    assert main(["alerts", "test", *HERE]) == 1
    assert capsys.readouterr().out == "Slack: delivered in 0.2 s\nE-Mail: not delivered: it was not taken\n"


def test_what_a_monitor_says_can_not_steer_the_terminal(monitor, capsys):
    monitor.append(Trial(service="Slack\x1b[2J", delivered=False, seconds=0.1, reason="\x1b]0;a title\x07"))
    assert main(["alerts", "test", *HERE]) == 1
    assert capsys.readouterr().out == "Slack [2J: not delivered:  ]0;a title \n"


def test_a_monitor_that_knows_of_no_test_is_said_to_be_old(cluster, capsys):
    server = monitor_http.serve(CollectorRegistry(), host="127.0.0.1", port=0, take=print)
    cluster.change(serving=f"127.0.0.1:{server.server_port}")
    assert main(["alerts", "test", *HERE]) == 1
    assert "it may be of an older release" in capsys.readouterr().err
    server.shutdown()
    server.server_close()


def test_a_monitor_that_is_not_there_is_an_error_and_no_trace(cluster, capsys):
    cluster.change(serving=nobody())
    assert main(["alerts", "test", *HERE]) == 1
    assert "the monitor gave no answer" in capsys.readouterr().err


def test_two_tests_at_once_are_one_too_many(cluster, capsys):
    began, go_on = threading.Event(), threading.Event()

    def slow():
        began.set()
        go_on.wait(10)
        return ()

    server = monitor_http.serve(CollectorRegistry(), host="127.0.0.1", port=0, take=print, test=slow)
    cluster.change(serving=f"127.0.0.1:{server.server_port}")
    first = threading.Thread(target=main, args=(["alerts", "test", *HERE],))
    first.start()
    assert began.wait(10)
    assert main(["alerts", "test", *HERE]) == 1
    assert "a test is under way" in capsys.readouterr().err
    go_on.set()
    first.join(10)
    server.shutdown()
    server.server_close()
