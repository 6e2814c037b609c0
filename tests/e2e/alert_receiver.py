"""Somebody who is on duty: a Pod that takes alerts, and what it was told."""

import json

from tests.e2e.conftest import Place
from tests.e2e.kubectl import Object
from tests.e2e.script_pod import PORT, script_server

RECEIVER = "receiver"
# Prints what it is sent, a line each: the log is what the test reads.
RECEIVE = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(204)
        self.end_headers()
http.server.ThreadingHTTPServer(("0.0.0.0", %d), Handler).serve_forever()
"""


def receiver() -> tuple[Object, Object]:
    """Return a Pod that keeps what it is sent, and its Service."""
    return script_server(RECEIVER, RECEIVE % PORT)


def people(place: Place) -> Object:
    """Return the Secret with the receiver's address, as `alerts.secretRef` names it."""
    address = f"json://{RECEIVER}.{place.namespace}:{PORT}/alerts"
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "people"},
        "stringData": {"urls": f"# who is on duty\n{address}\n"},
    }


def received(place: Place) -> list[Object]:
    said = place.kube.run("logs", "-n", place.namespace, RECEIVER)
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def told(place: Place, name: str, what: str) -> list[Object]:
    """Return what was received of it; what happened at once with it is in the same message."""
    titles = f"{place.namespace}.{name}: "
    return [alert for alert in received(place) if alert["title"].startswith(titles) and what in alert["title"]]
