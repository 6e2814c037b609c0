"""What a valid document means: defaults, records, hash, and what one machine does not use."""

import copy
import dataclasses
import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from autoretrain.adapters import crd
from autoretrain.adapters.records import dump_record, load_record
from autoretrain.adapters.spammodel import (
    CLUSTER_ONLY,
    load_document,
    parse_spam_model,
    render_document,
    unused_here,
)
from autoretrain.domain.errors import InvalidSpec
from autoretrain.domain.spec import (
    AlgorithmSpec,
    Approval,
    Requests,
    SpamModel,
    SpamModelSpec,
    StoredObject,
)
from autoretrain.domain.status import Status
from tests.default_spec import default_spec
from tests.spec_cases import VALID

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "manifests/samples"
MINIMAL, FULL = SAMPLES / "minimal.yaml", SAMPLES / "full.yaml"
DOCUMENTS = [*sorted(SAMPLES.glob("*.yaml")), *sorted((ROOT / "examples").glob("*.yaml"))]

# Fields of the records whose name is not that of the document's field.
NAMED_OTHERWISE = {
    "data.url": "data.http.url",
    "data.path": "data.file.path",
    "monitoring.window_size": "monitoring.window.size",
    "monitoring.min_samples": "monitoring.window.minSamples",
    "monitoring.max_age_seconds": "monitoring.window.maxAgeSeconds",
    "monitoring.audit_rate": "monitoring.audit.rate",
    "triggers.breaker_max_consecutive": "triggers.breaker.maxConsecutive",
    "registered_model_name": "registry.registeredModelName",
    "alerts.on": "alerts.events",
}


def parse(spec_changes=(), **changes) -> SpamModel:
    document = copy.deepcopy(VALID)
    document["spec"] |= dict(spec_changes) | changes
    return parse_spam_model(document, uid="u", generation=1)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_every_sample_and_example_is_accepted(path):
    assert parse_spam_model(load_document(path), uid="u", generation=1).name


def test_the_minimal_sample_has_at_most_ten_lines():
    assert len(MINIMAL.read_text().splitlines()) <= 10


def test_the_full_sample_sets_every_field():
    schema = crd.resource_schema()["properties"]["spec"]
    said = set(field_paths(load_document(FULL)["spec"], schema))
    other_choices = {
        "data.s3",
        "data.volume",
        "data.file",
        "serving.httpRoute",
        "serving.podTemplate",
        "monitoring.podTemplate",
        "agent.podTemplate",
        "serving.ingress",
    }
    missing = {
        path
        for path in schema_paths(schema)
        if path not in said and not any(path == other or path.startswith(f"{other}.") for other in other_choices)
    }
    assert missing == {
        "serving.scaling.replicas",
        *(f"training.podTemplate.{field}" for field in ("env.valueFrom", "tolerations.value")),
        "training.podTemplate.tolerations.tolerationSeconds",
        "training.podTemplate.volumes.hostPath",  # named in the definition to be refused with a reason
    }


def field_paths(value, schema, prefix=""):
    for name, child in value.items() if isinstance(value, dict) else ():
        yield f"{prefix}{name}"
        for item in child if isinstance(child, list) else [child]:
            yield from field_paths(item, schema, f"{prefix}{name}.")


def schema_paths(schema, prefix=""):
    for name, child in schema.get("items", schema).get("properties", {}).items():
        yield f"{prefix}{name}"
        yield from schema_paths(child, f"{prefix}{name}.")


def test_the_defaults_are_those_of_the_contract():
    assert parse() == SpamModel(
        name="sms-spam",
        namespace="default",
        uid="u",
        generation=1,
        training_hash=parse().training_hash,
        requests=Requests(),
        spec=default_spec(),
    )


def test_what_the_document_says_wins_over_a_default():
    model = parse_spam_model(load_document(FULL), uid="u", generation=7, requests=Requests(retrain="now"))
    assert (model.key, model.generation, model.requests) == ("spam.sms-spam", 7, Requests(retrain="now"))
    assert model.spec.training.algorithms[0] == AlgorithmSpec(name="NaiveBayes", parameters={"alpha": ["0.03", "0.1"]})
    assert model.spec.triggers.performance.min_f1 == 0.85
    assert model.spec.promotion.approval is Approval.MANUAL
    assert model.spec.alerts.on == {"Promoted", "Rejected", "RolledBack", "Degraded", "NoNewData"}
    assert model.spec.data.label_map == {"0": "ham", "1": "spam"}


def test_an_object_of_a_bucket_is_a_source_of_its_own():
    data = parse(data={"s3": {"bucket": "messages", "key": "a.tsv", "secretRef": {"name": "reader"}}}).spec.data
    assert (data.url, data.path) == (None, None)
    assert data.s3 == StoredObject(bucket="messages", key="a.tsv", endpoint="", region="")


def test_a_decision_that_was_recorded_before_objects_could_be_read_is_still_replayed():
    recorded = dump_record(parse().spec)
    del recorded["data"]["s3"]
    assert load_record(SpamModelSpec, recorded) == parse().spec


