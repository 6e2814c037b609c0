"""Every document of the table is refused where the table says, in the words that it says."""

import copy
import random

import pytest

from autoretrain.adapters.spammodel import parse_spam_model
from autoretrain.domain.errors import InvalidSpec, Problem
from tests.spec_cases import VALID, Case, load_cases

CASES = load_cases()


def problems_of(document) -> tuple[Problem, ...]:
    with pytest.raises(InvalidSpec) as refused:
        parse_spam_model(document, uid="u", generation=1)
    return refused.value.problems


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_refuses(case: Case):
    found = problems_of(case.document)
    assert [problem for problem in found if problem.path == case.path and case.says in problem.message], found


def test_the_document_that_the_cases_break_is_valid():
    assert parse_spam_model(copy.deepcopy(VALID), uid="u", generation=1).name == "sms-spam"


def test_the_table_is_large_and_names_no_case_twice():
    assert len({case.name for case in CASES}) == len(CASES) >= 40


def test_reports_everything_at_once():
    document = copy.deepcopy(VALID)
    document["spec"] |= {
        "tigers": {},
        "triggers": {"drift": {"threshold": 0.15, "mode": False}, "maxRunsPerDay": "4"},
        "promotion": {"alpha": ".05"},
        "monitoring": {"window": {"size": 100}},
    }
    assert problems_of(document) == (
        Problem("spec.tigers", 'unknown field "spec.tigers"; did you mean triggers?'),
        Problem(
            "spec.promotion.alpha",
            """Invalid value: ".05": should match '^[0-9]{1,3}(\\.[0-9]{1,6})?$'; write it as "0.05\"""",
        ),
        Problem(
            "spec.triggers.drift.mode",
            'Invalid value: "boolean": must be of type string; '
            "YAML reads the words on, yes, off and no as true and false: write it in quotes",
        ),
        Problem(
            "spec.triggers.drift.threshold",
            'Invalid value: "number": must be of type string; write it in quotes: "0.15"',
        ),
        Problem(
            "spec.triggers.maxRunsPerDay",
            'Invalid value: "string": must be of type integer; write it without quotes: 4',
        ),
        Problem("spec.monitoring.window.minSamples", "must not be above size, or no window is ever large enough"),
    )


def test_says_which_kind_of_document_it_wants():
    assert problems_of({"apiVersion": "autoretrain.dev/v1", "kind": "Spam", "metadata": {}}) == (
        Problem("apiVersion", 'must be "autoretrain.dev/v1alpha1"'),
        Problem("kind", 'must be "SpamModel"'),
        Problem("metadata.name", "Required value"),
        Problem("spec", "Required value"),
    )


def test_an_unusual_shape_anywhere_is_refused_and_never_crashes():
    chance = random.Random(20)
    values = (None, 0, -1, 2.5, "", "x", True, [], {}, [None], {"name": None}, "a" * 3000, 10**12)
    outcomes = []
    for _ in range(120):
        document = copy.deepcopy(parse_ready_document())
        parent, key = chance.choice(list(places(document)))
        parent[key] = copy.deepcopy(chance.choice(values))
        try:
            parse_spam_model(document, uid="u", generation=1)
            outcomes.append("accepted")
        except InvalidSpec:
            outcomes.append("refused")
    assert outcomes.count("refused") > 60
    assert "accepted" in outcomes


def parse_ready_document():
    return VALID | {
        "spec": VALID["spec"]
        | {
            "triggers": {"schedule": {"cron": "@weekly", "timeZone": "Etc/UTC"}, "drift": {"threshold": "0.2"}},
            "training": {"algorithms": [{"name": "LinearSVM", "parameters": {"C": ["1"]}}]},
            "serving": {"experiment": {"mode": "AB", "version": "2", "percent": 5}},
        }
    }


def places(value):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield value, key
        yield from places(child)
