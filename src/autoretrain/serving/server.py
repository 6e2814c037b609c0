"""Runs the HTTP API in this process until it is told to stop."""

from typing import Final

import uvicorn

from autoretrain.adapters.logs import configure_logging
from autoretrain.adapters.settings import Settings
from autoretrain.serving.app import create_app

DRAIN_SECONDS: Final = 10
KEEP_ALIVE_SECONDS: Final = 30


def run_serving(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight get DRAIN_SECONDS. Raises SystemExit when it can't start."""
    configure_logging(settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.serving_port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
