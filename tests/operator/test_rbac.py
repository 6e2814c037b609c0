"""The controller may do exactly what it does, on a whole cluster and in some namespaces of it.

The RBAC rules are compared with the table that every call looks its path up in; test_namespaces.py looks at the calls.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from controller.cluster import KINDS, LEASE
from controller.settings import ControllerSettings
from tests.operator.operator_world import KEY

MANIFESTS = Path(__file__).parents[2] / "manifests"
OPERATOR, NAMESPACED = MANIFESTS / "operator", MANIFESTS / "operator-namespaced"
SYSTEM, ACCOUNT = "autoretrain-system", "autoretrain-controller"
EVERYWHERE = "*"
WATCHED_NAMESPACES = ("spam", KEY[0])

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH")


def rules_of(kind: str) -> set[tuple[str, str, str]]:
    """(API group, resource, verb) of every role of that kind."""
    documents = yaml.safe_load_all((OPERATOR / "rbac.yaml").read_text())
    return {rule for document in documents if document["kind"] == kind for rule in expanded(document)}


def expanded(role) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def used(kinds) -> set[tuple[str, str, str]]:
    whole = {(kind.group, kind.plural, verb) for kind in kinds for verb in kind.verbs}
    parts = {
        (kind.group, f"{kind.plural}/{part}", verb)
        for kind in kinds
        for part, verbs in kind.subresources.items()
        for verb in verbs
    }
    return whole | parts


USED = used([kind for kind in KINDS if kind is not LEASE])


def built(directory: Path) -> list[dict]:
    """What `kubectl apply -k` would send."""
    done = subprocess.run(["kubectl", "kustomize", str(directory)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def granted(documents) -> dict[str, set[tuple[str, str, str]]]:
    """What the controller's account may do, by namespace; EVERYWHERE: in all of them."""
    roles = {
        (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]): each
        for each in documents
        if each["kind"] in {"Role", "ClusterRole"}
    }
    found: dict[str, set[tuple[str, str, str]]] = {}
    for binding in documents:
        subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": SYSTEM}
        if binding["kind"] not in {"RoleBinding", "ClusterRoleBinding"} or subject not in binding["subjects"]:
            continue
        named, place = binding["roleRef"], binding["metadata"].get("namespace", "")
        role = roles[named["kind"], place if named["kind"] == "Role" else "", named["name"]]
        found.setdefault(place or EVERYWHERE, set()).update(expanded(role))
    return found


@pytest.fixture(scope="module")
def whole_cluster() -> list[dict]:
    return built(OPERATOR)


@pytest.fixture(scope="module")
def some_namespaces(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """The operator with the component, and beside its example one more namespace, as its comment says."""
    place = tmp_path_factory.mktemp("overlay").resolve()
    component = place / NAMESPACED.name
    shutil.copytree(NAMESPACED, component)
    bindings = component / "bindings.yaml"
    example = bindings.read_text()
    bindings.write_text(f"{example}---\n{example.replace('namespace: spam', f'namespace: {KEY[0]}')}")
    kustomization = component / "kustomization.yaml"
    kustomization.write_text(kustomization.read_text().replace('"spam"', f'"{",".join(WATCHED_NAMESPACES)}"'))
    overlay = {"resources": [os.path.relpath(OPERATOR, place)], "components": [NAMESPACED.name]}
    (place / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    return built(place)


# The rules.


def test_the_cluster_role_has_the_verbs_that_are_used_and_no_other():
    assert rules_of("ClusterRole") == USED


def test_leases_are_held_in_the_controllers_own_namespace_only():
    assert rules_of("Role") == used([LEASE])


def test_no_secret_is_read():
    assert not {resource for _, resource, _ in rules_of("ClusterRole") | rules_of("Role")} & {"secrets", "*"}


def test_the_rules_are_written_once():
    texts = [path.read_text() for path in NAMESPACED.iterdir()]
    assert [text for text in texts if "verbs:" in text] == []


# Where they hold.


@needs_kubectl
def test_on_a_whole_cluster_they_hold_everywhere(whole_cluster):
    assert granted(whole_cluster) == {EVERYWHERE: USED, SYSTEM: used([LEASE])}


@needs_kubectl
def test_in_some_namespaces_they_hold_in_these_and_nothing_holds_everywhere(some_namespaces):
    assert granted(some_namespaces) == {**dict.fromkeys(WATCHED_NAMESPACES, USED), SYSTEM: used([LEASE])}


@needs_kubectl
def test_in_some_namespaces_the_operator_is_told_which(some_namespaces):
    (deployment,) = [each for each in some_namespaces if each["kind"] == "Deployment"]
    variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    told = {each["name"]: each.get("value") for each in variables}["AUTORETRAIN_CONTROLLER_NAMESPACES"]
    assert ControllerSettings(namespaces=told).watched_namespaces == WATCHED_NAMESPACES


def test_the_component_tells_the_operator_of_the_namespaces_that_it_binds():
    """Both are lists that people edit; as they are shipped they say the same."""
    bindings = list(yaml.safe_load_all((NAMESPACED / "bindings.yaml").read_text()))
    (patch,) = [
        yaml.safe_load(each["patch"])
        for each in yaml.safe_load((NAMESPACED / "kustomization.yaml").read_text())["patches"]
        if each.get("target", {}).get("kind") == "Deployment"
    ]
    assert patch[0]["value"]["value"].split(",") == [each["metadata"]["namespace"] for each in bindings]


@needs_kubectl
def test_everything_can_be_installed_with_the_component(tmp_path):
    shutil.copytree(MANIFESTS, tmp_path / "manifests")
    text = (tmp_path / "manifests" / "kustomization.yaml").read_text()
    assert f"# components: [{NAMESPACED.name}, dashboard-namespaced] #" in text
    (tmp_path / "manifests" / "kustomization.yaml").write_text(text.replace("# components:", "components:"))
    assert granted(built(tmp_path / "manifests")) == {"spam": USED, SYSTEM: used([LEASE])}
