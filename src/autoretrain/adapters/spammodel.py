"""How a SpamModel document becomes records: reading, checking, defaults, and what a training run depends on.

Defaults, structure and rules come from the resource definition (`crd.py`); the status half of the document is
`status.py`'s. Problems carry the field paths that an API server would give.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from autoretrain.adapters import crd, cron, records
from autoretrain.adapters.documents import load_document
from autoretrain.adapters.resource_status import parse_status, render_status
from autoretrain.domain.errors import InvalidSpec, Problem
from autoretrain.domain.spec import AlgorithmSpec, Requests, SpamModel, SpamModelSpec
from autoretrain.domain.status import Status
from autoretrain.ml.variants import parse_variants

__all__ = ["load_document", "parse_spam_model", "parse_status", "render_document", "render_status", "unused_here"]

API_VERSION = "autoretrain.dev/v1alpha1"
KIND = "SpamModel"
DEFAULT_NAMESPACE = "default"

DATA_MOUNT = "/data"

NO_REQUESTS = Requests()

# What only a cluster has a use for. A document that sets it is accepted on one machine and the user is told.
CLUSTER_ONLY = (
    "data.http.secretRef",
    "data.s3.secretRef",
    "data.volume",
    "training.image",
    "training.podTemplate",
    "serving.image",
    "serving.scaling",
    "serving.podTemplate",
    "serving.ingress",
    "serving.httpRoute",
    "serving.apiKeysSecretRef",
    "serving.apiKeysFor",
    "serving.requestsPerSecond",
    "store",
    "registry.trackingURI",
    "registry.secretRef",
    "monitoring.podTemplate",
    "monitoring.prometheus",
    "alerts.secretRef",
    "agent.secretRef",
    "agent.podTemplate",
)
# What an API server knows of every object's metadata.
_METADATA = frozenset(
    [
        *("name", "generateName", "namespace", "labels", "annotations", "uid", "generation", "resourceVersion"),
        *("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "finalizers", "ownerReferences"),
        *("managedFields", "selfLink"),
    ]
)
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def parse_spam_model(
    document: Mapping[str, Any], *, uid: str, generation: int, requests: Requests = NO_REQUESTS
) -> SpamModel:
    """Return the records of `document`, defaults applied. Raises InvalidSpec with everything that is wrong with it."""
    resource = _checked(document)
    metadata, spec = resource["metadata"], resource["spec"]
    return SpamModel(
        name=metadata["name"],
        namespace=metadata.get("namespace", DEFAULT_NAMESPACE),
        uid=uid,
        generation=generation,
        training_hash=training_hash(spec),
        spec=_build_spec(spec),
        requests=requests,
    )


def unused_here(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths of fields that `document` sets and only a cluster uses, as `spec.serving.ingress`.

    Raises InvalidSpec, as parse_spam_model does.
    """
    said = crd.without_defaults(_checked(document), crd.resource_schema())["spec"]
    return tuple(f"spec.{path}" for path in CLUSTER_ONLY if _look_up(said, path) is not None)


def training_hash(spec: Mapping[str, Any]) -> str:
    """Return a hash of what a model depends on: the data and how it is trained, not where and for how long.

    Values that equal their default do not count, so that neither a new field nor a changed default of a later
    release retrains every model at once.
    """
    said = crd.without_defaults(spec, crd.resource_schema()["properties"]["spec"])
    data = {name: value for name, value in said["data"].items() if name != "http"}
    if "http" in said["data"]:
        data["url"] = said["data"]["http"]["url"]
    if "s3" in data:
        data["s3"] = {name: value for name, value in data["s3"].items() if name != "secretRef"}
    training = said.get("training", {})
    relevant = {
        "data": data,
        "profile": training.get("profile"),
        "seed": training.get("seed"),
        "algorithms": sorted(training.get("algorithms", []), key=lambda algorithm: str(algorithm["name"])),
    }
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()


def render_document(document: Mapping[str, Any], *, status: Status, uid: str, generation: int) -> dict[str, Any]:
    """Return the whole resource as an API server would show it: `document` with its defaults, and `status`."""
    resource = _checked(document)
    metadata = {"namespace": DEFAULT_NAMESPACE, **resource["metadata"], "uid": uid, "generation": generation}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": metadata,
        "spec": resource["spec"],
        "status": render_status(status),
    }


