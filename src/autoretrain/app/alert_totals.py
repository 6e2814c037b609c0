"""How do the counts of alerts get from the process that sends them to the one that exports metrics? By a file."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeAlias

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector
from pydantic import TypeAdapter, ValidationError

from autoretrain.adapters.alerts import AlertSender
from autoretrain.app.state import write_atomically

AlertTotals: TypeAlias = Mapping[str, Mapping[str, int]]
"""Alerts by kind of channel (Slack, E-Mail) and then by how they ended, since the sender was started."""

_shape: TypeAdapter[dict[str, dict[str, int]]] = TypeAdapter(dict[str, dict[str, int]])


def totals_of(sender: AlertSender) -> AlertTotals:
    return {name: asdict(counts) for name, counts in sender.counts_by_channel.items()}


@dataclass(slots=True)
class AlertTotalsFile:
    """Written by the controller whenever a count changed; read by the monitor."""

    path: Path
    _written: AlertTotals | None = field(default=None)

    def write(self, totals: AlertTotals) -> None:
        if totals != self._written:
            write_atomically(self.path, json.dumps(totals))
            self._written = totals

    def read(self) -> AlertTotals:
        """Return the counts; none where nothing was written that can be read."""
        try:
            return _shape.validate_json(self.path.read_bytes())
        except (OSError, ValidationError):
            return {}


class AlertCollector(Collector):
    """Shows `totals`, by model, as the counter that another process keeps; it starts at 0 when that one does."""

    def __init__(self) -> None:
        self.totals: dict[str, AlertTotals] = {}

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(
            "autoretrain_alerts", "Alerts by how they ended.", labels=["spammodel", "channel", "outcome"]
        )
        for key, channels in self.totals.items():
            for channel, outcomes in channels.items():
                for outcome, count in outcomes.items():
                    family.add_metric([key, channel, outcome], count)
        yield family
