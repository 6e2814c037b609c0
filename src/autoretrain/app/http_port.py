"""A small HTTP server for processes whose work is something else: a page of metrics and a door or two."""

import re
import threading
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import WSGIApplication, WSGIEnvironment

SOCKET_SECONDS: Final = 10
_NUMBER: Final = re.compile(r"[0-9]{1,18}")


class BadBody(Exception):  # noqa: N818 - named for what it says
    """The request has no body that can be read. `status` is what is answered."""

    def __init__(self, status: str, reason: str) -> None:
        self.status = status
        super().__init__(reason)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = SOCKET_SECONDS

    def log_message(self, *_: Any) -> None:
        """Prometheus comes every few seconds; there is nothing to say about it."""


def listen(app: WSGIApplication, *, host: str, port: int) -> WSGIServer:
    """Let `app` answer in threads of its own until the process ends."""
    server = make_server(host, port, app, server_class=_Server, handler_class=_Handler)
    threading.Thread(target=server.serve_forever, name="http port", daemon=True).start()
    return server


def read_posted(environ: WSGIEnvironment, *, most_bytes: int) -> bytes:
    """Return the body of a POST. Raises BadBody for another method, no length, and more than `most_bytes`."""
    if environ["REQUEST_METHOD"] != "POST":
        raise BadBody("405 Method Not Allowed", "this is brought by POST")
    length = environ.get("CONTENT_LENGTH") or ""
    if not _NUMBER.fullmatch(length):
        raise BadBody("411 Length Required", "Content-Length is missing")
    if int(length) > most_bytes:
        raise BadBody("413 Content Too Large", f"at most {most_bytes} bytes")
    body: bytes = environ["wsgi.input"].read(int(length))
    return body
