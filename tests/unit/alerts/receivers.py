"""Receivers on loopback: a webhook and a mail server, as real as a delivery needs and as bad as one wants."""

import base64
import contextlib
import http.server
import json
import socket
import socketserver
import threading
import time
from email import message_from_bytes, policy

HALF = "half"
"""An answer that breaks off within its body."""

UNREADABLE = "unreadable"
"""A refusal with a header that is none."""


@contextlib.contextmanager
def served(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextlib.contextmanager
def never_answering():
    """An address that takes a connection and says nothing; yields it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@contextlib.contextmanager
def never_ending():
    """A webhook whose answer has no end; yields its address, and its connections."""
    over, connections = threading.Event(), []

    def answer(connection, _address):
        connections.append(connection)
        with contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not over.wait(0.01):
                connection.sendall(b"x")

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=server.accept(), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}", connections
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)
            for connection in connections:
                connection.close()


def nobody() -> str:
    """Return an address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


class WebhookServer(http.server.ThreadingHTTPServer):
    """Keeps what is posted and when; answers with the next of `answers`, then 200. `gate` holds every answer back.

    `disliked` are words and the status that a message with one of them is answered.
    """

    def __init__(self, answers=(), disliked=()):
        super().__init__(("127.0.0.1", 0), WebhookHandler)
        self.disliked = dict(disliked)
        self.answers, self.posts, self.times, self.gate = list(answers), [], [], threading.Event()
        self.gate.set()

    @property
    def address(self):
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def told(self):
        """What was posted, as title and text, without the carriage returns of Apprise."""
        return [(body.get("title", ""), body["message"].replace("\r", "")) for _path, body in self.posts]


class WebhookHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.posts.append((self.path, body))
        self.server.times.append(time.monotonic())
        self.server.gate.wait(5)
        answer = self.server.answers.pop(0) if self.server.answers else 200
        answer = next((status for word, status in self.server.disliked.items() if word in str(body)), answer)
        self.send_response({HALF: 200, UNREADABLE: 500}.get(answer, answer))
        if answer == UNREADABLE:
            self._headers_buffer.append(b"no header\r\n")
        if answer == HALF:
            self.send_header("Content-Length", "100")
        self.end_headers()
        if answer == HALF:
            self.wfile.write(b"half")

    def log_message(self, *_args):
        pass


class MailServer(socketserver.ThreadingTCPServer):
    """As much SMTP as a delivery takes: greeting, login, one envelope, data. `refusals` letters are refused.

    `unknown` are receivers that it does not have.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, refusals=0, unknown=()):
        super().__init__(("127.0.0.1", 0), MailHandler)
        self.unknown = unknown
        self.refusals, self.logins, self.envelopes, self.letters = refusals, [], [], []

    @property
    def url(self):
        address = f"127.0.0.1:{self.server_address[1]}"
        return f"mailto://{address}/?smtp=127.0.0.1&mode=insecure&from=a@example.com&to=b@example.com"


class MailHandler(socketserver.StreamRequestHandler):
    timeout = 5

    def handle(self):
        self.say("220 test")
        receivers = []
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].upper()
            if verb == "EHLO":
                self.say("250-test\r\n250 AUTH PLAIN")
            elif verb == "AUTH":
                self.server.logins.append(base64.b64decode(line.split()[2]).decode().split("\0")[1:])
                self.say("235 welcome")
            elif verb == "RCPT":
                receivers.append(line.split("<")[1].split(">")[0])
                self.say("550 nobody of that name" if receivers[-1] in self.server.unknown else "250 yes")
            elif verb == "RSET":
                receivers.clear()
                self.say("250 yes")
            elif verb == "DATA" and self.server.refusals:
                self.server.refusals -= 1
                self.say("451 come again")
            elif verb == "DATA":
                self.say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.letters.append(message_from_bytes(b"".join(lines), policy=policy.default))
                self.server.envelopes.append(tuple(receivers))
                receivers.clear()
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 yes")

    def say(self, line):
        self.wfile.write(f"{line}\r\n".encode())
