"""Reasons that only a cluster has are part of the interface, like all others."""

from pathlib import Path

from autoretrain.adapters.request_annotations import ANNOTATIONS, PREFIX
from controller.conditions import ClusterReason
from controller.requests import ADOPTS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "reference" / "reasons.md"


def test_each_reason_that_only_a_cluster_has_is_documented():
    page = PAGE.read_text()
    assert [reason for reason in ClusterReason if f"`{reason}` |" not in page] == []


def test_each_annotation_that_asks_for_something_is_documented():
    page = (DOCS / "how-to" / "cluster.md").read_text()
    names = [name.removeprefix(PREFIX) for name in (*ANNOTATIONS.values(), ADOPTS)]
    assert [name for name in names if f"`{name}`" not in page] == []
