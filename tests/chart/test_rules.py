"""Do the alerts fire when they should, are they quiet when they should be, and does each lead to what to do?"""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.asked import (
    ALERTS,
    RECORDS,
    RULES,
    RUNBOOKS,
    known_series,
    metrics_in,
    needs_promtool,
    sections_of_runbooks,
)
from tests.chart.rendering import ROOT

CASES = sorted((Path(__file__).parent / "rules").glob("*.yml"))
TESTS: list[dict[str, Any]] = [test for path in CASES for test in yaml.safe_load(path.read_text())["tests"]]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)


def wrong(rules: str, alert: str, directory: Path) -> str:
    """What promtool says of the file with the cases of the alert where the rules are these; '' if all is as it says."""
    (path,) = [path for path in CASES if f"alertname: {alert}," in path.read_text()]
    (directory / "rules.yml").write_text(rules)
    cases = directory / "cases.yml"
    cases.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"rule_files": ["rules.yml"]}))
    done = promtool("test", "rules", str(cases))
    return "" if done.returncode == 0 else done.stdout + done.stderr


def cases_of(alert: str, *, stale: bool = False) -> list[bool]:
    """For each case of the alert, whether it is to fire; `stale`: of those in which series end."""
    return [
        bool(case["exp_alerts"])
        for test in TESTS
        if not stale or any("stale" in series["values"] for series in test["input_series"])
        for case in test["alert_rule_test"]
        if case["alertname"] == alert
    ]


@needs_promtool
def test_the_rules_are_valid_and_promtool_has_nothing_to_say_about_them():
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name)
def test_the_alerts_fire_and_are_quiet_as_their_cases_say(path: Path):
    done = promtool("test", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize(
    ("part", "other", "alert"),
    [
        ("ratio_rate5m > 14.4 * 0.001", "ratio_rate5m >= 0", "AutoRetrainErrorBudgetBurnsFast"),
        ("ratio_rate30m > 6 * 0.001", "ratio_rate30m >= 0", "AutoRetrainErrorBudgetBurnsFast"),
        ('reason!="shutdown"', 'reason!=""', "AutoRetrainPredictionsDropped"),
        ("[7d]", "[1d]", "AutoRetrainNobodyLeads"),
        ('reason!="NoChampion"', 'reason!=""', "AutoRetrainModelNotReady"),
        ("[15m])) > 0\n        for: 6h", "[1m])) > 0\n        for: 6h", "AutoRetrainDriftNotActedOn"),
    ],
)
def test_another_rule_would_be_noticed(part: str, other: str, alert: str, tmp_path: Path):
    rules = RULES.read_text()
    assert rules.count(part) == 1
    assert f"alertname: {alert}" in wrong(rules.replace(part, other), alert, tmp_path)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_cases_in_which_it_fires_is_quiet_and_series_end(alert: str):
    assert set(cases_of(alert)) == {True, False}
    assert cases_of(alert, stale=True)


def test_every_case_is_of_an_alert_that_exists():
    assert {case["alertname"] for test in TESTS for case in test["alert_rule_test"]} == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_how_bad_it_is_what_happened_and_where_it_is_written_what_to_do(alert: str):
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert {name for name, text in rule["annotations"].items() if text} == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS}#{alert.lower()}"


def test_the_runbooks_have_a_section_for_each_alert_and_no_other():
    assert sections_of_runbooks() == list(ALERTS)


@pytest.mark.parametrize("name", [*ALERTS, *RECORDS])
def test_a_rule_asks_for_metrics_and_records_that_exist(name: str):
    text = {**ALERTS, **RECORDS}[name]["expr"]
    recorded = {each for each in RECORDS if each in text}
    assert recorded or metrics_in(text)
    assert metrics_in(text) <= known_series()
    assert text.count("namespace_spammodel:") == sum(text.count(f"{each} ") for each in recorded)
