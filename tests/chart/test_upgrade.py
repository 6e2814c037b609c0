"""Does an upgrade keep what an installation of before had? The chart as it was then lies in fixtures/, packaged.

It is that of commit c9e1b1d: `git archive c9e1b1d helm/autoretrain | tar x -C DIRECTORY`, then `helm package`. Times
of files are those of the commit, so that the archive comes out the same each time.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.chart.rendering import container_of, needs_helm, objects_of, pods_of

pytestmark = needs_helm

(BEFORE,) = (Path(__file__).parent / "fixtures").glob("autoretrain-*.tgz")
VALUES = ["", "namespaces", "operator-only", "outside"]
"""Those that the chart of before knows, too."""
CHANGEABLE = {
    "replicas",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
    "ordinals",
}
"""The only fields of a StatefulSet's spec that the API server lets change."""


def installed(documents: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The objects of a release; hooks are no part of it, and are made anew."""
    return {
        key: each for key, each in documents.items() if "helm.sh/hook" not in each["metadata"].get("annotations", {})
    }


def before(values: str) -> dict[str, dict[str, Any]]:
    return installed(objects_of(values, chart=BEFORE))


def kept(document: dict[str, Any]) -> dict[str, Any]:
    """What the API server refuses to change, or what others rest on: volumes, Services that are found by a name."""
    spec = document.get("spec", {})
    match document["kind"]:
        case "StatefulSet":
            return {name: value for name, value in spec.items() if name not in CHANGEABLE}
        case "Deployment":
            return {"selector": spec["selector"]}
        case "Service":
            return {"selector": spec["selector"], "ports": [each["port"] for each in spec["ports"]]}
        case "PersistentVolumeClaim":
            return {"spec": spec, "policy": document["metadata"]["annotations"]["helm.sh/resource-policy"]}
        case "RoleBinding" | "ClusterRoleBinding":
            return {"roleRef": document["roleRef"]}
        case _:
            return {}


def secrets_of(pod: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Variable, Secret and entry."""
    variables = [each for each in container_of(pod).get("env", ()) if "secretKeyRef" in each.get("valueFrom", {})]
    references = [(each["name"], each["valueFrom"]["secretKeyRef"]) for each in variables]
    return {(name, reference["name"], reference["key"]) for name, reference in references}


def claims_of(pod: dict[str, Any]) -> set[str]:
    volumes = pod["spec"].get("volumes", ())
    return {each["persistentVolumeClaim"]["claimName"] for each in volumes if "persistentVolumeClaim" in each}


@pytest.mark.parametrize("values", VALUES)
def test_every_object_is_still_there(values: str):
    assert set(before(values)) - set(objects_of(values)) == set()


@pytest.mark.parametrize("values", VALUES)
def test_nothing_changes_that_must_not(values: str):
    now = objects_of(values)
    changed = {key: (kept(old), kept(now[key])) for key, old in before(values).items() if kept(old) != kept(now[key])}
    assert changed == {}


@pytest.mark.parametrize("values", VALUES)
def test_pods_open_the_same_volumes_with_the_same_secrets(values: str):
    now = dict(pods_of(objects_of(values)))
    for key, old in pods_of(before(values)):
        assert (secrets_of(now[key]), claims_of(now[key])) == (secrets_of(old), claims_of(old)), key
        assert old["metadata"]["labels"].items() <= now[key]["metadata"]["labels"].items(), key


def test_there_is_something_to_keep():
    counted = [key.split("/")[0] for key, each in before("").items() if kept(each)]
    assert {kind: counted.count(kind) for kind in set(counted)} == {
        "StatefulSet": 1,
        "Deployment": 3,
        "Service": 3,
        "PersistentVolumeClaim": 2,
        "RoleBinding": 1,
        "ClusterRoleBinding": 2,
    }
