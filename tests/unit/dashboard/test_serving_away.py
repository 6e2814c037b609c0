"""Performance while serving or Prometheus is away: what can't be reached, what stands there instead, what to do."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from autoretrain.adapters.prometheus import Prometheus
from autoretrain.dashboard.pages import performance as page
from autoretrain.dashboard.queries.serving_figures import NotAnswered, fetch_own
from tests.unit.dashboard.cluster_world import seen
from tests.unit.dashboard.world import NOW, page_of, prediction, put_champion

QUEUE = "autoretrain_prediction_queue_messages 5\n"


def answering(answer):
    return httpx.Client(transport=httpx.MockTransport(answer))


def refuse(_request):
    raise httpx.ConnectError("[Errno 111] Connection refused")


def fail(error):
    def answer(_request):
        raise error

    return answer


@pytest.fixture
def machine(settings, store, monkeypatch):
    """One machine with three messages of the last day, whose serving is asked at http://serving."""
    put_champion(store, settings)
    store.add_predictions([replace(prediction(number), at=NOW - timedelta(minutes=1)) for number in range(3)])
    monkeypatch.setenv("AUTORETRAIN_SERVING_URL", "http://serving")

    def serve(answer):
        monkeypatch.setattr(page, "open_client", lambda: answering(answer))

    return serve


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (refuse, "can't be reached: nobody answers there"),
        (fail(httpx.ReadTimeout("")), "can't be reached: no answer within 2 s"),
        (fail(httpx.ReadError("[Errno 104] Connection reset by peer")), "can't be reached: the connection broke off"),
        (fail(httpx.UnsupportedProtocol("missing http://")), "can't be reached: that is no address"),
        (lambda _: httpx.Response(503), "gives no metrics: it answered with HTTP status 503"),
    ],
    ids=["nobody there", "silent", "broke off", "no address", "refuses"],
)
def test_why_serving_gives_no_figures_is_told_in_words(answer, told):
    with pytest.raises(NotAnswered) as problem:
        fetch_own(answering(answer), serving="http://serving", monitor="http://monitor")
    assert str(problem.value) == f"Serving at http://serving {told}"


def test_a_serving_that_is_down_is_told_with_what_is_shown_instead_and_what_to_do(machine):
    machine(refuse)
    app = page_of("performance")
    assert not app.error
    assert [(metric.label, metric.value) for metric in app.metric] == [
        ("Messages, last 24 hours", "3"),
        ("Share of spam", "0.0%"),
    ]
    (told,) = app.warning
    words = told.value.replace("\\", "")
    assert "can't be reached: nobody answers there." in words
    assert "Latency, queue, drops and errors can't be shown" in words
    assert "traffic and labels are the store's" in words
    assert "**Look whether it runs (`autoretrain serve`" in words
    assert "AUTORETRAIN_SERVING_URL" in words
    assert "Errno" not in words


def test_the_last_figures_stay_and_are_told_to_be_old(machine):
    machine(lambda _: httpx.Response(200, text=QUEUE))
    app = page_of("performance")
    assert not app.warning
    assert ("Waiting to be stored", "5") in [(metric.label, metric.value) for metric in app.metric]
    machine(refuse)
    page.read_figures.clear()  # they are kept for a few seconds
    app.run()
    assert ("Waiting to be stored", "5") in [(metric.label, metric.value) for metric in app.metric]
    (told,) = app.warning
    assert "Shown are its figures of" in told.value
    assert "0 min ago" in told.value


def test_serving_is_not_asked_again_at_once_while_it_is_away(machine):
    asked = []

    def count(request):
        asked.append(request)
        raise httpx.ConnectError("refused")

    machine(count)
    page_of("performance").run()
    assert len(asked) == 1


def test_a_prometheus_that_is_away_is_told_in_each_part_with_what_to_do(cluster, monkeypatch):
    client = httpx.Client(base_url="http://prometheus", transport=httpx.MockTransport(refuse))
    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_NAMESPACES", "spam")
    monkeypatch.setattr(page, "open_prometheus", lambda: Prometheus(client))
    cluster(seen("sms"))
    app = page_of("performance")
    assert not app.error
    traffic, serving = [each.value.replace("\\", "") for each in app.warning]
    assert traffic.startswith("Prometheus can't be asked. Traffic can't be shown.")
    assert serving.startswith("Prometheus can't be asked. Latency, queue, drops and errors can't be shown.")
    assert "AUTORETRAIN_PROMETHEUS_URL" in traffic
    assert "Errno" not in traffic + serving
    assert [info.value for info in app.info] == ["Labels can't be counted either: Prometheus counts them here."]


def test_an_address_that_is_none_is_told_like_a_prometheus_that_is_away(cluster, monkeypatch):
    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_NAMESPACES", "spam")
    monkeypatch.setenv("AUTORETRAIN_PROMETHEUS_URL", "http://prometheus:port")
    cluster(seen("sms"))
    app = page_of("performance")
    assert not app.error
    assert "AUTORETRAIN_PROMETHEUS_URL" in app.warning[0].value.replace("\\", "")
