"""Are values documented, and wrong ones refused by their path? Are the chart's copies what they are copies of?"""

import json
import re
from typing import Any

import pytest
import yaml

from scripts import make_chart
from tests.chart.rendering import CHART, DEFAULTS, VALUES, needs_helm, template

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULT_VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
WRONG = {
    "operator.replcias=2": "'/operator': additional properties 'replcias' not allowed",
    "operater.replicas=2": "'': additional properties 'operater' not allowed",
    "operator.pod.foo=1": "'/operator/pod': additional properties 'foo' not allowed",
    "operator.replicas=two": "'/operator/replicas': got string, want integer",
    "operator.replicas=0": "'/operator/replicas': minimum: got 0, want 1",
    "operator.workers=65": "'/operator/workers': maximum: got 65, want 64",
    "operator.logLevel=LOUD": "'/operator/logLevel': value must be one of",
    "operator.namespaces={Spam}": "'/operator/namespaces/0': 'Spam' does not match pattern",
    "operator.registryAllowed={https://ann:secret@mlflow}": "'/operator/registryAllowed/0': ",
    "mlflow.enabled=false": "'/mlflow/url': minLength: got 0, want 1",
    "mlflow.url=http://mlflow": "'/mlflow/url': value must be ''",
    "prometheus.enabled=false,prometheus.url=prometheus:9090": "'/prometheus/url': 'prometheus:9090' does not match",
    "postgresql.persistence.size=big": "'/postgresql/persistence/size': 'big' does not match pattern",
    "postgresql.password=secret": "'/postgresql': additional properties 'password' not allowed",
    "images.serving.digest=abc": "'/images/serving/digest': 'abc' does not match pattern",
    "images.pullPolicy=Sometimes": "'/images/pullPolicy': value must be one of",
    "operator.serviceAccount.create=false": "'/operator/serviceAccount/name': minLength: got 0, want 1",
    "mlflow.ingress.host=https://mlflow": "'/mlflow/ingress/host': 'https://mlflow' does not match pattern",
    "networkPolicies.apiServer.ports={0}": "'/networkPolicies/apiServer/ports/0': minimum: got 0, want 1",
    "podMonitor.enabled=true": "'/podMonitor/enabled': value must be one of",
    "grafanaDashboards.enabled=true": "'/grafanaDashboards/enabled': value must be one of",
    "runbooksUrl=docs/how-to/runbooks.md": "'/runbooksUrl': 'docs/how-to/runbooks.md' does not match pattern",
    "pod.volumes[0].name=root,pod.volumes[0].hostPath.path=/": "'/pod/volumes/0': ",
}


def leaves(values: Any, path: str = "") -> set[str]:
    if not isinstance(values, dict) or not values:
        return {path}
    return {leaf for name, value in values.items() for leaf in leaves(value, f"{path}.{name}")}


@needs_helm
@pytest.mark.parametrize("value", WRONG)
def test_a_wrong_value_is_refused_by_its_path(value: str):
    done = template(DEFAULTS, "--set", value)
    assert done.returncode != 0
    assert f"at {WRONG[value]}" in done.stderr


def test_no_object_of_the_schema_takes_unknown_names_but_those_of_kubernetes_and_of_helm():
    """Objects without `additionalProperties: false` hold what somebody else defines."""

    def open_objects(schema: Any, path: str) -> set[str]:
        if isinstance(schema, list):
            return {found for each in schema for found in open_objects(each, path)}
        if not isinstance(schema, dict):
            return set()
        inner = {found for name, each in schema.items() for found in open_objects(each, f"{path}/{name}")}
        is_object = schema.get("type") == "object" and schema.get("additionalProperties", True) is True
        return inner | ({path} if is_object else set())

    assert {path.replace("/properties", "") for path in open_objects(SCHEMA, "")} == {
        "/global",
        "/samples/smsSpam/spec",
        "/$defs/variables/items/valueFrom",
        *(f"/$defs/pod/affinity/{name}" for name in ("nodeAffinity", "podAffinity", "podAntiAffinity")),
        "/$defs/pod/topologySpreadConstraints/items",
        "/$defs/pod/volumes/items",
        *(f"/$defs/peers/items/{name}" for name in ("namespaceSelector", "podSelector", "ipBlock")),
    }


def test_every_name_of_the_schema_is_a_value_and_the_other_way_round():
    def names(schema: dict[str, Any], path: str) -> set[str]:
        if path == ".pod":
            return {f".pod.{name}" for name in SCHEMA["$defs"]["pod"]["properties"]}
        if "properties" not in schema:
            return {path}
        return {found for name, each in schema["properties"].items() for found in names(each, f"{path}.{name}")}

    # Resources and images are described once for all of them.
    described_once = re.compile(r"(\.resources|^\.images\.\w+)\..*")
    assert {described_once.sub(r"\1", path) for path in leaves(DEFAULT_VALUES)} == names(SCHEMA, "") - {".global"}


def test_a_values_file_of_the_tests_has_every_value_otherwise():
    (full,) = [yaml.safe_load(path.read_text()) for path in VALUES if path.stem == "full"]

    def same(ours: Any, theirs: Any, path: str = "") -> set[str]:
        if isinstance(theirs, dict) and theirs:
            return {found for name, each in theirs.items() for found in same(ours.get(name), each, f"{path}.{name}")}
        return {path} if ours is None or ours == theirs else set()

    # An alternative to what the file sets, or the switch without which there would be nothing to see.
    switches = {f".{part}.enabled" for part in ("crds", "mlflow", "postgresql", "prometheus", "dashboard")}
    switches |= {".operator.serviceAccount.create"}
    instead = {".mlflow.url", ".prometheus.url", ".mlflow.persistence.existingClaim"}
    partly = {path for path in same(full, DEFAULT_VALUES) if ".resources." in path}
    assert same(full, DEFAULT_VALUES) - partly == switches | instead


@pytest.mark.parametrize("path", make_chart.render_files(), ids=lambda path: path.name)
def test_what_is_made_from_elsewhere_is_up_to_date(path):
    assert path.read_text() == make_chart.render_files()[path], "run: python scripts/make_chart.py"


def test_every_file_of_the_chart_that_is_a_copy_is_compared():
    own = {"connections.yaml", "predict.py", "sample.py"}
    assert {path.name for path in (CHART / "files").iterdir()} == own | set(make_chart.COPIES.values())


def test_a_value_without_a_comment_is_found():
    with pytest.raises(ValueError, match=r"operator\.workers has no comment"):
        make_chart.render_values("operator:\n  # Those.\n  replicas: 1\n  workers: 4\n")
