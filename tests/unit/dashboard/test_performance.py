"""Traffic over time, and what serving and monitor count: from themselves, or from Prometheus, or said to be absent."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from prometheus_client import generate_latest

from autoretrain.adapters.prometheus import Prometheus, PrometheusUnavailable, matching
from autoretrain.adapters.store.predictions import Traffic
from autoretrain.dashboard.pages import performance as page
from autoretrain.dashboard.queries.performance import slowest_p95, spam_share, traffic_rows, version_rows
from autoretrain.dashboard.queries.serving_figures import (
    NotAnswered,
    VersionFigures,
    ask_prometheus,
    ask_traffic,
    fetch_own,
)
from autoretrain.domain.messages import Label
from autoretrain.serving.metrics import ServingMetrics
from tests.unit.dashboard.cluster_world import seen
from tests.unit.dashboard.world import NOW, page_of, prediction, put_champion

MINUTE = timedelta(minutes=1)


def traffic(minute, label, messages, *, version="1"):
    return Traffic(started_at=NOW + minute * MINUTE, version=version, label=label, messages=messages)


def test_traffic_is_added_up_by_label_or_by_version():
    rows = [traffic(0, Label.HAM, 3), traffic(0, Label.SPAM, 1), traffic(0, Label.HAM, 4, version="2")]
    assert [(row["label"], row["messages"]) for row in traffic_rows(rows, by="label")] == [("ham", 7), ("spam", 1)]
    assert [(row["version"], row["messages"]) for row in traffic_rows(rows, by="version")] == [("v1", 4), ("v2", 4)]
    assert (spam_share(rows), spam_share([])) == (0.125, None)


def served():
    """What a server says that has answered 100 messages by v3 in 0.3 ms each, and lost two."""
    metrics = ServingMetrics("default.sms-spam")
    version = metrics.for_version("v3")
    for _ in range(100):
        version.duration(0.0003)
    version.errors()
    metrics.for_version("v2")
    metrics.dropped("queue_full", 2)
    metrics.label_kept("abuse-desk", 7)
    metrics.queued.set(5)
    return generate_latest(metrics.registry).decode()


ALERTS = 'autoretrain_alerts_total{spammodel="default.sms-spam",channel="slack",outcome="delivered"} 4\n'


def answering(**texts):
    """A machine whose hosts answer their text; the others refuse."""

    def answer(request):
        if request.url.host not in texts:
            raise httpx.ConnectError("refused")
        assert request.url.path == "/metrics"
        return httpx.Response(200, text=texts[request.url.host])

    return httpx.Client(transport=httpx.MockTransport(answer))


def own(**texts):
    return fetch_own(answering(**texts), serving="http://serving", monitor="http://monitor")


def test_a_machines_own_services_say_what_they_count():
    figures = own(serving=served(), monitor=ALERTS)
    assert (figures.queued, figures.dropped["queue_full"], figures.labels) == (5, 2, {"abuse-desk": 7})
    assert figures.alerts == {("slack", "delivered"): 4}
    fresh, busy = figures.versions
    assert fresh == VersionFigures(version="v2", requests=0, errors=0, percentiles=(None, None, None))
    assert (busy.version, busy.requests, busy.errors) == ("v3", 100, 1)
    assert all(0.00025 < seconds <= 0.0005 for seconds in busy.percentiles)


def test_a_monitor_that_does_not_run_leaves_servings_figures():
    assert own(serving=served()).queued == 5


def test_a_server_that_gives_something_else_is_told():
    with pytest.raises(NotAnswered, match="no metrics"):
        own(serving="<html> {")


UNLABELLED = """\
autoretrain_prediction_duration_seconds_count 7
autoretrain_prediction_duration_seconds_bucket{model_version="v3"} 7
autoretrain_prediction_errors_total 1
autoretrain_predictions_dropped_total 2
autoretrain_labels_total{model_version="v3"} 4
autoretrain_alerts_total{outcome="delivered"} 5
"""


def test_series_that_lack_a_label_are_counted_as_of_nobody_known():
    figures = own(serving=UNLABELLED, monitor="")
    (unknown,) = figures.versions
    assert unknown == VersionFigures(version="unknown", requests=7, errors=1, percentiles=(None, None, None))
    assert (figures.dropped, figures.labels) == ({"unknown": 2}, {"unknown": 4})
    assert figures.alerts == {("unknown", "delivered"): 5}


def test_buckets_without_bounds_are_no_metrics():
    with pytest.raises(NotAnswered, match="no metrics"):
        own(serving='autoretrain_prediction_duration_seconds_bucket{le="wide"} 7\n')


def test_times_are_shown_in_milliseconds_and_the_slowest_version_counts():
    figures = replace(
        own(serving=served()),
        versions=(
            VersionFigures(version="v1", requests=200.4, errors=0.0, percentiles=(0.0005, 0.001, None)),
            VersionFigures(version="v2", requests=5.0, errors=1.0, percentiles=(None, None, None)),
        ),
    )
    assert version_rows(figures)[0] == {
        "version": "v1",
        "messages": 200,
        "errors": 0,
        "p50 (ms)": 0.5,
        "p95 (ms)": 1.0,
        "p99 (ms)": None,
    }
    assert slowest_p95(figures) == 1.0


def prometheus(answer):
    return Prometheus(httpx.Client(base_url="http://prometheus", transport=httpx.MockTransport(answer)))


def query_of(request):
    return httpx.QueryParams(request.content.decode())


def vector(*series):
    result = [{"metric": labels, "value": [0, value]} for labels, value in series]
    return httpx.Response(200, json={"status": "success", "data": {"resultType": "vector", "result": result}})


def test_a_selector_can_not_be_left_by_a_name():
    assert matching(namespace='a"} or {x="', spammodel="b\\") == '{namespace="a\\"} or {x=\\"",spammodel="b\\\\"}'


def test_prometheus_is_asked_about_this_model_alone():
    asked = []

    def answer(request):
        query = query_of(request)["query"]
        asked.append(query)
        if "histogram_quantile(0.95" in query:
            return vector(({"model_version": "v3"}, "0.002"), ({"model_version": "v2"}, "NaN"))
        if "duration_seconds_count" in query:
            return vector(({"model_version": "v3"}, "120.5"), ({"model_version": "v2"}, "0"))
        if "dropped" in query:
            return vector(({"reason": "queue_full"}, "2"))
        if "queue_messages" in query:
            return vector(({}, "5"))
        return vector()

    figures = ask_prometheus(prometheus(answer), namespace="spam", key="spam.sms")
    assert all('{namespace="spam",spammodel="spam.sms"}' in query for query in asked)
    assert (figures.queued, figures.dropped, figures.labels) == (5, {"queue_full": 2}, {})
    assert [(each.version, each.requests, each.percentiles[1]) for each in figures.versions] == [
        ("v2", 0, None),
        ("v3", 120.5, 0.002),
    ]


def test_traffic_of_a_cluster_comes_in_the_steps_that_were_asked_for():
    def answer(request):
        query = query_of(request)
        assert (query["step"], "[60s]" in query["query"]) == ("60", True)
        series = {"metric": {"model_version": "v3", "label": "spam"}, "values": [[NOW.timestamp(), "2.4"], [0, "NaN"]]}
        return httpx.Response(200, json={"status": "success", "data": {"result": [series]}})

    found = ask_traffic(
        prometheus(answer), namespace="spam", key="spam.sms", since=NOW - 9 * MINUTE, until=NOW, step=MINUTE
    )
    assert found == [traffic(-1, Label.SPAM, 2, version="3")]


def ranges(*metrics):
    """An answer over time in which each of these series has the value 3."""
    result = [{"metric": labels, "values": [[NOW.timestamp(), "3"]]} for labels in metrics]
    return lambda _: httpx.Response(200, json={"status": "success", "data": {"result": result}})


def test_traffic_whose_label_or_version_is_not_told_is_no_error():
    """A `sum by` leaves out the labels that a series lacks, and another writer may have other labels."""
    answer = ranges(
        {}, {"model_version": "v3"}, {"label": "eggs"}, {"label": "ham"}, {"model_version": "v3", "label": "spam"}
    )
    found = ask_traffic(
        prometheus(answer), namespace="spam", key="spam.sms", since=NOW - 9 * MINUTE, until=NOW, step=MINUTE
    )
    assert found == [traffic(-1, Label.HAM, 3, version="unknown"), traffic(-1, Label.SPAM, 3, version="3")]


def test_figures_of_a_cluster_survive_series_without_labels():
    figures = ask_prometheus(prometheus(lambda _: vector(({}, "4"))), namespace="spam", key="spam.sms")
    assert [(each.version, each.requests) for each in figures.versions] == [("unknown", 4)]
    assert (figures.dropped, figures.labels) == ({"unknown": 4}, {"unknown": 4})


def refuse(_request):
    raise httpx.ConnectError("refused")


@pytest.mark.parametrize(
    "answer",
    [
        refuse,
        lambda _: httpx.Response(200, text="<html>"),
        lambda _: httpx.Response(200, json={"status": "success", "data": {}}),
        lambda _: httpx.Response(400, json={"status": "error", "error": "parse error"}),
        lambda _: httpx.Response(200, json=["success"]),
        lambda _: httpx.Response(200, json={"status": "success", "data": {"result": [0, "1"]}}),
        lambda _: httpx.Response(200, json={"status": "success", "data": {"result": [{"value": [0, "1"]}]}}),
        lambda _: httpx.Response(200, json={"status": "success", "data": {"result": [{"metric": {}, "value": []}]}}),
    ],
    ids=["nobody", "a page", "half an answer", "a refusal", "a list", "a scalar", "no labels", "no value"],
)
def test_a_prometheus_that_can_not_answer_is_told(answer):
    with pytest.raises(PrometheusUnavailable, match="Prometheus"):
        prometheus(answer).instant("up")


def test_a_prometheus_whose_address_is_none_is_told():
    with pytest.raises(PrometheusUnavailable, match="Prometheus's address"):
        Prometheus.at("http://prometheus:port")


def test_the_page_of_one_machine_shows_what_serving_counts(settings, store, monkeypatch):
    put_champion(store, settings)
    monkeypatch.setenv("AUTORETRAIN_SERVING_URL", "http://serving")
    monkeypatch.setattr(page, "open_client", lambda: answering(serving=served()))
    app = page_of("performance")
    assert ("Answered, but not stored", "2") in [(metric.label, metric.value) for metric in app.metric]
    assert any("2 by queue full" in caption.value for caption in app.caption)


def test_another_period_is_counted_when_it_is_chosen(settings, store, monkeypatch):
    put_champion(store, settings)
    store.add_predictions([replace(prediction(1), at=NOW - timedelta(days=2))])
    monkeypatch.setattr(page, "open_client", lambda: answering())
    app = page_of("performance")
    assert "No message was answered in the last 24 hours." in [info.value for info in app.info]
    app.session_state["period"] = "7 days"
    app.run()
    assert app.metric[0].value == "1"


def test_a_cluster_without_store_and_prometheus_says_what_is_missing(cluster, monkeypatch):
    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_NAMESPACES", "spam")
    cluster(seen("sms"))
    said = [info.value for info in page_of("performance").info]
    assert [("Prometheus" in info) for info in said] == [True, True, False]


def test_a_cluster_without_store_is_shown_from_prometheus(cluster, monkeypatch):
    def answer(request):
        if request.url.path.endswith("query_range"):
            series = {"metric": {"model_version": "v3", "label": "ham"}, "values": [[NOW.timestamp(), "8"]]}
            return httpx.Response(200, json={"status": "success", "data": {"result": [series]}})
        return vector(({"source": "abuse-desk", "model_version": "v3"}, "3"))

    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_NAMESPACES", "spam")
    monkeypatch.setattr(page, "open_prometheus", lambda: prometheus(answer))
    cluster(seen("sms"))
    app = page_of("performance")
    assert app.metric[0].value == "8"
    assert app.dataframe[-1].value.to_dict("records") == [{"source": "abuse-desk", "labels": 3}]
