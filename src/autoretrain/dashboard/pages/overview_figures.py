"""The first page's figures: champion, live quality, drift and traffic, and what they rest on."""

from datetime import UTC
from typing import Any

import streamlit as st

from autoretrain.dashboard.drawing import plain, told_age, told_ago
from autoretrain.dashboard.frame import REFRESH_SECONDS, Visit
from autoretrain.dashboard.queries import overview as queries
from autoretrain.domain.metrics import Estimate

NO_STORE = "This dashboard was not given the store of this namespace: {} can't be shown."


def show_figures(asked: Visit) -> None:
    status, spec = asked.seen.status, asked.seen.model.spec
    evidence = read_evidence(asked.key, status.champion.digest if status.champion else "", asked)
    champion, accuracy, drift, messages = st.columns(4)
    promoted = status.champion.promoted_at if status.champion else None
    _metric(
        champion,
        "Champion",
        f"v{status.champion.version}" if status.champion else "none yet",
        f"promoted {told_ago(promoted, asked.now)}" if promoted else "",
    )
    overall = evidence.performance.overall if evidence and evidence.performance else None
    if evidence is None and status.performance is not None:
        live = status.performance
        _metric(accuracy, "Live accuracy", f"{live.accuracy:.3f}", f"{live.labels:,} labels")
    else:
        _show_estimate(accuracy, "Live accuracy", overall.accuracy if overall else None)
    scores = [report.score for report in evidence.reports] if evidence else []
    threshold = f"threshold {spec.triggers.drift.threshold:.2f}"
    score = queries.told_drift(status, evidence)
    _metric(drift, "Drift", score, threshold, chart=scores if len(scores) > 1 else None)
    newest = evidence.newest_message_at if evidence else None
    _metric(
        messages,
        "Messages, last 24 h",
        f"{evidence.messages:,}" if evidence else "not known",
        f"newest {told_ago(newest, asked.now)}" if newest else "",
    )
    recall, f1, schedule = st.columns([1, 1, 2])
    _show_estimate(recall, "Live spam recall", overall.spam_recall if overall else None)
    _show_estimate(f1, "Live F1", overall.f1 if overall else None)
    next_run = status.next_schedule_at
    _metric(
        schedule,
        "Next scheduled run",
        f"{next_run.astimezone(UTC):%a %d %b %H:%M} UTC" if next_run else "none",
        queries.told_until(next_run, asked.now) if next_run else "",
    )
    show_basis(asked, evidence)


def show_basis(asked: Visit, evidence: queries.Evidence | None) -> None:
    """Say what the figures rest on, and how old that is."""
    if evidence is None:
        st.caption(NO_STORE.format("intervals, messages and windows"))
        return
    live = evidence.performance
    overall = live.overall if live else None
    without_spam = ", none of which is spam" if overall and overall.spam_recall is None else ""
    st.caption(f"Live figures rest on {live.labels if live else 0:,} labels of the audit sample{without_spam}.")
    if not evidence.reports:
        st.info("No window is complete yet.")
        return
    last = evidence.reports[-1]
    moved = queries.driving_metric(last)
    whose = f"{last.size:,} messages of v{last.model_version} up to {told_age(last.ended_at, asked.now)}"
    st.caption(f"Drift is of {whose}{'; ' if moved else ''}{moved}.")
    if last.new_spam_patterns:
        st.caption(f"The last window is driven by: {plain(', '.join(last.new_spam_patterns))}")


@st.cache_resource(ttl=REFRESH_SECONDS, max_entries=32, show_spinner=False)
def read_evidence(key: str, digest: str, _asked: Visit) -> queries.Evidence | None:
    return queries.read_evidence(_asked.reach, _asked.seen, now=_asked.now)


def _metric(column: Any, title: str, value: str, beside: str, *, chart: list[float] | None = None) -> None:
    """Draw a figure with what it is to be read by beside it: no arrow and no colour, which would judge."""
    column.metric(
        title,
        value,
        beside or None,
        delta_color="off",
        delta_arrow="off",
        chart_data=chart,
        border=True,
        height="stretch",
    )


def _show_estimate(column: Any, title: str, estimate: Estimate | None) -> None:
    if estimate is None:
        _metric(column, title, "not measured", "")
    else:
        _metric(column, title, f"{estimate.value:.3f}", f"95 %: {estimate.low:.3f} to {estimate.high:.3f}")
