"""Which documents and statuses are children built from in tests? Samples, as an API server would store them."""

import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autoretrain.adapters import crd
from autoretrain.adapters.spammodel import load_document, parse_spam_model
from autoretrain.domain.deployment import Experiment
from autoretrain.domain.spec import ExperimentMode, SpamModel
from autoretrain.domain.status import ActiveRun, ModelRef, Status
from controller.children.builder import Children
from controller.children.parent import Defaults

SAMPLES = Path(__file__).parents[1] / "manifests/samples"
NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
UID = "6f6a1c0e-0d3c-4d2b-9a53-0f1f3a5d7c11"

DEFAULTS = Defaults(
    serving_image="autoretrain/serving:dev",
    training_image="autoretrain/trainer:dev",
    agent_image="autoretrain/agent:dev",
    monitor_image="autoretrain/trainer:dev",
    mlflow_tracking_uri="http://mlflow.autoretrain-system:5000",
    store_secret_name="autoretrain-store",
    store_secret_key="url",
    log_level="INFO",
)
CHILDREN = Children(defaults=DEFAULTS)
CHAMPION = ModelRef(version="3", digest="sha256:aa", run_id="r3", promoted_at=NOW)
SERVING = Status(champion=CHAMPION, trained_cutoff=41)
EXPERIMENT = Experiment(mode=ExperimentMode.AB, version="7", digest="sha256:bb", percent=10)
RUN = ActiveRun(
    name="sms-spam-train-0123456789",
    ordinal=4,
    trigger="Drift",
    started_at=NOW,
    label_cutoff=57,
    training_hash="cafe",
    changed_at=NOW,
)


def document(sample: str = "minimal", **spec: Any) -> dict[str, Any]:
    """Return a sample with its defaults; each of `spec` replaces a section before they are filled in."""
    loaded = copy.deepcopy(load_document(SAMPLES / f"{sample}.yaml"))
    loaded["spec"] |= spec
    filled: dict[str, Any] = crd.apply_defaults(loaded, crd.resource_schema())
    filled["metadata"].setdefault("namespace", "spam")
    return filled


def model_of(resource: dict[str, Any]) -> SpamModel:
    return parse_spam_model(resource, uid=UID, generation=resource["metadata"].get("generation", 1))


def children_of(
    resource: dict[str, Any],
    status: Status = SERVING,
    *,
    experiment: Experiment | None = None,
    builder: Children = CHILDREN,
) -> dict[str, dict[str, Any]]:
    """Return the children by kind and name, as `Service/sms-spam-serving`."""
    built = builder.build_children(model_of(resource), document=resource, status=status, experiment=experiment)
    return {f"{child['kind']}/{child['metadata']['name']}": child for child in built}


def job_of(resource: dict[str, Any], status: Status = SERVING, *, run: ActiveRun = RUN) -> dict[str, Any]:
    return CHILDREN.build_job(model_of(resource), run, document=resource, status=status)


def container_of(workload: dict[str, Any]) -> dict[str, Any]:
    containers: list[dict[str, Any]] = workload["spec"]["template"]["spec"]["containers"]
    assert len(containers) == 1
    return containers[0]


def variables_of(workload: dict[str, Any]) -> dict[str, Any]:
    """Return the environment: a value, or where it comes from."""
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container_of(workload)["env"]}
