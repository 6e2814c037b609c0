"""Strings and bytes that want to be more than data: in names, filters, files. Each is refused, or stays what it is."""

import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from autoretrain.adapters import crd
from autoretrain.adapters.spammodel import parse_spam_model
from autoretrain.domain.errors import ArtefactRejected, InvalidSpec
from autoretrain.ml.artefact import digest_of
from autoretrain.ml.drift.references import parse_references
from autoretrain.ml.linear import LinearModel
from controller.prometheus import QUERIES, build_query
from tests.spec_cases import VALID

ROOT = Path(__file__).resolve().parents[3]
STRINGS = {
    "PromQL": 'x"} or vector(1) or up{a="',
    "a regular expression": "x|.+",
    "any character": "a.b",
    "SQL": "x' OR name LIKE '%",
    "a shell": "$(touch /tmp/owned)",
    "another path": "../../etc/passwd",
    "HTML": "<script>alert(1)</script>",
    "a second line": "sms-spam\n",
    "a null": "a\x00b",
    "another namespace": "other/sms-spam",
}
LABEL = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)


@pytest.mark.parametrize("text", STRINGS.values(), ids=STRINGS)
@pytest.mark.parametrize("field", ["name", "namespace"])
def test_a_name_is_never_more_than_a_name(field: str, text: str):
    with pytest.raises(InvalidSpec):
        parse_spam_model(VALID | {"metadata": {"name": "sms-spam", field: text}}, uid="", generation=1)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(LABEL, LABEL), min_size=1, max_size=5))
def test_names_that_are_allowed_add_nothing_to_a_query(keys: list[tuple[str, str]]):
    for namespace, name in keys:
        parse_spam_model(VALID | {"metadata": {"name": name, "namespace": namespace}}, uid="", generation=1)
    selector = r'namespace=~"[a-z0-9|-]+",spammodel=~"([a-z0-9-]+\[\.\][a-z0-9-]+\|?)+"'
    for query, text in QUERIES.items():
        wanted = re.escape(text).replace("MODELS", selector)
        assert re.fullmatch(wanted, build_query(query, keys))


@pytest.mark.parametrize("text", [f"default.{text}" for kind, text in STRINGS.items() if kind != "any character"])
def test_a_registered_name_can_not_widen_the_filter_that_it_stands_in(text: str):
    spec = VALID["spec"] | {"registry": {"registeredModelName": text}}
    with pytest.raises(InvalidSpec, match="registeredModelName"):
        parse_spam_model(VALID | {"spec": spec}, uid="", generation=1)


def fields(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}", child
        yield from fields(child, f"{path}.{name}")
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")


def test_no_field_names_a_secret_a_volume_or_a_config_map_of_another_namespace():
    """A reference without a namespace means the Pod's own, to the API server as well; unknown fields are refused."""
    spec = crd.resource_schema()["properties"]["spec"]
    naming = {path for path, _ in fields(spec, "spec") if path.rsplit(".", 1)[-1].lower().startswith("namespace")}
    # A route asks a Gateway, which says by itself which namespaces it takes routes from.
    assert naming == {"spec.serving.httpRoute.parentRefs[].namespace"}


@pytest.mark.parametrize(
    "reference",
    [
        {"store": {"secretRef": {"name": "database", "key": "url", "namespace": "other"}}},
        {"alerts": {"secretRef": {"name": "people", "namespace": "other"}}},
        {"serving": {"apiKeysSecretRef": {"name": "keys", "namespace": "other"}}},
        {"registry": {"secretRef": {"name": "login", "namespace": "other"}}},
        {"data": {"volume": {"configMap": {"name": "data", "namespace": "other"}, "path": "a"}}},
        {
            "training": {
                "podTemplate": {"volumes": [{"name": "a", "secret": {"secretName": "s", "namespace": "other"}}]}
            }
        },
    ],
    ids=lambda reference: next(iter(reference)),
)
def test_a_reference_into_another_namespace_is_refused(reference: dict[str, Any]):
    spec = {**VALID["spec"], **reference}
    with pytest.raises(InvalidSpec):
        parse_spam_model(VALID | {"spec": spec}, uid="", generation=1)


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_in_place_of_a_model_or_its_references_does_nothing(tmp_path: Path, protocol: int):
    owned = tmp_path / "owned"
    attack = pickle.dumps(Bomb(owned), protocol=protocol)
    for read in (LinearModel.load, lambda data: parse_references(data, threshold=0.5)):
        with pytest.raises(ArtefactRejected):
            read(attack)
    assert not owned.exists()
    pickle.loads(attack)
    assert owned.exists(), "the attack itself works"


def test_a_digest_names_the_bytes_and_nothing_else():
    assert digest_of(b"model") != digest_of(b"model ")
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest_of(b""))


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system ['true']", "!!python/name:os.system"])
def test_a_document_can_not_make_objects(tmp_path: Path, tag: str):
    from autoretrain.adapters.documents import load_document

    path = tmp_path / "model.yaml"
    path.write_text(yaml.safe_dump(VALID) + f"owned: {tag}\n")
    with pytest.raises(InvalidSpec):
        load_document(path)
