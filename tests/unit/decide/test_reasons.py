"""Every reason is given somewhere: one that nothing sets must not be documented."""

from pathlib import Path

import pytest

import autoretrain
from autoretrain.domain.reasons import Reason

SOURCE = "\n".join(
    path.read_text() for path in Path(autoretrain.__file__).parent.rglob("*.py") if path.name != "reasons.py"
)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_used(reason):
    assert f"Reason.{reason.name}" in SOURCE
