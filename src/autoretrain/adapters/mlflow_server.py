"""How a local MLflow server is started: one worker, no job runner, no telemetry, beside the SQLite file it serves.

MLflow's own defaults start four workers and seven queue consumers: two gigabytes for one person's laptop.
"""

import os
import sys
from typing import Final

from autoretrain.adapters.mlflow_connection import ENVIRONMENT, local_artefacts, readable_address
from autoretrain.domain.errors import AutoRetrainError

_LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]")


def server_command(tracking_uri: str, *, host: str, port: int) -> list[str]:
    """The command of a server for this database, answering to `host` and to this machine's own names.

    Raises AutoRetrainError where `tracking_uri` is a server itself.
    """
    artefacts = local_artefacts(tracking_uri)
    if artefacts is None:
        raise AutoRetrainError(f"{readable_address(tracking_uri)} is no SQLite file that a local server could serve")
    # MLflow refuses requests whose Host header it was not told of, and the port is part of the pattern.
    hosts = ",".join(f"{name}:*" for name in dict.fromkeys((*_LOCAL_HOSTS, host)))
    return [
        *(sys.executable, "-m", "autoretrain.adapters.mlflow_server", "server"),
        *("--backend-store-uri", tracking_uri, "--artifacts-destination", str(artefacts)),
        *("--host", host, "--port", str(port), "--workers", "1", "--allowed-hosts", hosts),
    ]


def main(arguments: list[str]) -> None:
    """Run MLflow's command line with our environment; its workers inherit it."""
    for name, value in {**ENVIRONMENT, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}.items():
        os.environ.setdefault(name, value)
    from mlflow.cli import cli

    cli(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
