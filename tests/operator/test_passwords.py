"""The passwords of a new installation: all in one Secret, each its own, none of a Secret that exists ever changed."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count

import pytest

from controller.passwords import build_secret, create_secret


@pytest.fixture
def api():
    """An API server with room for one Secret."""
    stored = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            code = 409 if stored else 201
            if not stored:
                stored.append((self.path, self.headers["Authorization"], body))
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", stored
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_secret_holds_a_password_a_role_and_the_address_of_the_store():
    numbers = count(1)
    secret = build_secret("here", password=lambda: f"p{next(numbers)}")
    assert secret["stringData"] == {
        "postgres": "p2",
        "mlflow": "p3",
        "autoretrain": "p1",
        "url": "postgresql://autoretrain:p1@postgres.here:5432/autoretrain",
    }
    assert secret["immutable"] is True


def test_two_installations_share_no_password():
    one, other = (set(build_secret("here")["stringData"].values()) for _ in range(2))
    assert not one & other


def test_a_secret_that_exists_is_left_as_it_is(api):
    address, stored = api
    first, second = build_secret("here"), build_secret("here")
    assert create_secret(address, token="t", body=first, context=None) is True
    assert create_secret(address, token="t", body=second, context=None) is False
    assert stored == [("/api/v1/namespaces/here/secrets", "Bearer t", first)]
