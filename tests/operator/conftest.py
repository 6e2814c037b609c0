"""Passes log a line each; a test asserts on what they did."""

import logging

import pytest
import structlog


@pytest.fixture(autouse=True)
def quiet_log():
    """`untouched_logging` restores it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
