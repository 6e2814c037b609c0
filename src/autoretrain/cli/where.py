"""Which model does a command mean: the document's on this machine, or one of a cluster? The options that say so."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoretrain.adapters.kubectl import Kubectl
from autoretrain.adapters.settings import Settings
from autoretrain.app.cluster_place import ClusterPlace
from autoretrain.app.place import LocalPlace, Place
from autoretrain.domain.errors import AutoRetrainError


def add_place_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="the model (default: the document's; needed for a cluster)")
    parser.add_argument("-f", "--file", type=Path, help="SpamModel document of this machine")
    cluster = parser.add_argument_group("on a cluster, by kubectl (either option means one)")
    cluster.add_argument("--context", default="", help="context of the kubeconfig (default: the selected one)")
    cluster.add_argument("-n", "--namespace", default="", help="namespace of the SpamModel (default: the context's)")


def means_cluster(arguments: argparse.Namespace) -> bool:
    return bool(arguments.context or arguments.namespace)


@contextmanager
def open_place(arguments: argparse.Namespace) -> Iterator[Place]:
    """Open the place of the model that `arguments` name. Raises AutoRetrainError where there is none."""
    if means_cluster(arguments):
        yield find_on_cluster(arguments)
    else:
        with LocalPlace.opened(Settings(), name=arguments.name) as place:
            yield place


def kubectl_of(arguments: argparse.Namespace) -> Kubectl:
    return Kubectl(context=arguments.context, namespace=arguments.namespace)


def find_on_cluster(arguments: argparse.Namespace) -> ClusterPlace:
    """Return the place of the SpamModel that `arguments` name. Raises AutoRetrainError where there is none."""
    kubectl = kubectl_of(arguments)
    if arguments.file:
        raise AutoRetrainError(f"{arguments.file} is a document of this machine; on a cluster, name the SpamModel")
    if not arguments.name:
        raise AutoRetrainError(f"name the SpamModel; `kubectl get spammodels` lists those in {kubectl}")
    return ClusterPlace.found(kubectl, arguments.name)
