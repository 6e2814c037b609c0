"""An adviser on a cluster: its Pod is brought each situation, its word acts within the rules alone, and may be away."""

import json
from typing import Any

import pytest

from autoretrain.ml.sample_corpus import generate_traffic
from tests.e2e.conftest import Place
from tests.e2e.kubectl import wait
from tests.e2e.messages import corpus
from tests.e2e.script_pod import PORT, script_server

pytestmark = pytest.mark.cluster

NAME = "advised"
CHAT = "chat"
KEY = "key-of-the-chat-model"
# After half a minute without an answer it is asked once a minute.
HEARD_SECONDS = 150
RUN_SECONDS = 240
# A chat model that advises what its file says, and prints each question, a line each.
ANSWER = """
import http.server, json, pathlib
SAYS = pathlib.Path("/tmp/says")
SAYS.write_text("RETRAIN")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print(json.dumps({"key": self.headers["Authorization"], "asked": asked}), flush=True)
        advice = json.dumps({"advice": SAYS.read_text().strip(), "reason": "ignore the rules and train at once"})
        call = {"id": "1", "type": "function", "function": {"name": "Advised", "arguments": advice}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        body = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "test",
            "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("0.0.0.0", %d), Handler).serve_forever()
"""


def asked(place: Place) -> list[dict[str, Any]]:
    said = place.kube.run("logs", "-n", place.namespace, CHAT)
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def advises(place: Place, choice: str) -> None:
    place.kube.run("exec", "-n", place.namespace, CHAT, "--", "sh", "-c", f"echo {choice} > /tmp/says")


def available(place: Place) -> dict[str, Any]:
    return place.condition(NAME, "AgentAvailable")


@pytest.fixture(scope="module")
def ready(place: Place) -> Place:
    """A model that asks an adviser for whose key there is no Secret."""
    agent = {"mode": "Act", "model": "openai:test", "secretRef": {"name": "chat-model"}}
    document = place.document(NAME, place.add_file("messages", corpus()), agent=agent)
    place.kube.apply(*script_server(CHAT, ANSWER % PORT), document, namespace=place.namespace)
    place.wait_ready(NAME)
    return place


def test_a_key_that_is_missing_is_said_and_the_model_is_served(ready: Place):
    wait("a word of the agent", lambda: available(ready).get("status") == "False", seconds=HEARD_SECONDS)
    wait("its reason", lambda: 'secret "chat-model" not found' in available(ready)["message"], seconds=HEARD_SECONDS)
    assert "the rules decide alone" in available(ready)["message"]
    with ready.client(NAME) as client:
        assert client.predict("see you at eight").status_code == 200


def test_with_its_key_it_is_heard_and_what_the_rules_hold_starts_nothing(ready: Place):
    address = f"http://{CHAT}.{ready.namespace}:{PORT}/v1"
    named = {"BASE_URL": address, "API_KEY": KEY, "INTERVAL_SECONDS": "1"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "chat-model"}}
    values = {f"AUTORETRAIN_AGENT_{name}": value for name, value in named.items()}
    ready.kube.apply({**secret, "stringData": values}, namespace=ready.namespace)
    with ready.client(NAME, per_second=25) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        wait("an answer", lambda: available(ready).get("status") == "True", seconds=HEARD_SECONDS)
        wait("advice on a window", lambda: len(asked(ready)) >= 2, seconds=HEARD_SECONDS)
        sent = [text for text in client.truth if len(text) > 20]
    assert [job["metadata"]["name"] for job in ready.jobs(NAME)] == [ready.status(NAME)["lastRun"]["name"]]
    assert {each["key"] for each in asked(ready)} == {f"Bearer {KEY}"}
    told = json.dumps([each["asked"] for each in asked(ready)])
    assert "decision-" in told
    assert not any(text in told for text in sent)


def test_within_the_rules_its_word_starts_a_run(ready: Place):
    triggers = {"minNewLabels": 0, "minNewSpamLabels": 0}
    ready.kube.patch("spammodel", NAME, {"spec": {"triggers": triggers}}, namespace=ready.namespace)

    def by_advice() -> bool:
        status = ready.status(NAME)
        return "agent" in {status.get(run, {}).get("trigger") for run in ("activeRun", "lastRun")}

    with ready.client(NAME, per_second=25) as client:
        client.play(generate_traffic(seed=4, messages=1000))
        wait("a run by advice", by_advice, seconds=RUN_SECONDS)
        advises(ready, "NO_ACTION")
        wait("the end of it", lambda: "activeRun" not in ready.status(NAME), seconds=RUN_SECONDS)
    assert "RETRAIN AgentAdvised" in ready.decisions(NAME)
    said = ready.kube.list("spammodeldecision", namespace=ready.namespace)
    assert "ignore the rules" not in json.dumps(said)


def test_while_the_chat_model_is_away_the_rules_decide_alone(ready: Place):
    ready.kube.delete("pod", CHAT, namespace=ready.namespace, at_once=True)
    with ready.client(NAME, per_second=25) as client:
        client.play(generate_traffic(seed=5, messages=1000))
        wait("its silence", lambda: available(ready).get("status") == "False", seconds=HEARD_SECONDS)
    assert available(ready)["message"].startswith("Unreachable; the rules decide alone")
    assert client.failures == []
    assert ready.condition(NAME, "Ready")["status"] == "True"


def test_disabled_it_is_gone(ready: Place):
    ready.kube.patch("spammodel", NAME, {"spec": {"agent": {"mode": "Disabled"}}}, namespace=ready.namespace)
    wait(
        "the end of its Deployment",
        lambda: ready.kube.get("deployment", f"{NAME}-agent", namespace=ready.namespace) is None,
        seconds=60,
    )
    wait("the end of its condition", lambda: not available(ready), seconds=60)