def test_a_null_means_that_the_field_was_not_set():
    assert parse(triggers=None, training={"seed": None}, serving={"ingress": None}) == parse()


def test_an_empty_schedule_means_none():
    assert parse(triggers={"schedule": {"cron": ""}}).spec.triggers.schedule.cron == ""


def test_another_image_may_know_other_algorithms():
    training = {"image": "trainer:1", "algorithms": [{"name": "Forest", "parameters": {"trees": ["100"]}}]}
    assert parse(training=training).spec.training.algorithms[0].name == "Forest"


def test_the_status_half_of_a_document_is_not_read():
    assert parse_spam_model({**VALID, "status": {"nonsense": 1}}, uid="u", generation=1) == parse()


def test_filling_in_defaults_gives_no_hold_on_the_definition():
    filled = crd.apply_defaults(VALID, crd.resource_schema())
    filled["spec"]["data"]["labelMap"]["junk"] = "spam"
    filled["spec"]["alerts"]["events"].clear()
    assert parse() == parse_spam_model(VALID, uid="u", generation=1)
    assert "junk" not in parse().spec.data.label_map
    assert parse().spec.alerts.on


def test_parsing_leaves_the_document_as_it_was():
    document = copy.deepcopy(VALID)
    parse_spam_model(document, uid="u", generation=1)
    assert document == VALID


def test_every_field_of_the_records_comes_from_the_definition():
    fields = {NAMED_OTHERWISE.get(path, camel(path)) for path in record_paths(SpamModelSpec)}
    assert fields <= set(schema_paths(crd.resource_schema()["properties"]["spec"]))


def test_every_field_of_the_definition_is_read_here_or_listed_as_a_cluster_s():
    read = {NAMED_OTHERWISE.get(path, camel(path)) for path in record_paths(SpamModelSpec)}
    unread = {
        path
        for path in leaves(crd.resource_schema()["properties"]["spec"])
        if path not in read and not any(path == only or path.startswith(f"{only}.") for only in CLUSTER_ONLY)
    }
    assert unread == set()


def record_paths(record, prefix=""):
    for name, kind in get_type_hints(record).items():
        nested = next((k for k in (kind, *get_args(kind)) if dataclasses.is_dataclass(k)), None)
        if nested is None:
            yield f"{prefix}{name}"
        else:
            yield from record_paths(nested, f"{prefix}{name}.")


def leaves(schema, prefix=""):
    for name, child in schema.get("items", schema).get("properties", {}).items():
        below = list(leaves(child, f"{prefix}{name}."))
        yield from below or [f"{prefix}{name}"]


def camel(path):
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), path)


class TestTrainingHash:
    def test_does_not_depend_on_where_and_for_how_long_it_is_trained(self):
        training = {
            "podTemplate": {"labels": {"a": "b"}},
            "activeDeadlineSeconds": 60,
            "backoffLimit": 0,
            "image": "t:1",
        }
        other = parse(training=training, triggers={"maxRunsPerDay": 1}, serving={"image": "s:2"})
        assert other.training_hash == parse().training_hash

    @pytest.mark.parametrize(
        "changes",
        [
            {"training": {"seed": 1}},
            {"training": {"profile": "Word"}},
            {"training": {"algorithms": [{"name": "LinearSVM"}]}},
            {"training": {"algorithms": [{"name": "LinearSVM", "parameters": {"C": ["1"]}}]}},
            {"data": {"file": {"path": "others.tsv"}}},
            {"data": {"file": {"path": "messages.tsv"}, "sha256": "0" * 64}},
            {"data": {"file": {"path": "messages.tsv"}, "format": "CSV"}},
            {"data": {"http": {"url": "https://example.com/messages.tsv"}}},
            {"data": {"s3": {"bucket": "messages", "key": "messages.tsv"}}},
        ],
        ids=str,
    )
    def test_changes_with_what_a_model_is_made_of(self, changes):
        assert parse(changes).training_hash != parse().training_hash

    def test_a_default_written_out_changes_nothing(self):
        written = {
            "training": {"seed": 0, "profile": "WordAndCharacter"},
            "data": {**VALID["spec"]["data"], "format": "TSV"},
        }
        assert parse(written).training_hash == parse().training_hash

    def test_credentials_and_the_order_of_algorithms_change_nothing(self):
        url = "https://example.com/messages.tsv"
        one = parse(
            data={"http": {"url": url}}, training={"algorithms": [{"name": "NaiveBayes"}, {"name": "LinearSVM"}]}
        )
        other = parse(
            data={"http": {"url": url, "secretRef": {"name": "a", "key": "b"}}},
            training={"algorithms": [{"name": "LinearSVM"}, {"name": "NaiveBayes"}]},
        )
        assert one.training_hash == other.training_hash

    def test_the_login_of_a_bucket_changes_nothing_and_another_object_does(self):
        stored = {"bucket": "messages", "key": "a.tsv"}
        hashes = [
            parse(data={"s3": changed}).training_hash
            for changed in (stored, {**stored, "secretRef": {"name": "reader"}}, {**stored, "key": "b.tsv"})
        ]
        assert hashes[0] == hashes[1] != hashes[2]

    def test_is_stable_over_releases(self):
        """A changed value here retrains every model that is out there."""
        assert parse().training_hash == STABLE_HASH


