"""Traffic: how many messages, how fast, what was lost on the way, and who gave labels."""

from dataclasses import replace

import altair as alt
import httpx
import pandas as pd
import streamlit as st

from autoretrain.adapters.prometheus import Prometheus, PrometheusUnavailable
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store.labels import SourceLabels
from autoretrain.adapters.store.predictions import Traffic
from autoretrain.dashboard.drawing import BLUE, TIME, VERMILION, draw, over_time, plain, tips, told_age
from autoretrain.dashboard.frame import REFRESH_SECONDS, Visit, part, visit
from autoretrain.dashboard.queries import performance as queries
from autoretrain.dashboard.queries.away import Answer, Away, away_of
from autoretrain.dashboard.queries.serving_figures import (
    NotAnswered,
    ServingFigures,
    ask_prometheus,
    ask_traffic,
    fetch_own,
)

LONG_SECONDS = 60
LABELS_SECONDS = 15
TIME_UNITS = {"minute": "yearmonthdatehoursminutes", "hour": "yearmonthdatehours", "day": "yearmonthdate"}
"""How wide a bar is, in the words of Vega-Lite."""
NO_PROMETHEUS = "This dashboard was not given the address of a Prometheus, so {} can't be shown."


@st.fragment(run_every=REFRESH_SECONDS)
def show() -> None:
    asked = visit()
    st.title("Performance")
    names = {period.name: period for period in queries.PERIODS}
    name = st.segmented_control("The last", list(names), default=queries.DAY.name, required=True, key="period")
    with part():
        show_traffic(asked, names[name])
    with part():
        show_serving(asked)
    with part():
        show_labels(asked)


def show_traffic(asked: Visit, period: queries.Period) -> None:
    try:
        traffic = read_traffic(asked, period)
    except PrometheusUnavailable as error:
        tell_away(away_of(error), instead="Traffic can't be shown.")
        return
    if traffic is None:
        st.info(NO_PROMETHEUS.format("traffic"))
        return
    if not traffic:
        st.info(f"No message was answered in the last {period.name}.")
        return
    messages, share = st.columns(2)
    messages.metric(f"Messages, last {period.name}", f"{sum(each.messages for each in traffic):,}", border=True)
    share.metric("Share of spam", f"{queries.spam_share(traffic) or 0:.1%}", border=True)
    colours = alt.Scale(domain=["ham", "spam"], range=[BLUE, VERMILION])
    by_label, by_version = st.columns(2)
    for column, by, colour in (
        (by_label, "label", alt.Color("label:N", scale=colours, title=None)),
        (by_version, "version", alt.Color("version:N", title=None)),
    ):
        table = pd.DataFrame(queries.traffic_rows(traffic, by=by))
        chart = (
            alt.Chart(table)
            .mark_bar()
            .encode(
                x=over_time(TIME_UNITS[period.span]),
                y=alt.Y("messages:Q", title=None),
                color=colour,
                tooltip=tips(TIME, by, "messages"),
            )
        )
        column.caption(f"Messages a {period.span}, by {by}")
        draw(chart, column)


def read_traffic(asked: Visit, period: queries.Period) -> list[Traffic] | None:
    """Return it from the store, else from Prometheus; None where there is neither."""
    if asked.reach.store is not None:
        keep = _stored_traffic if period.length <= queries.DAY.length else _long_stored_traffic
        return keep(asked.key, period, asked)
    prometheus = open_prometheus()
    return None if prometheus is None else _asked_traffic(asked.key, period, asked, prometheus)


@st.cache_resource(ttl=REFRESH_SECONDS, max_entries=32, show_spinner=False)
def _stored_traffic(key: str, period: queries.Period, _asked: Visit) -> list[Traffic]:
    return _count_traffic(_asked, period)


@st.cache_resource(ttl=LONG_SECONDS, max_entries=32, show_spinner="Counting messages ...")
def _long_stored_traffic(key: str, period: queries.Period, _asked: Visit) -> list[Traffic]:
    return _count_traffic(_asked, period)


def _count_traffic(asked: Visit, period: queries.Period) -> list[Traffic]:
    store = asked.reach.store
    return store.traffic(since=period.since(asked.now), until=asked.now, span=period.span) if store else []


@st.cache_resource(ttl=REFRESH_SECONDS, max_entries=32, show_spinner=False)
def _asked_traffic(key: str, period: queries.Period, _asked: Visit, _prometheus: Prometheus) -> list[Traffic]:
    return ask_traffic(
        _prometheus,
        namespace=_asked.seen.model.namespace,
        key=key,
        since=period.since(_asked.now),
        until=_asked.now,
        step=period.step,
    )


