"""What `helm test` runs: does it wait for an answer, and tell a prediction from something else?"""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.chart.rendering import CHART, SYSTEM, needs_helm, objects_of

SCRIPT = (CHART / "files" / "predict.py").read_text()


@pytest.fixture
def server():
    """Answers what the test put into it, one answer a request; the last one again and again."""
    answers, seen = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            code, text = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *arguments):
            pass

    running = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}/", answers, seen
    running.shutdown()
    thread.join()
    running.server_close()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=False)


def test_a_prediction_is_success_and_is_shown(server):
    address, answers, seen = server
    answers.append((200, '{"prediction": "spam"}'))
    done = run(address, "30", "win a prize")
    assert (done.returncode, json.loads(seen[0])) == (0, {"message": "win a prize"})
    assert '"prediction": "spam"' in done.stdout


def test_an_answer_of_another_kind_is_a_failure(server):
    address, answers, _ = server
    answers.append((200, '{"prediction": "maybe"}'))
    assert run(address, "30", "win a prize").returncode == 1


def test_what_never_answers_is_a_failure_that_says_what_it_said(server):
    address, answers, _ = server
    answers.append((503, "no model is served yet"))
    done = run(address, "0")
    assert done.returncode == 1
    assert "503" in done.stderr


def test_readiness_needs_no_prediction(server):
    address, answers, seen = server
    answers.append((200, "ok"))
    assert (run(address, "30").returncode, seen) == (0, [b""])


@needs_helm
def test_the_script_reaches_the_pod_whole():
    container = objects_of()[f"Pod/{SYSTEM}/autoretrain-test"]["spec"]["containers"][0]
    assert container["command"][-1].strip() == SCRIPT.strip()
