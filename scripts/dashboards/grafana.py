"""How does Grafana want a dashboard? Panels as they are thought of become the JSON of its classic schema.

What the dashboards show is in make_dashboards.py.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final

RUNBOOKS: Final = "docs/how-to/runbooks.md"
"""The chart puts its value `runbooksUrl` in place of it."""
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS: Final = 24
HEIGHTS: Final = {"stat": 4, "timeseries": 8, "table": 9}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. `queries` are PromQL by legend.

    In a table each query is a column by the title of its legend, or, where that is '', gives labels alone; rows are
    joined by the labels that they share. `unit` is one of Grafana's, and `columns` has those of a table's columns.
    `alerts` are those whose runbooks the panel links to. `bad_above` colours a stat whose value is greater. `names`
    shows the legend of a stat in place of its value.
    """

    title: str
    description: str
    queries: dict[str, str]
    _: KW_ONLY
    kind: str = "timeseries"
    width: int = 8
    unit: str = "short"
    columns: dict[str, str] = field(default_factory=dict)
    alerts: Sequence[str] = ()
    bad_above: float | None = None
    names: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What a person picks from: the values of `label` in the series of `selector`. `several` of them: all at first."""

    name: str
    label: str
    selector: str
    several: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """`rows` are panels by the title above them; `events` the PromQL of an annotation's times in ms by its name."""

    name: str
    title: str
    description: str
    variables: Sequence[Variable]
    events: dict[str, str]
    rows: dict[str, Sequence[Panel]]


def render(dashboard: Dashboard) -> str:
    """Return the text of a file that Grafana imports, or its sidecar takes."""
    document = {
        "uid": f"autoretrain-{dashboard.name}",
        "id": None,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["autoretrain"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "",
        "links": _links(),
        "annotations": {"list": [_annotation(name, query) for name, query in dashboard.events.items()]},
        "templating": {"list": list(_variables(dashboard.variables))},
        "panels": list(_panels(dashboard.rows)),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _links() -> list[Json]:
    to_each_other = {"type": "dashboards", "title": "AutoRetrain", "tags": ["autoretrain"], "keepTime": True}
    to_runbooks = {"type": "link", "title": "Runbooks", "icon": "doc", "url": "${runbooks:raw}", "targetBlank": True}
    return [{**to_each_other, "asDropdown": False, "includeVars": True}, to_runbooks]


def _annotation(name: str, query: str) -> Json:
    return {
        "name": name,
        "datasource": SOURCE,
        "enable": True,
        "expr": query,
        "step": "60s",
        "titleFormat": name,
        "textFormat": "{{spammodel}}",
        "useValueForTime": True,
        "iconColor": "orange" if name == "Rolled back" else "blue",
    }


def _variables(variables: Sequence[Variable]) -> Iterator[Json]:
    yield {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus"}
    for each in variables:
        yield {
            "type": "query",
            "name": each.name,
            "datasource": SOURCE,
            "query": {"query": f"label_values({each.selector}, {each.label})", "refId": each.name},
            "refresh": 2,
            "sort": 1,
            "multi": each.several,
            "includeAll": each.several,
            **({"current": {"text": ["All"], "value": ["$__all"]}} if each.several else {}),
        }
    chosen = {"text": RUNBOOKS, "value": RUNBOOKS}
    yield {"type": "textbox", "name": "runbooks", "label": "Runbooks at", "query": RUNBOOKS, "current": chosen}


def _panels(rows: dict[str, Sequence[Panel]]) -> Iterator[Json]:
    """Put panels beside each other while the line has place, and give each a number of its own."""
    number, x, y = 0, 0, 0
    for title, panels in rows.items():
        number += 1
        place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": place}
        x, y, height = 0, y + 1, 0
        for panel in panels:
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            number += 1
            place = {"x": x, "y": y, "w": panel.width, "h": HEIGHTS[panel.kind]}
            x, height = x + panel.width, max(height, HEIGHTS[panel.kind])
            yield {"id": number, **_panel(panel), "gridPos": place}
        y += height


def _panel(panel: Panel) -> Json:
    instant = panel.kind != "timeseries"
    shape = {"stat": _stat, "timeseries": _timeseries, "table": _table}[panel.kind](panel)
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": SOURCE,
                "expr": query,
                "legendFormat": legend,
                "instant": instant,
                "range": not instant,
                **({"format": "table"} if panel.kind == "table" else {}),
            }
            for number, (legend, query) in enumerate(panel.queries.items())
        ],
        "links": [
            {"title": f"Runbook: {alert}", "url": f"${{runbooks:raw}}#{alert.lower()}", "targetBlank": True}
            for alert in panel.alerts
        ],
        **shape,
    }


def _timeseries(panel: Panel) -> Json:
    custom = {"fillOpacity": 8, "showPoints": "never", "spanNulls": False}
    return {
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "custom": custom}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def _stat(panel: Panel) -> Json:
    steps: list[Json] = [{"color": "blue" if panel.bad_above is None else "green", "value": None}]
    if panel.bad_above is not None:
        # A step begins at its value, and so much more than what is well is bad.
        steps.append({"color": "red", "value": panel.bad_above + 1e-9})
    defaults = {"unit": panel.unit, "noValue": "none", "thresholds": {"mode": "absolute", "steps": steps}}
    return {
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "reduceOptions": {"calcs": ["lastNotNull"], "values": False},
            "textMode": "name" if panel.names else "auto",
            "colorMode": "value",
            "graphMode": "none",
        },
    }


def _table(panel: Panel) -> Json:
    link = {"title": "This model", "url": "/d/autoretrain-model?var-spammodel=${__value.raw}&${__url_time_range}"}
    units = [_override(name, "unit", unit) for name, unit in panel.columns.items()]
    # Where there is one query only, Grafana gives its column no letter.
    letters = [f"Value #{chr(ord('A') + number)}" for number in range(len(panel.queries))]
    values = dict(zip(letters if len(letters) > 1 else ["Value"], panel.queries, strict=True))
    hidden = {"Time": True} | {value: True for value, title in values.items() if not title}
    shown = {value: title for value, title in values.items() if title}
    titles = {"spammodel": "Model", "version": "Champion", **shown}
    return {
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": [*units, _override("Model", "links", [link])]},
        "options": {"showHeader": True},
        "transformations": [
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {"excludeByName": hidden, "renameByName": titles}},
        ],
    }


def _override(column: str, what: str, value: object) -> Json:
    return {"matcher": {"id": "byName", "options": column}, "properties": [{"id": what, "value": value}]}
