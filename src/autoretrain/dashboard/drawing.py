"""What several pages draw alike: text of others, times, figures with their intervals."""

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from autoretrain.domain.metrics import Estimate

if TYPE_CHECKING:
    import streamlit as st

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def plain(text: str) -> str:
    """Return `text` so that Markdown shows it as it is: what others wrote must not load a picture or draw a link."""
    return _PUNCTUATION.sub(r"\\\1", text)


def clock_time(at: datetime) -> datetime:
    """Return UTC without the zone: tables and charts show it as it is, and the column's name says which it is."""
    return at.astimezone(UTC).replace(tzinfo=None)


def show_estimate(column: "st.delta_generator.DeltaGenerator", title: str, estimate: Estimate | None) -> None:
    if estimate is None:
        column.metric(title, "not measured")
    else:
        column.metric(title, f"{estimate.value:.3f}", help=f"95 % interval {estimate.low:.3f} to {estimate.high:.3f}")
