"""What makes the sample, and which: one SpamModel, where there is none of its name, once the cluster knows the kind."""

import importlib.util
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from autoretrain.adapters.spammodel import parse_spam_model
from tests.chart.rendering import (
    ALL,
    CHART,
    SYSTEM,
    container_of,
    needs_helm,
    objects_of,
    settings_of,
    template,
    without_policies,
)

PATH = CHART / "files" / "sample.py"
MODEL = {"apiVersion": "autoretrain.dev/v1alpha1", "kind": "SpamModel", "metadata": {"name": "a", "namespace": "spam"}}


@pytest.fixture
def script(monkeypatch):
    spec = importlib.util.spec_from_file_location("sample", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    return module


@pytest.fixture
def api():
    """Answers with the codes that the test put into it, the last one again and again, and keeps what was sent."""
    codes, seen = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.path, self.headers["Authorization"], body))
            code = codes.pop(0) if len(codes) > 1 else codes[0]
            text = f"the answer {code}".encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", codes, seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_is_created_in_its_namespace(script, api):
    address, codes, seen = api
    codes.append(201)
    assert script.create_in_time(address, MODEL, seconds=10, token="t") == 0
    assert seen == [("/apis/autoretrain.dev/v1alpha1/namespaces/spam/spammodels", "Bearer t", MODEL)]


def test_one_that_is_there_stays_and_is_success(script, api, capsys):
    address, codes, seen = api
    codes.append(409)
    assert script.create_in_time(address, MODEL, seconds=10, token="t") == 0
    assert len(seen) == 1
    assert "was there and stays as it is" in capsys.readouterr().out


def test_a_kind_or_a_right_that_is_not_there_yet_is_waited_for(script, api):
    address, codes, seen = api
    codes += [404, 403, 500, 201]
    assert script.create_in_time(address, MODEL, seconds=10, token="t") == 0
    assert len(seen) == 4


def test_a_wrong_document_fails_at_once_with_what_the_server_said(script, api, capsys):
    address, codes, seen = api
    codes.append(422)
    assert script.create_in_time(address, MODEL, seconds=10, token="t") == 1
    assert len(seen) == 1
    assert "the answer 422" in capsys.readouterr().err


@pytest.mark.parametrize("code", [404, 500])
def test_what_never_comes_is_a_failure(script, api, code: int):
    address, codes, _ = api
    codes.append(code)
    assert script.create_in_time(address, MODEL, seconds=0, token="t") == 1


def test_a_server_that_does_not_answer_is_a_failure_in_the_end(script):
    assert script.create_in_time("http://127.0.0.1:1", MODEL, seconds=0, token="t") == 1


@needs_helm
def test_the_script_reaches_the_pod_whole():
    pod = objects_of("namespaces")[f"Job/{SYSTEM}/autoretrain-sample"]["spec"]["template"]
    assert container_of(pod)["command"][-1].strip() == PATH.read_text().strip()


def sample_of(documents: dict[str, Any]) -> dict[str, Any]:
    """The SpamModel that the Job is to create."""
    (text,) = container_of(documents[f"Job/{SYSTEM}/autoretrain-sample"]["spec"]["template"])["args"]
    return json.loads(text)


@needs_helm
@pytest.mark.parametrize("values", ["namespaces", "full"])
def test_the_sample_is_a_valid_spammodel_that_is_looked_after(values: str):
    model = parse_spam_model(sample_of(objects_of(values)), uid="", generation=1)
    assert model.namespace in settings_of(values).watched_namespaces


@needs_helm
def test_the_sample_is_what_the_values_say():
    sample = sample_of(objects_of("full"))
    assert sample["metadata"] == {
        "name": "ours",
        "namespace": "ham",
        "labels": {"team": "abuse", "app.kubernetes.io/name": "not-taken"},
        "annotations": {"example.com/owner": "abuse"},
    }
    assert sample["spec"]["serving"]["ingress"] == {"host": "ham.test"}
    assert sample["spec"]["promotion"] == {"approval": "Manual"}


@needs_helm
def test_the_sample_takes_another_source_of_data_instead_of_its_own():
    data = {"volume": {"configMap": {"name": "messages"}, "path": "messages.tsv"}}
    options = ("--set", "samples.smsSpam.enabled=true", "--set-json", f"samples.smsSpam.spec.data={json.dumps(data)}")
    assert sample_of(objects_of("", *options))["spec"]["data"] == data


@needs_helm
@pytest.mark.parametrize("values", ["namespaces", "full"])
def test_who_makes_the_sample_may_do_nothing_else_and_is_gone_afterwards(values: str):
    documents = objects_of(values)
    namespace = sample_of(documents)["metadata"]["namespace"]
    made = {key: each for key, each in without_policies(documents) if key.endswith("/autoretrain-sample")}
    assert made[f"Role/{namespace}/autoretrain-sample"]["rules"] == [
        {"apiGroups": ["autoretrain.dev"], "resources": ["spammodels"], "verbs": ["create"]}
    ]
    annotations = [each["metadata"]["annotations"] for each in made.values()]
    assert {each["helm.sh/hook"] for each in annotations} == {"post-install,post-upgrade"}
    assert {each["helm.sh/hook-delete-policy"] for each in annotations} == {"before-hook-creation,hook-succeeded"}
    assert len(made) == 4


@needs_helm
def test_helm_itself_neither_makes_nor_replaces_nor_deletes_a_spammodel():
    assert not [key for values in ALL for key in objects_of(values) if key.startswith("SpamModel/")]


@needs_helm
def test_the_sample_is_off_unless_asked_for():
    assert not [key for key in objects_of() if "sample" in key]


@needs_helm
def test_the_sample_finds_the_charts_own_store():
    sample = sample_of(objects_of("", "--set", "samples.smsSpam.enabled=true"))
    assert sample["spec"]["store"] == {"secretRef": {"name": "postgres-passwords", "key": "url"}}
    assert sample["metadata"]["namespace"] == SYSTEM


@needs_helm
def test_a_sample_that_nobody_would_look_after_is_refused():
    done = template("namespaces", "--set", "samples.smsSpam.namespace=elsewhere")
    assert "the namespace elsewhere is not among operator.namespaces" in done.stderr
