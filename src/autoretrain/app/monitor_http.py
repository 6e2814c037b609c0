"""What does the monitor's port answer? Metrics to Prometheus; on a cluster it takes the controller's alerts too."""

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC
from typing import Annotated, Final
from wsgiref.simple_server import WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from autoretrain.adapters.alerts import Trial
from autoretrain.app.http_port import BadBody, listen, read_posted
from autoretrain.domain.plan import Alert

ALERTS_PATH: Final = "/alerts"
TEST_PATH: Final = "/alerts/test"
MOST_BYTES: Final = 64 * 2**10
MOST_ALERTS: Final = 20
LONGEST_EVENT: Final = 64


def _fit_to_tell(alert: Alert) -> Alert:
    """Refuse what would end in the log as it is, and a time that can't be written down."""
    if not (alert.event.isascii() and alert.event.isalpha() and len(alert.event) <= LONGEST_EVENT):
        raise ValueError("event is no event")
    try:
        if alert.at is not None:
            alert.at.astimezone(UTC)
    except OverflowError:
        raise ValueError("at is no time in UTC") from None
    return alert


_alerts: TypeAdapter[list[Alert]] = TypeAdapter(
    Annotated[list[Annotated[Alert, AfterValidator(_fit_to_tell)]], Field(max_length=MOST_ALERTS)]
)


def serve(
    registry: CollectorRegistry,
    *,
    host: str,
    port: int,
    take: Callable[[Alert], None] | None = None,
    test: Callable[[], Sequence[Trial]] | None = None,
) -> WSGIServer:
    """Answer, in threads of its own, until the process ends.

    `take` gets each alert, `test` tries every address; with None the door is not there.
    """
    return listen(build_app(registry, take, test), host=host, port=port)


def build_app(
    registry: CollectorRegistry,
    take: Callable[[Alert], None] | None,
    test: Callable[[], Sequence[Trial]] | None = None,
) -> WSGIApplication:
    metrics = make_wsgi_app(registry)
    testing = threading.Lock()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        kind = "text/plain; charset=utf-8"
        if take is not None and environ["PATH_INFO"] == ALERTS_PATH:
            status, said = _take(environ, take)
        elif test is not None and environ["PATH_INFO"] == TEST_PATH:
            status, said = _test(environ, test, testing)
            kind = "application/json" if status.startswith("200") else kind
        else:
            answer: Iterable[bytes] = metrics(environ, start_response)
            return answer
        body = said.encode()
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    return app


def _test(environ: WSGIEnvironment, test: Callable[[], Sequence[Trial]], testing: threading.Lock) -> tuple[str, str]:
    """Try every address, one test at a time. Return status and how it went, as JSON."""
    if environ["REQUEST_METHOD"] != "POST":
        return "405 Method Not Allowed", "a test is asked for by POST"
    if not testing.acquire(blocking=False):
        return "429 Too Many Requests", "a test is under way"
    try:
        return "200 OK", json.dumps([asdict(trial) for trial in test()])
    finally:
        testing.release()


def _take(environ: WSGIEnvironment, take: Callable[[Alert], None]) -> tuple[str, str]:
    """Hand on the alerts of a request: all of them, or none where one does not fit. Return status and reason."""
    try:
        alerts = _alerts.validate_json(read_posted(environ, most_bytes=MOST_BYTES))
    except BadBody as bad:
        return bad.status, str(bad)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return "422 Unprocessable Content", f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    for alert in alerts:
        take(alert)
    return "202 Accepted", ""