def _checked(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return `document` without its status and with its defaults. Raises InvalidSpec."""
    schema = crd.resource_schema()
    without_status = {name: value for name, value in document.items() if name != "status"}
    resource: dict[str, Any] = crd.apply_defaults(without_status, schema)
    problems = [*_envelope_problems(resource), *crd.find_problems(resource, schema)]
    reported = {problem.path for problem in problems}
    problems += [problem for problem in _schedule_problems(resource) if problem.path not in reported]
    if not problems:
        problems += _algorithm_problems(resource["spec"]["training"])
    if problems:
        raise InvalidSpec(tuple(problems))
    return resource


def _envelope_problems(resource: Mapping[str, Any]) -> list[Problem]:
    """Check what an API server checks of every kind, before it looks at the definition."""
    problems = [
        Problem(field, f'must be "{wanted}"')
        for field, wanted in (("apiVersion", API_VERSION), ("kind", KIND))
        if resource.get(field) != wanted
    ]
    metadata = resource.get("metadata")
    if not isinstance(metadata, Mapping) or not metadata.get("name"):
        return [*problems, Problem("metadata.name", "Required value")]
    problems += [
        Problem(f"metadata.{name}", f'unknown field "metadata.{name}"') for name in metadata if name not in _METADATA
    ]
    if not isinstance(metadata["name"], str):
        problems.append(Problem("metadata.name", "must be of type string; write it in quotes"))
    namespace = metadata.get("namespace", DEFAULT_NAMESPACE)
    if not isinstance(namespace, str) or len(namespace) > 63 or not _DNS_LABEL.fullmatch(namespace):
        problems.append(
            Problem("metadata.namespace", "must hold lower-case letters, digits and inner hyphens, at most 63")
        )
    return problems


def _schedule_problems(resource: Mapping[str, Any]) -> list[Problem]:
    """Check what no rule of the definition can: whether the schedule exists in time."""
    expression = _look_up(resource, "spec.triggers.schedule.cron")
    zone = _look_up(resource, "spec.triggers.schedule.timeZone")
    wrong = (
        ("cron", cron.cron_problem(expression) if isinstance(expression, str) and expression else None),
        ("timeZone", cron.zone_problem(zone) if isinstance(zone, str) else None),
    )
    return [Problem(f"spec.triggers.schedule.{name}", problem) for name, problem in wrong if problem]


def _algorithm_problems(training: Mapping[str, Any]) -> list[Problem]:
    """Check the hyper-parameters against the trainer that ships with this release; another image has its own."""
    if training["image"]:
        return []
    try:
        parse_variants([AlgorithmSpec(**algorithm) for algorithm in training["algorithms"]])
    except InvalidSpec as invalid:
        return list(invalid.problems)
    return []


def _build_spec(spec: Mapping[str, Any]) -> SpamModelSpec:
    """Return the record of a checked spec. Decimals become floats on the way."""
    data, training, serving = spec["data"], spec["training"], spec["serving"]
    monitoring, triggers = spec["monitoring"], spec["triggers"]
    shaped = {
        "suspend": spec["suspend"],
        "data": {
            **_snake(data),
            "url": data.get("http", {}).get("url"),
            "path": _data_path(data),
            "s3": data.get("s3"),
            "sha256": data.get("sha256"),
        },
        "training": _snake(training),
        "serving": _snake(serving),
        "registered_model_name": spec["registry"]["registeredModelName"],
        "monitoring": {
            "interval_seconds": monitoring["intervalSeconds"],
            "window_size": monitoring["window"]["size"],
            "min_samples": monitoring["window"]["minSamples"],
            "max_age_seconds": monitoring["window"]["maxAgeSeconds"],
            "audit_rate": monitoring["audit"]["rate"],
        },
        "triggers": {
            **_snake(triggers),
            "drift": _snake(triggers["drift"]),
            "performance": {"min_f1": None, **_snake(triggers["performance"])},
            "schedule": _snake(triggers["schedule"]),
            "breaker_max_consecutive": triggers["breaker"]["maxConsecutive"],
        },
        "promotion": _snake(spec["promotion"]),
        "guard": _snake(spec["guard"]),
        "feedback": _snake(spec["feedback"]),
        "alerts": {"on": spec["alerts"]["events"]},
        "agent": {"mode": spec["agent"]["mode"], "model": spec["agent"]["model"]},
    }
    return records.load_record(SpamModelSpec, shaped)


def _data_path(data: Mapping[str, Any]) -> str | None:
    """Return where the file is: as the document says, or in the volume that a training Pod mounts at DATA_MOUNT."""
    if "volume" in data:
        return f"{DATA_MOUNT}/{data['volume']['path']}"
    path: str | None = data.get("file", {}).get("path")
    return path


def _snake(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return `fields` under the names that the records use: `minF1Gain` is `min_f1_gain`."""
    return {re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower(): value for name, value in fields.items()}


def _look_up(value: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value
