"""What do the services behind the operator know? Prometheus and MLflow are asked by a port-forward, as by a person."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import httpx

from autoretrain.adapters.evidence_metrics import Evidence, Sample, parse_evidence
from tests.e2e.conftest import SYSTEM, Place
from tests.e2e.kubectl import Kubectl

TIMEOUT_SECONDS = 15.0
HISTORY_SECONDS = 900
API = "/api/2.0/mlflow"


def ask_prometheus(kube: Kubectl, query: str, *, namespace: str = SYSTEM) -> list[dict[str, Any]]:
    """The series of the answer to an instant query."""
    with kube.forwarded("service/prometheus", 9090, namespace=namespace) as address:
        answer = httpx.get(f"{address}/api/v1/query", params={"query": query}, timeout=TIMEOUT_SECONDS)
    return answer.raise_for_status().json()["data"]["result"]


def scraped_evidence(place: Place, name: str, *, version: str) -> list[tuple[float, Evidence]]:
    """What Prometheus came to know of a version, scrape by scrape, oldest first; times are in seconds since 1970."""
    labels = f'spammodel="{place.namespace}.{name}",model_version="v{version}"'
    scrapes: dict[float, list[Sample]] = defaultdict(list)
    for series in ask_prometheus(place.kube, f'{{__name__=~"autoretrain_evidence_.+",{labels}}}[{HISTORY_SECONDS}s]'):
        for at, value in series["values"]:
            scrapes[at].append(Sample(series["metric"]["__name__"], series["metric"], float(value)))
    return [(at, parse_evidence(scrapes[at])) for at in sorted(scrapes)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A registered model as MLflow shows it: which version holds each alias, and every version's number."""

    aliases: dict[str, str]
    versions: list[int]


def ask_registry(place: Place, name: str) -> Registered:
    model = f"{place.namespace}.{name}"
    with (
        place.kube.forwarded("service/mlflow", 5000, namespace=SYSTEM) as address,
        httpx.Client(base_url=f"{address}{API}", timeout=TIMEOUT_SECONDS) as http,
    ):
        known = http.get("/registered-models/get", params={"name": model}).raise_for_status().json()
        found = http.get("/model-versions/search", params={"filter": f"name = '{model}'"}).raise_for_status().json()
    aliases = {each["alias"]: each["version"] for each in known["registered_model"].get("aliases", [])}
    return Registered(aliases=aliases, versions=sorted(int(each["version"]) for each in found["model_versions"]))
