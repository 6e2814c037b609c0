"""What do the statuses say of each SpamModel, as metrics?

They are read at each scrape, so that nothing is shown of a model that is gone.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from controller.cluster import Object

FAMILIES: Final = {
    "autoretrain_controller_condition_info": ("Conditions as they are.", ("condition", "status", "reason")),
    "autoretrain_controller_notice_info": ("What people were told and still holds.", ("event", "reason")),
    "autoretrain_controller_failed_runs": ("Failed training runs in a row.", ()),
    "autoretrain_controller_last_decision_timestamp_seconds": (
        "When each decision was last made, of those that the status remembers.",
        ("decision",),
    ),
}
"""Name -> what it shows, and its labels beside `spammodel`."""


class ModelCollector(Collector):
    """Shows the status of each of `documents`, which are SpamModels as the API has them."""

    def __init__(self) -> None:
        self.documents: Iterable[Object] = ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families = {
            name: GaugeMetricFamily(name, text, labels=("spammodel", *labels))
            for name, (text, labels) in FAMILIES.items()
        }
        for document in self.documents:
            key = f"{document['metadata']['namespace']}.{document['metadata']['name']}"
            try:
                samples = tuple(_samples(document.get("status") or {}))
            except (KeyError, TypeError, ValueError):
                continue  # Somebody wrote a status by hand: that may not hide the other models.
            for name, labels, value in samples:
                families[name].add_metric((key, *labels), value)
        yield from families.values()


def _samples(status: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...], float]]:
    """Return name, labels and value of each series; no two have the same name and labels."""
    conditions, notices, failed_runs, last_decision = FAMILIES
    for each in status.get("conditions", ()):
        yield conditions, (each["type"], each["status"], each["reason"]), 1.0
    for each in status.get("notices", ()):
        yield notices, (each["event"], each["reason"]), 1.0
    yield failed_runs, (), float(status.get("failures", 0))
    times = {each["decision"]: each["time"] for each in status.get("history", ())}  # newest last
    for decision, time in times.items():
        yield last_decision, (decision,), datetime.fromisoformat(time).timestamp()
