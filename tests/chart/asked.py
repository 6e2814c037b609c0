"""What do the dashboards and the alerts ask Prometheus? Their queries, with what a person picked put in."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoretrain.app.monitor import MonitorMetrics
from autoretrain.serving.metrics import ServingMetrics
from controller.metrics import ControllerMetrics
from tests.chart.rendering import CHART, ROOT

DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((CHART / "dashboards").glob("*.json"))}
RULES = CHART / "files" / "rules.yml"
GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}
RECORDS = {rule["record"]: rule for group in GROUPS for rule in group["rules"] if "record" in rule}
RUNBOOKS = Path("docs/how-to/runbooks.md")
EVERYTHING = {"namespace": ".*", "spammodel": ".*", "operator": ".*", "__rate_interval": "1m"}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not on the PATH; Debian has it in its package prometheus"
)


@dataclass(frozen=True, slots=True)
class Query:
    """`where` says which of them it is, for people."""

    where: str
    text: str

    def filled(self, **picked: str) -> str:
        """PromQL with what was picked in place of Grafana's variables; everything where nothing was."""
        text = self.text
        for name, value in {**EVERYTHING, **picked}.items():
            text = text.replace(f"${name}", value)
        assert "$" not in text, f"{self.where} has a variable that nobody knows: {text}"
        return text


def panels_of(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def dashboard_queries() -> Iterator[Query]:
    """Of panels and of annotations."""
    for name, dashboard in DASHBOARDS.items():
        for panel in panels_of(dashboard):
            for target in panel["targets"]:
                yield Query(f"{name}: {panel['title']}: {target['legendFormat'] or target['refId']}", target["expr"])
        for each in dashboard["annotations"]["list"]:
            yield Query(f"{name}: annotation {each['name']}", each["expr"])


def variable_selectors() -> Iterator[Query]:
    """The series whose labels a person picks from."""
    for name, dashboard in DASHBOARDS.items():
        for each in dashboard["templating"]["list"]:
            if each["type"] == "query":
                asked = re.fullmatch(r"label_values\((.+), \w+\)", each["query"]["query"])
                assert asked, each
                yield Query(f"{name}: variable {each['name']}", asked[1])


def rule_selectors() -> Iterator[Query]:
    """The selectors of each alert and record; of a range those without it."""
    for name, rule in {**ALERTS, **RECORDS}.items():
        for selector in re.findall(r"(?<![\w:])autoretrain_\w+(?:\{[^}]*\})?", rule["expr"]):
            yield Query(f"rule {name}: {selector}", selector)


def metrics_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w:])autoretrain_\w+", text))


def known_series() -> set[str]:
    """Names of all series that serving, monitor and operator can show."""
    registries = (each.registry for each in (MonitorMetrics(), ServingMetrics("team.sms"), ControllerMetrics()))
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    return {
        f"{family.name}{ending}"
        for registry in registries
        for family in registry.collect()
        for ending in endings.get(family.type, ("",))
    }


def sections_of_runbooks() -> list[str]:
    """The second-level headings of the page."""
    return re.findall(r"^## (.+)$", (ROOT / RUNBOOKS).read_text(), re.MULTILINE)
