"""Does every object that the chart renders fit the schemas of the Kubernetes versions that it says it supports?"""

import functools
import json
from typing import Any

import kubernetes_validate
import pytest

from tests.chart.rendering import ALL, SYSTEM, needs_helm, objects_of

pytestmark = needs_helm

VERSIONS = ["1.31", "1.32", "1.33", "1.34"]
NOT_OF_KUBERNETES = {"PodMonitor", "PrometheusRule", "ServiceMonitor"}
"""Kinds of the Prometheus operator, whose schemas are not at hand."""


@pytest.fixture(autouse=True)
def schemas_read_once(monkeypatch):
    """The library reads a megabyte of definitions for each object, which is most of the time."""
    utils = kubernetes_validate.utils
    monkeypatch.setattr(utils, "schema_contents", functools.cache(utils.schema_contents))


def rendered() -> list[dict[str, Any]]:
    """Each different object of all the values, once."""
    texts = {json.dumps(each) for values in ALL for each in objects_of(values).values()}
    return [json.loads(text) for text in sorted(texts)]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_fits_its_schema(version: str):
    found: list[str] = []
    for document in (each for each in rendered() if each["kind"] not in NOT_OF_KUBERNETES):
        try:
            used = kubernetes_validate.validate(document, version, strict=True)
            assert used == version, "the library would take the schemas of an older version"
        except kubernetes_validate.ValidationError as error:
            where = "/".join(map(str, error.path))
            found.append(f"{document['kind']} {document['metadata']['name']}: {where}: {error.message}")
    assert found == []


def test_what_is_passed_over_is_there_and_is_somebody_elses():
    groups = {each["apiVersion"] for each in rendered() if each["kind"] in NOT_OF_KUBERNETES}
    assert groups == {"monitoring.coreos.com/v1"}


def test_a_field_that_does_not_exist_would_be_found():
    deployment = objects_of()[f"Deployment/{SYSTEM}/autoretrain-controller"]
    wrong = deployment | {"spec": deployment["spec"] | {"replcias": 2}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replcias"):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)
