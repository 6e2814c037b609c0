"""People are told: the controller hands an alert to the monitor, which sends it to the addresses of a Secret."""

import json

import pytest

from tests.e2e.conftest import Place
from tests.e2e.kubectl import Object, wait
from tests.e2e.messages import corpus

pytestmark = pytest.mark.cluster

NAME = "told"
RECEIVER = "receiver"
PORT = 8000
DELIVERED_SECONDS = 60
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
    """Return a Pod that keeps what it is sent, in the image of serving, which the cluster has, and its Service."""
    container = {
        "name": RECEIVER,
        "image": "autoretrain/serving:dev",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", RECEIVE % PORT],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    labels = {"app": RECEIVER}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": RECEIVER, "labels": labels},
        "spec": {
            "containers": [container],
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": RECEIVER},
        "spec": {"selector": labels, "ports": [{"port": PORT}]},
    }
    return pod, service


def received(place: Place) -> list[Object]:
    said = place.kube.run("logs", "-n", place.namespace, RECEIVER)
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def test_a_run_is_told_to_the_addresses_of_the_secret(place: Place):
    address = f"json://{RECEIVER}.{place.namespace}:{PORT}/alerts"
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "people"},
        "stringData": {"urls": f"# who is on duty\n{address}\n"},
    }
    place.kube.apply(*receiver(), secret, namespace=place.namespace)
    document = place.document(NAME, place.add_file("messages", corpus()), alerts={"secretRef": {"name": "people"}})
    document["spec"]["serving"]["scaling"] = {"replicas": 1}
    place.kube.apply(document, namespace=place.namespace)
    place.wait_ready(NAME)
    wait("the first model", lambda: told(place, "a new champion is served"), seconds=DELIVERED_SECONDS)
    place.kube.annotate(NAME, namespace=place.namespace, retrain_requested="tell-me", actor="ann")
    wait(
        "the run",
        lambda: any("ManualRequest" in alert["message"] for alert in told(place, "a training run started")),
        seconds=DELIVERED_SECONDS,
    )


def told(place: Place, what: str) -> list[Object]:
    """Return what was received of it; what happened at once with it is in the same message."""
    titles = f"{place.namespace}.{NAME}: "
    return [alert for alert in received(place) if alert["title"].startswith(titles) and what in alert["title"]]
