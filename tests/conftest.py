"""What every test leaves as it found it."""

import logging

import pytest
import structlog


@pytest.fixture(autouse=True)
def untouched_logging():
    """A command that was run in this process sends the logs to a stream that ends with its test; undo that."""
    root = logging.getLogger()
    handlers, level, configured = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:], root.level = handlers, level
    structlog.configure(**configured)
