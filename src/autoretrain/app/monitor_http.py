"""What does the monitor's port answer? Metrics to Prometheus; on a cluster it takes the controller's alerts too."""

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from socketserver import ThreadingMixIn
from typing import Annotated, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from pydantic import Field, TypeAdapter, ValidationError

from autoretrain.adapters.alerts import Trial
from autoretrain.domain.plan import Alert

ALERTS_PATH: Final = "/alerts"
TEST_PATH: Final = "/alerts/test"
MOST_BYTES: Final = 64 * 2**10
MOST_ALERTS: Final = 20
SOCKET_SECONDS: Final = 10

_alerts: TypeAdapter[list[Alert]] = TypeAdapter(Annotated[list[Alert], Field(max_length=MOST_ALERTS)])


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = SOCKET_SECONDS

    def log_message(self, *_: Any) -> None:
        """Prometheus comes every few seconds; there is nothing to say about it."""


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
    app = build_app(registry, take, test)
    server = make_server(host, port, app, server_class=_Server, handler_class=_Handler)
    threading.Thread(target=server.serve_forever, name="the monitor's port", daemon=True).start()
    return server


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
    if environ["REQUEST_METHOD"] != "POST":
        return "405 Method Not Allowed", "alerts are brought by POST"
    length = environ.get("CONTENT_LENGTH") or ""
    if not length.isdigit():
        return "411 Length Required", "Content-Length is missing"
    if int(length) > MOST_BYTES:
        return "413 Content Too Large", f"at most {MOST_BYTES} bytes"
    try:
        alerts = _alerts.validate_json(environ["wsgi.input"].read(int(length)))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return "422 Unprocessable Content", f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    for alert in alerts:
        take(alert)
    return "202 Accepted", ""
