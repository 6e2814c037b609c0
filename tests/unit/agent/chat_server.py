"""A chat-completions server on loopback that follows a script, also where the script breaks every rule."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Write = Callable[[BaseHTTPRequestHandler], None]


def body(content: bytes | str, *, status: int = 200, kind: str = "application/json", **headers: str) -> Write:
    """Answer with exactly this."""
    data = content.encode() if isinstance(content, str) else content

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return write


def completion(message: dict[str, Any], *, usage: Any = None, finish: str = "stop") -> Write:
    """Answer with one choice, as OpenAI's API has it."""
    usage = usage or {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": None, **message}}
    answer = {"id": "c1", "object": "chat.completion", "created": 1, "model": "test", "choices": [choice]}
    return body(json.dumps({**answer, "usage": usage}))


def call(name: str, arguments: Any, *, number: int = 1) -> dict[str, Any]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": f"call-{number}", "type": "function", "function": {"name": name, "arguments": text}}


def calling(name: str, arguments: Any = None, **options: Any) -> Write:
    """Answer with one call of a tool."""
    return completion({"tool_calls": [call(name, arguments or {})]}, finish="tool_calls", **options)


def advising(choice: str, *, reason: str = "because", **more: Any) -> Write:
    return calling("Advised", {"advice": choice, "reason": reason, **more})


def trickling(stop: threading.Event) -> Write:
    """Send a byte now and then, for ever; no read of it times out."""

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not stop.wait(0.02):
            try:
                handler.wfile.write(b" ")
            except OSError:
                return

    return write


def hanging(stop: threading.Event) -> Write:
    """Take the request and say nothing."""
    return lambda _handler: stop.wait(30) and None


def cutting_off(handler: BaseHTTPRequestHandler) -> None:
    """Promise an answer and break off in the middle of it."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"id": "c1", "choi')
    handler.close_connection = True


@dataclass
class ChatServer:
    """Answers with the script's entries in turn; the last one again and again."""

    url: str
    stop: threading.Event
    script: Sequence[Write] = ()
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@contextmanager
def chat_server(*, keeps_alive: bool = False) -> Iterator[ChatServer]:
    """Yield a server; one that `keeps_alive` leaves connections open for further requests, as real ones do."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1" if keeps_alive else "HTTP/1.0"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            server.asked.append(json.loads(self.rfile.read(length)))
            server.keys.append(self.headers.get("Authorization", ""))
            script = server.script
            with suppress(ConnectionError):  # who was sent too much, or waited too long, hangs up
                script[min(len(server.asked), len(script)) - 1](self)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = ChatServer(f"http://127.0.0.1:{http.server_port}/v1", threading.Event())
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop.set()
        http.shutdown()
        http.server_close()
        thread.join()
