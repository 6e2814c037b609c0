"""The live counters are read by version, and a quantile is none where there is too little to go by."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from autoretrain.app.serving_client import LiveFigures, ServingClient, parse_figures, quantile
from autoretrain.domain.messages import Label

TEXT = """\
# TYPE autoretrain_prediction_duration_seconds histogram
autoretrain_prediction_duration_seconds_bucket{spammodel="default.sms",model_version="v2",le="0.001"} 90
autoretrain_prediction_duration_seconds_bucket{spammodel="default.sms",model_version="v2",le="0.002"} 190
autoretrain_prediction_duration_seconds_bucket{spammodel="default.sms",model_version="v2",le="+Inf"} 200
# TYPE autoretrain_prediction_errors counter
autoretrain_prediction_errors_total{spammodel="default.sms",model_version="v2"} 4
"""


def test_requests_errors_and_p95_are_read_by_version():
    assert parse_figures(TEXT) == {"2": LiveFigures(requests=200, errors=4, p95_seconds=pytest.approx(0.002))}


def test_a_bucket_without_its_bound_is_left_out():
    bare = 'autoretrain_prediction_duration_seconds_bucket{model_version="v3"} 200\n'
    assert parse_figures(TEXT + bare) == parse_figures(TEXT)


@pytest.mark.parametrize(("other", "labels"), [("v2", [Label.HAM, Label.SPAM]), ("v3", None)])
def test_labels_count_only_where_the_version_that_is_asked_about_gave_all_of_them(other, labels):
    rows = [{"prediction": "ham", "model_version": "v2"}, {"prediction": "spam", "model_version": other}]
    client = ServingClient("http://test")
    answered = httpx.MockTransport(lambda _request: httpx.Response(200, json={"predictions": rows}))
    client._http = httpx.Client(transport=answered, base_url="http://test")
    assert client.labels_of(["a", "b"], version="2") == labels


def test_the_first_key_is_shown_as_the_file_is_now_and_none_where_it_can_not_be_read(tmp_path: Path):
    shown: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            shown.append(self.headers["x-api-key"])
            self.send_error(404)

        def log_message(self, *_arguments):
            pass

    keys = tmp_path / "keys"
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        client = ServingClient(f"http://127.0.0.1:{server.server_port}", keys_file=keys)
        for text in (
            "a: first-key-of-16-chars\nb: second-key-of-16-chars\n",
            "b: second-key-of-16-chars\n",
            "nonsense",
        ):
            keys.write_text(text)
            client.figures()
        client.close()
        server.shutdown()
    assert shown == ["first-key-of-16-chars", "second-key-of-16-chars", None]


@pytest.mark.parametrize("answer", [httpx.Response(401, text="<!DOCTYPE HTML>"), httpx.Response(200, text="<html>no")])
def test_an_answer_that_is_no_exposition_gives_no_figures(answer: httpx.Response):
    client = ServingClient("http://test")
    client._http = httpx.Client(transport=httpx.MockTransport(lambda _request: answer), base_url="http://test")
    assert client.figures() == {}


def test_a_quantile_of_few_observations_is_none():
    assert quantile([(0.1, 5), (float("inf"), 9)], 0.95) is None


def test_a_quantile_beyond_the_last_bucket_is_its_lower_edge():
    assert quantile([(0.1, 10), (float("inf"), 200)], 0.95) == 0.1


def test_an_interpolated_quantile_lies_within_its_bucket():
    assert quantile([(1.0, 0), (2.0, 1000), (float("inf"), 1000)], 0.5) == pytest.approx(1.5)
