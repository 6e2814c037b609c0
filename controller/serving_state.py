"""What does serving serve, as its Deployment tells? Version and digest of the Pod template, and whether all is out."""

import json
from enum import StrEnum
from typing import Any

from autoretrain.domain.observation import Served
from controller.cluster import GROUP, Object

VERSION_ANNOTATION = f"{GROUP}/model-version"
DIGEST_ANNOTATION = f"{GROUP}/model-digest"
EXPERIMENT_VARIABLE = "AUTORETRAIN_SERVED_EXPERIMENT"
NOTHING = Served(version=None, digest=None, ready=False)


class Progress(StrEnum):
    """How far a Deployment is with the rolling update to its newest template."""

    GOING = "going"
    DONE = "done"  # Once complete it stays so, whatever becomes of its Pods.
    STUCK = "stuck"  # No progress within its `progressDeadlineSeconds`.


def read_served(deployment: Object | None) -> Served:
    """Return what the Deployment serves. `ready` needs every replica of this template, and none of an older one."""
    if deployment is None:
        return NOTHING
    annotations = deployment["spec"]["template"]["metadata"].get("annotations", {})
    return Served(
        version=annotations.get(VERSION_ANNOTATION),
        digest=annotations.get(DIGEST_ANNOTATION),
        ready=is_rolled_out(deployment),
    )


def experiment_digest(deployment: Object | None, version: str) -> str:
    """Return the digest of `version` where the Deployment serves it as an experiment; '' elsewhere."""
    containers = deployment["spec"]["template"]["spec"]["containers"] if deployment else ()
    for variable in (variable for container in containers for variable in container.get("env", ())):
        if variable.get("name") == EXPERIMENT_VARIABLE and variable.get("value"):
            known = json.loads(variable["value"])
            return str(known["digest"]) if known.get("version") == version else ""
    return ""


def is_rolled_out(deployment: Object) -> bool:
    """Has the Deployment's controller seen this template, and are all its Pods of it and available?"""
    status: dict[str, Any] = deployment.get("status", {})
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 1):
        return False
    wanted = deployment["spec"].get("replicas", 1)
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas")]
    return wanted > 0 and all(count == wanted for count in counts) and not status.get("unavailableReplicas")


def read_progress(deployment: Object) -> Progress:
    """Tell it by what the Deployment's controller says. One that somebody has paused is left to them: DONE."""
    status: dict[str, Any] = deployment.get("status", {})
    if deployment["spec"].get("paused"):
        return Progress.DONE
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 1):
        return Progress.GOING
    conditions = status.get("conditions", ())
    reason = next((each.get("reason") for each in conditions if each.get("type") == "Progressing"), "")
    if reason == "ProgressDeadlineExceeded":
        return Progress.STUCK
    newest_only = status.get("replicas", 0) == status.get("updatedReplicas", 0)
    was_complete = reason == "NewReplicaSetAvailable" and newest_only
    return Progress.DONE if was_complete or is_rolled_out(deployment) else Progress.GOING
