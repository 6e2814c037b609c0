"""Reasons that only a cluster has are part of the interface, like all others."""

from pathlib import Path

from controller.conditions import ClusterReason

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "reasons.md"


def test_each_reason_that_only_a_cluster_has_is_documented():
    page = PAGE.read_text()
    assert [reason for reason in ClusterReason if f"`{reason}` |" not in page] == []
