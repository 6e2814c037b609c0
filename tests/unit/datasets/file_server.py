"""A server on this machine whose answers a test chooses: whole, broken off, moved, or none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

Answer = Callable[[BaseHTTPRequestHandler], object]


@dataclass
class FileServer:
    """Answers by path, whatever the query; keeps path and headers of every request, two of them apart."""

    address: str
    answers: dict[str, Answer] = field(default_factory=dict)
    ranges: list[str | None] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    requests: list[tuple[str, Message]] = field(default_factory=list)

    def serve(self, answer: Answer) -> str:
        path = f"/{len(self.answers)}"
        self.answers[path] = answer
        return self.address + path


@contextmanager
def served_files() -> Iterator[FileServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.ranges.append(self.headers["Range"])
            known.authorizations.append(self.headers["Authorization"])
            known.requests.append((self.path, self.headers))
            known.answers[self.path.partition("?")[0]](self)

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hung up is part of the test
    known = FileServer(f"http://127.0.0.1:{listening.server_port}")
    thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield known
    listening.shutdown()
    thread.join()
    listening.server_close()


def whole(data: bytes) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def resumable(data: bytes, *, cut: int) -> Answer:
    """Breaks off after `cut` bytes of every answer, and goes on where a Range asks it to."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers["Range"]
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        handler.send_response(206 if asked else 200)
        if asked:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        handler.send_header("Content-Length", str(len(data) - start))
        handler.end_headers()
        handler.wfile.write(data[start : start + cut])

    return answer


def status(code: int, **headers: str) -> Answer:
    """An answer without a body; `x_amz_bucket_region` among `headers` is x-amz-bucket-region."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def moved(to: str) -> Answer:
    return status(302, location=to)
