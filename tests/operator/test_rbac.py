"""The controller may do exactly what it does: the RBAC rules against the table that every call looks its path up in."""

from pathlib import Path

import yaml

from controller.cluster import KINDS, LEASE

RULES = Path(__file__).parents[2] / "manifests" / "operator" / "rbac.yaml"


def granted(kind: str) -> set[tuple[str, str, str]]:
    """(API group, resource, verb) of every role of that kind."""
    documents = [document for document in yaml.safe_load_all(RULES.read_text()) if document["kind"] == kind]
    return {
        (group, resource, verb)
        for document in documents
        for rule in document["rules"]
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


def test_the_cluster_role_has_the_verbs_that_are_used_and_no_other():
    assert granted("ClusterRole") == used([kind for kind in KINDS if kind is not LEASE])


def test_leases_are_held_in_the_controllers_own_namespace_only():
    assert granted("Role") == used([LEASE])


def test_no_secret_is_read():
    assert not {resource for _, resource, _ in granted("ClusterRole") | granted("Role")} & {"secrets", "*"}
