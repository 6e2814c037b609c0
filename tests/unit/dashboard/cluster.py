"""A cluster of one SpamModel for pages: what its API server answers, and no store."""

import json

import httpx

from autoretrain.adapters import spammodel
from autoretrain.adapters.kube_api import KubeApi
from autoretrain.app.cluster_fleet import ClusterFleet
from tests.spec_cases import VALID

KEY = "spam.sms-spam"


def enter_cluster(monkeypatch, tmp_path, *, status, records=()):
    """Let the dashboard of this test run in a Pod; `records` are of the ledger, oldest first, numbered from 1."""
    document = {**VALID, "metadata": {"name": "sms-spam", "namespace": "spam"}}
    resource = spammodel.render_document(document, status=status, uid="uid-1", generation=1)
    told = ("at", "decision", "reason", "message")
    decisions = [
        {"spec": {name: record[name] for name in told} | {"sequence": number, "record": json.dumps(record)}}
        for number, record in enumerate(records, start=1)
    ]

    def answer(request):
        items = decisions if request.url.path.endswith("spammodeldecisions") else [resource]
        return httpx.Response(200, json={"items": items})

    (tmp_path / "token").write_text("token")
    api = KubeApi(httpx.Client(base_url="https://api", transport=httpx.MockTransport(answer)), "", tmp_path)
    fleet = ClusterFleet(api, ("spam",), None, f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr(ClusterFleet, "open", classmethod(lambda _cls, _settings: fleet))
    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_NAMESPACES", "spam")
