"""Which fields an installed definition lacks, whatever its age."""

import copy

import pytest

from autoretrain.adapters import crd
from controller.schema_check import missing_fields


@pytest.fixture
def installed():
    return copy.deepcopy(dict(crd.resource_schema()))


def fields_of(schema, *path):
    for name in path:
        schema = schema["properties"][name] if name != "[]" else schema["items"]
    return schema["properties"]


def test_the_definition_of_this_version_lacks_nothing(installed):
    assert missing_fields(installed) == ()


def test_a_newer_definition_that_knows_more_lacks_nothing(installed):
    fields_of(installed, "spec")["fromTheFuture"] = {"type": "object", "properties": {"x": {"type": "string"}}}
    fields_of(installed, "status")["fromTheFuture"] = {"type": "integer"}
    assert missing_fields(installed) == ()


def test_each_field_that_an_older_definition_lacks_is_named_by_its_path(installed):
    del fields_of(installed, "status")["guard"]
    del fields_of(installed, "spec", "triggers")["drift"]
    del fields_of(installed, "status", "conditions", "[]")["reason"]
    assert sorted(missing_fields(installed)) == ["spec.triggers.drift", "status.conditions[].reason", "status.guard"]


def test_a_part_that_is_not_there_is_named_once_and_not_with_all_that_is_in_it(installed):
    del installed["properties"]["status"]
    assert missing_fields(installed) == ("status",)


def test_a_definition_that_keeps_what_it_does_not_know_lacks_nothing(installed):
    installed["properties"]["status"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    assert missing_fields(installed) == ()


def test_what_the_server_writes_itself_is_not_asked_of_a_definition(installed):
    for name in ("apiVersion", "kind", "metadata"):
        installed["properties"].pop(name, None)
    assert missing_fields(installed) == ()


def test_no_schema_at_all_lacks_everything():
    assert missing_fields({}) == ("spec", "status")
