"""Are the Grafana dashboards whole: valid queries of metrics that exist, units, words, links that lead somewhere?"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import make_dashboards
from tests.chart.asked import (
    ALERTS,
    DASHBOARDS,
    RUNBOOKS,
    dashboard_queries,
    known_series,
    metrics_in,
    needs_promtool,
    panels_of,
    variable_selectors,
)
from tests.chart.rendering import CHART, SYSTEM, key_of, needs_helm, objects_of

MOST_BYTES = 2**20
"""What a ConfigMap may hold."""
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
PRESENT = ("--api-versions", "monitoring.coreos.com/v1/PrometheusRule")
every_dashboard = pytest.mark.parametrize("name", DASHBOARDS)


def variables_of(dashboard: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in dashboard["templating"]["list"]}


@pytest.mark.parametrize("path", make_dashboards.render_files(), ids=lambda path: path.name)
def test_a_dashboard_is_what_the_script_writes(path: Path):
    assert path.read_text() == make_dashboards.render_files()[path], "run: python scripts/make_dashboards.py"


def test_every_file_is_written_by_the_script():
    assert set((CHART / "dashboards").iterdir()) == set(make_dashboards.render_files())


@every_dashboard
def test_a_dashboard_can_be_imported_again_over_itself(name: str):
    assert (DASHBOARDS[name]["uid"], DASHBOARDS[name]["id"]) == (f"autoretrain-{name}", None)


@every_dashboard
def test_whoever_opens_it_picks_prometheus_and_models(name: str):
    variables = variables_of(DASHBOARDS[name])
    place = "operator" if name == "controller" else "namespace"
    assert list(variables) == ["datasource", place, "spammodel", "runbooks"]
    asked = [variables[place], variables["spammodel"]]
    assert [each["datasource"] for each in asked] == [SOURCE, SOURCE]
    assert variables["spammodel"]["multi"] == (name != "model")


@every_dashboard
def test_every_panel_says_what_it_shows_and_in_which_unit(name: str):
    for panel in panels_of(DASHBOARDS[name]):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert [panel["datasource"]] * len(panel["targets"]) == [SOURCE for _ in panel["targets"]], panel["title"]


@every_dashboard
def test_panels_have_numbers_of_their_own_and_lie_beside_each_other(name: str):
    panels = DASHBOARDS[name]["panels"]
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24


@every_dashboard
def test_promotions_and_rollbacks_are_drawn_at_their_time(name: str):
    events = {each["name"]: each for each in DASHBOARDS[name]["annotations"]["list"]}
    assert list(events) == ["Promoted", "Rolled back"]
    for event, decision in (("Promoted", "PROMOTE"), ("Rolled back", "ROLLBACK")):
        assert f'decision="{decision}"' in events[event]["expr"]
        assert events[event]["expr"].startswith("1000 * ")  # Grafana wants milliseconds
        assert events[event]["useValueForTime"]


@every_dashboard
def test_it_leads_to_the_others_and_to_the_runbooks(name: str):
    others, runbooks = DASHBOARDS[name]["links"]
    assert (others["type"], others["tags"]) == ("dashboards", DASHBOARDS[name]["tags"])
    assert runbooks["url"] == "${runbooks:raw}"
    assert variables_of(DASHBOARDS[name])["runbooks"]["query"] == str(RUNBOOKS)


def test_every_alert_has_a_panel_that_leads_to_its_runbook_and_every_such_link_an_alert():
    links = {link["url"] for each in DASHBOARDS.values() for panel in panels_of(each) for link in panel["links"]}
    assert links == {f"${{runbooks:raw}}#{alert.lower()}" for alert in ALERTS}


def test_the_links_of_the_table_lead_to_the_dashboard_of_one_model():
    table = next(panel for panel in panels_of(DASHBOARDS["fleet"]) if panel["title"] == "Models")
    (link,) = [
        link
        for override in table["fieldConfig"]["overrides"]
        for each in override["properties"]
        if each["id"] == "links"
        for link in each["value"]
    ]
    assert link["url"].startswith(f"/d/{DASHBOARDS['model']['uid']}?var-spammodel=")


def test_a_rate_is_over_what_grafana_says_so_that_no_scrape_interval_leaves_holes():
    ranges = {found for query in dashboard_queries() for found in re.findall(r"\[([^\]]+)\]", query.text)}
    assert ranges == {"$__rate_interval"}


@pytest.mark.parametrize("query", [*dashboard_queries(), *variable_selectors()], ids=lambda query: query.where)
def test_a_query_asks_for_metrics_that_exist(query):
    asked = metrics_in(query.text)
    assert asked or "ALERTS{" in query.text
    assert asked <= known_series()


@needs_promtool
def test_every_query_is_understood_by_prometheus(tmp_path: Path):
    queries = [*dashboard_queries(), *variable_selectors()]
    rules = [{"record": f"query_{number}", "expr": query.filled()} for number, query in enumerate(queries)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


# In the chart.


def config_maps(values: str = "", *options: str) -> dict[str, dict[str, Any]]:
    documents = objects_of(values, *options).values()
    return {each["metadata"]["name"]: each for each in documents if "autoretrain-grafana-" in key_of(each)}


@needs_helm
def test_the_chart_has_each_dashboard_as_it_is_in_a_config_map_that_a_sidecar_takes():
    found = config_maps("", *PRESENT)
    assert list(found) == [f"autoretrain-grafana-{name}" for name in DASHBOARDS]
    for name, dashboard in DASHBOARDS.items():
        document = found[f"autoretrain-grafana-{name}"]
        assert document["metadata"]["namespace"] == SYSTEM
        assert document["metadata"]["labels"]["grafana_dashboard"] == "1"
        ((file, text),) = document["data"].items()
        assert (file, json.loads(text)) == (f"autoretrain-{name}.json", dashboard)
        assert len(json.dumps(document).encode()) < MOST_BYTES


@needs_helm
def test_dashboards_are_there_where_the_kinds_of_kube_prometheus_stack_are_or_are_asked_for():
    assert config_maps() == {}
    assert len(config_maps("", "--set", "grafanaDashboards.enabled=always")) == len(DASHBOARDS)
    assert config_maps("", *PRESENT, "--set", "grafanaDashboards.enabled=never") == {}


@needs_helm
def test_a_sidecar_of_other_habits_finds_them_and_links_lead_to_where_the_runbooks_are():
    for document in config_maps("full").values():
        assert document["metadata"]["labels"]["grafana_dashboard"] == "yes"
        assert document["metadata"]["annotations"]["grafana_folder"] == "Spam"
        ((_, text),) = document["data"].items()
        runbooks = variables_of(json.loads(text))["runbooks"]
        assert runbooks["query"] == runbooks["current"]["value"] == "https://docs.example.com/how-to/runbooks/"