STABLE_HASH = "f8f3e9e9d0fa62921d3e1ca075d0ff21652de3538e030d3b288fe3b18587762e"


class TestUnusedHere:
    def test_names_what_only_a_cluster_uses(self):
        document = copy.deepcopy(VALID)
        document["spec"] |= {
            "serving": {"scaling": {"replicas": 3}, "ingress": {"host": "spam.example.com"}},
            "store": {"secretRef": {"name": "a", "key": "b"}},
        }
        assert unused_here(document) == ("spec.serving.scaling", "spec.serving.ingress", "spec.store")

    def test_names_the_login_of_a_bucket_and_not_the_bucket(self):
        document = copy.deepcopy(VALID)
        document["spec"]["data"] = {"s3": {"bucket": "messages", "key": "a.tsv", "secretRef": {"name": "reader"}}}
        assert unused_here(document) == ("spec.data.s3.secretRef",)

    def test_a_default_written_out_is_not_named(self):
        document = copy.deepcopy(VALID)
        document["spec"] |= {"serving": {"scaling": {"replicas": 2, "mode": "Fixed"}, "image": ""}, "store": {}}
        assert unused_here(document) == ()


class TestRenderDocument:
    def test_shows_the_whole_resource(self):
        document = {**VALID, "metadata": {"name": "sms-spam", "labels": {"team": "abuse"}}}
        rendered = render_document(document, status=Status(observed_generation=3), uid="u-1", generation=3)
        assert rendered["metadata"] == {
            "namespace": "default",
            "name": "sms-spam",
            "labels": {"team": "abuse"},
            "uid": "u-1",
            "generation": 3,
        }
        assert rendered["spec"] == crd.apply_defaults(VALID, crd.resource_schema())["spec"]
        assert rendered["status"]["observedGeneration"] == 3

    def test_gives_a_document_that_is_accepted_again(self):
        rendered = render_document(VALID, status=Status(), uid="u", generation=1)
        assert parse_spam_model(rendered, uid="u", generation=1) == parse()

    def test_refuses_what_is_not_valid(self):
        with pytest.raises(InvalidSpec):
            render_document({**VALID, "spec": {}}, status=Status(), uid="u", generation=1)


class TestDefinition:
    def test_the_package_ships_the_one_text(self):
        shipped = ROOT / "src/autoretrain/adapters/crd.yaml"
        assert shipped.read_bytes() == (ROOT / "manifests/crd.yaml").read_bytes()

    def test_no_word_that_yaml_takes_for_a_boolean_is_a_name_or_a_value(self):
        traps = {"on", "off", "yes", "no", "y", "n", "true", "false"}
        words = set(words_of(crd.resource_schema()["properties"]["spec"]))
        assert {str(word) for word in words if str(word).lower() in traps} == set()

    def test_every_field_of_the_spec_is_described_or_spoken_for_by_its_object(self):
        undescribed = {path for path, schema in described(crd.resource_schema()["properties"]["spec"]) if not schema}
        assert {path for path in undescribed if ".podTemplate." not in path and ".parentRefs." not in path} == set()

    def test_every_text_and_list_of_the_spec_is_bounded(self):
        assert set(unbounded(crd.resource_schema()["properties"]["spec"])) == set()

    def test_every_duration_says_its_unit(self):
        texts = {
            path: text for path, text in described(crd.resource_schema()["properties"]["spec"]) if "Seconds" in path
        }
        durations = {path: text for path, text in texts.items() if ".podTemplate." not in path}
        assert len(durations) >= 8
        assert {path for path, text in durations.items() if "in seconds" not in text} == set()


def words_of(schema):
    yield from schema.get("properties", {})
    yield from schema.get("enum", [])
    for child in [*schema.get("properties", {}).values(), schema.get("items", {})]:
        if child:
            yield from words_of(child)


def described(schema, prefix=""):
    for name, child in schema.get("items", schema).get("properties", {}).items():
        yield f"{prefix}{name}", child.get("description")
        yield from described(child, f"{prefix}{name}.")


def unbounded(schema, prefix=""):
    limits = {"string": ("maxLength", "enum"), "array": ("maxItems",)}.get(schema.get("type"), ())
    if limits and not any(limit in schema for limit in limits):
        yield prefix
    if isinstance(schema.get("additionalProperties"), dict):
        if "maxProperties" not in schema:
            yield prefix
        yield from unbounded(schema["additionalProperties"], f"{prefix}.*")
    if "items" in schema:
        yield from unbounded(schema["items"], f"{prefix}[]")
    for name, child in schema.get("properties", {}).items():
        yield from unbounded(child, f"{prefix}.{name}")