@st.cache_resource(show_spinner=False)
def open_prometheus() -> Prometheus | None:
    url = Settings().prometheus_url
    return Prometheus.at(url) if url else None


@st.cache_resource(show_spinner=False)
def open_client() -> httpx.Client:
    return httpx.Client()


@st.cache_resource(show_spinner=False)
def _last_answers() -> dict[str, Answer]:
    """The last figures of each model, for all sessions."""
    return {}


@st.cache_resource(ttl=REFRESH_SECONDS, max_entries=32, show_spinner=False)
def read_figures(key: str, _asked: Visit) -> Answer | None:
    """Ask the services of this machine, or on a cluster Prometheus; None where that was not given.

    Where they are away that is kept, too: they are not waited for at every drawing.
    """
    last = _last_answers()
    try:
        figures = _ask_for_figures(key, _asked)
    except (NotAnswered, PrometheusUnavailable) as error:
        return replace(last.get(key, Answer()), away=away_of(error))
    if figures is None:
        return None
    last[key] = Answer(figures=figures, at=_asked.now)
    return last[key]


def _ask_for_figures(key: str, asked: Visit) -> ServingFigures | None:
    settings, prometheus = Settings(), open_prometheus()
    if prometheus is not None:
        return ask_prometheus(prometheus, namespace=asked.seen.model.namespace, key=key)
    if settings.dashboard_namespaces:
        return None
    return fetch_own(open_client(), serving=settings.resolved_serving_url(), monitor=settings.monitor_url())


def tell_away(away: Away, *, instead: str) -> None:
    """Say what can't be asked, what is shown instead, and what to do; what a library said of it stands small."""
    st.warning(f"{plain(away.what)}. {instead}  \n**{away.do}**", icon=":material/cloud_off:")
    if away.said:
        st.caption(plain(away.said))


def show_serving(asked: Visit) -> None:
    st.subheader("Serving")
    answer = read_figures(asked.key, asked)
    if answer is None:
        st.info(NO_PROMETHEUS.format("latency, queue and drops"))
        return
    if answer.away:
        tell_away(answer.away, instead=_shown_instead(asked, answer))
    figures = answer.figures
    if figures is None:
        return
    p95, queue, dropped, errors = st.columns(4)
    slowest = queries.slowest_p95(figures)
    p95.metric("p95 to score one message", "too few yet" if slowest is None else f"{slowest:.2f} ms", border=True)
    queued = "not known" if figures.queued is None else f"{figures.queued:,.0f}"
    queue.metric("Waiting to be stored", queued, border=True)
    dropped.metric("Answered, but not stored", f"{sum(figures.dropped.values()):,.0f}", border=True)
    errors.metric("Errors", f"{sum(each.errors for each in figures.versions):,.0f}", border=True)
    lost = [f"{count:,.0f} by {reason.replace('_', ' ')}" for reason, count in figures.dropped.items() if count]
    st.caption(f"Counted {figures.counted}.{' Not stored: ' + ', '.join(lost) + '.' if lost else ''}")
    times = {name: st.column_config.NumberColumn(format="%.2f") for name in ("p50 (ms)", "p95 (ms)", "p99 (ms)")}
    st.dataframe(pd.DataFrame(queries.version_rows(figures)), hide_index=True, width="stretch", column_config=times)
    if figures.alerts:
        told = (f"{count:,.0f} {outcome} by {channel}" for (channel, outcome), count in figures.alerts.items())
        st.caption(f"Alerts: {', '.join(told)}.")


def _shown_instead(asked: Visit, answer: Answer) -> str:
    if answer.at is not None:
        return f"Shown are its figures of {told_age(answer.at, asked.now)}."
    others = "; traffic and labels are the store's and complete" if asked.reach.store else ""
    return f"Latency, queue, drops and errors can't be shown{others}."


@st.cache_resource(ttl=LABELS_SECONDS, max_entries=32, show_spinner=False)
def read_sources(key: str, _asked: Visit) -> list[SourceLabels]:
    """All labels are counted for it, however old."""
    store = _asked.reach.store
    return store.sources() if store else []


def show_labels(asked: Visit) -> None:
    st.subheader("Labels by source")
    if asked.reach.store is not None:
        rows = queries.label_rows(read_sources(asked.key, asked))
    else:
        answer = read_figures(asked.key, asked)
        figures = answer.figures if answer else None
        if figures is None and answer is not None:
            st.info("Labels can't be counted either: Prometheus counts them here.")
            return
        labels = figures.labels if figures else {}
        rows = [{"source": source, "labels": round(count)} for source, count in labels.items()]
        if figures:
            st.caption(f"Counted {figures.counted}.")
    if not rows:
        st.info("No label is known here.")
        return
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")
