"""Which SpamModel document do benchmarks run? One whose base data nobody reads, and the product's own defaults else."""

from collections.abc import Mapping
from typing import Any

from autoretrain.adapters.spammodel import parse_spam_model
from autoretrain.domain.spec import TrainingSpec


def document_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "autoretrain.dev/v1alpha1",
        "kind": "SpamModel",
        "metadata": {"name": "benchmark"},
        "spec": {"data": {"file": {"path": "not-read.tsv"}}, **spec},
    }


DEFAULT_SEARCH: TrainingSpec = parse_spam_model(document_of({}), uid="benchmark", generation=1).spec.training
"""All algorithms, each with the parameters that are tried unasked; profile WordAndCharacter, seed 0."""
