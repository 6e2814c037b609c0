"""Counts of alerts travel from the controller, which sends, to the monitor, which exports."""

import pytest

from autoretrain.adapters.settings import Settings
from autoretrain.app.alert_totals import AlertTotalsFile
from autoretrain.app.local import LocalWorld
from autoretrain.app.monitor import Monitor, MonitorMetrics
from tests.spec_cases import VALID_TEXT

TOTALS = {"Slack": {"delivered": 4, "failed": 1, "dropped": 0, "repeated": 2}, "E-Mail": {"delivered": 1}}


def exported(metrics: MonitorMetrics, *, channel: str, outcome: str) -> float | None:
    labels = {"spammodel": "default.sms-spam", "channel": channel, "outcome": outcome}
    return metrics.registry.get_sample_value("autoretrain_alerts_total", labels)


def test_what_was_counted_is_read_as_it_was_written(tmp_path):
    file = AlertTotalsFile(tmp_path / "alerts.json")
    assert file.read() == {}
    file.write(TOTALS)
    assert AlertTotalsFile(tmp_path / "alerts.json").read() == TOTALS


def test_counts_that_did_not_change_are_not_written_again(tmp_path):
    file = AlertTotalsFile(tmp_path / "alerts.json")
    file.write(TOTALS)
    file.path.unlink()
    file.write(TOTALS)
    assert not file.path.exists()
    file.write({"Slack": {"delivered": 5}})
    assert file.read() == {"Slack": {"delivered": 5}}


@pytest.mark.parametrize("text", ["", "[1]", '{"Slack": {"delivered": "many"}}', '{"Slack": 3}'])
def test_a_file_that_can_not_be_read_counts_nothing(tmp_path, text):
    file = AlertTotalsFile(tmp_path / "alerts.json")
    file.path.write_text(text)
    assert file.read() == {}


def test_the_monitor_exports_what_the_controller_sent_by_kind_of_channel(tmp_path, monkeypatch):
    document = tmp_path / "model.yaml"
    document.write_text(VALID_TEXT)
    monkeypatch.setenv("AUTORETRAIN_SPEC", str(document))
    monkeypatch.setenv("AUTORETRAIN_STATE_DIR", str(tmp_path / "state"))
    world = LocalWorld.open(Settings(), expect_serving=False)
    monitor = Monitor(world)
    AlertTotalsFile(world.state.alert_totals).write(TOTALS)
    monitor.publish()
    assert exported(monitor.metrics, channel="Slack", outcome="delivered") == 4
    assert exported(monitor.metrics, channel="Slack", outcome="failed") == 1
    AlertTotalsFile(world.state.alert_totals).write({"Slack": {"delivered": 0}})  # the controller started anew
    monitor.publish()
    assert exported(monitor.metrics, channel="Slack", outcome="delivered") == 0
    assert exported(monitor.metrics, channel="E-Mail", outcome="delivered") is None
    world.close()
