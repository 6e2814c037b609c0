"""How does a run become a Job? One Job a run, tried again only where another attempt may end better.

A Job's template can't be changed, and nothing here is: what a run may see (cut-off, champion) is frozen in its
arguments, so that each attempt trains on the same rows. `suspend` is left to a queue.
"""

from collections.abc import Mapping
from typing import Any, Final

from autoretrain.domain.status import ActiveRun, ModelRef
from autoretrain.domain.training import ExitCode
from controller.children.parent import Component, Parent, annotation
from controller.children.pods import (
    SETTINGS_DIRECTORY,
    TERMINATION_FILE,
    Container,
    Mount,
    build_pod,
    secret_variable,
)
from controller.children.settings import settings_mount
from controller.cluster import Object
from controller.documents import FILE as DOCUMENT_FILE

DATA_DIRECTORY: Final = "/data"
KEPT_SECONDS: Final = 86_400
"""A finished Job stays for a day: a controller that was away still finds its summary, and a person its log."""

LATER_SECONDS: Final = 60  # passes of an active run are seconds apart
_REQUESTS: Final = {"cpu": "250m", "memory": "512Mi"}
_LIMITS: Final = {"cpu": "2", "memory": "2Gi"}
_NOT_THE_RUNS_FAULT: Final = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
_BAD_INPUT: Final = {
    "action": "FailJob",
    "onExitCodes": {
        "containerName": Component.TRAINING.value,
        "operator": "In",
        "values": [int(ExitCode.BAD_INPUT)],
    },
}


def build_job(parent: Parent, run: ActiveRun, *, champion: ModelRef | None, settings: Object) -> Object:
    """Return the Job of `run`. `champion` is what the candidate is compared with, None for a first model.

    The controller ends a run that is over its deadline while its Pods can still say why; the Job's own deadline, a
    little later, is for when no controller runs. Both count from the start of the Job, which a queue delays.
    """
    training = parent.spec["training"]
    template = training.get("podTemplate", {})
    pod = build_pod(
        parent,
        Component.TRAINING,
        container=_build_container(parent, run, champion=champion, settings=settings),
        template=template,
        options={"restartPolicy": "Never", "terminationGracePeriodSeconds": 10},
    )
    return parent.child(
        "Job",
        "batch/v1",
        name=run.name,
        component=Component.TRAINING,
        labels=template.get("labels"),
        annotations={
            annotation("trigger"): run.trigger,
            annotation("run-ordinal"): str(run.ordinal),
            annotation("label-cutoff"): str(run.label_cutoff),
            annotation("training-hash"): run.training_hash,
        },
        body={
            "spec": {
                "activeDeadlineSeconds": training["activeDeadlineSeconds"] + LATER_SECONDS,
                "backoffLimit": training["backoffLimit"],
                "podFailurePolicy": {"rules": [_NOT_THE_RUNS_FAULT, _BAD_INPUT]},
                "podReplacementPolicy": "Failed",
                "ttlSecondsAfterFinished": KEPT_SECONDS,
                "template": pod,
            }
        },
    )


def _build_container(parent: Parent, run: ActiveRun, *, champion: ModelRef | None, settings: Object) -> Container:
    data = parent.spec["data"]
    authorization = data.get("http", {}).get("secretRef")
    bucket_access = data.get("s3", {}).get("secretRef")
    return Container(
        image=parent.spec["training"]["image"] or parent.defaults.training_image,
        requests=_REQUESTS,
        limits=_LIMITS,
        arguments=_arguments(parent, run, champion=champion),
        variables={"AUTORETRAIN_SPEC": f"{SETTINGS_DIRECTORY}/{DOCUMENT_FILE}"},
        secret_variables=[secret_variable("AUTORETRAIN_DATA_AUTHORIZATION", authorization)] if authorization else [],
        secret_environments=[bucket_access["name"]] if bucket_access else [],
        mounts=[settings_mount(settings), *_data_mounts(data.get("volume"))],
    )


def _arguments(parent: Parent, run: ActiveRun, *, champion: ModelRef | None) -> list[str]:
    arguments = {
        "--file": f"{SETTINGS_DIRECTORY}/{DOCUMENT_FILE}",
        "--uid": parent.model.uid,
        "--run-name": run.name,
        "--trigger": run.trigger,
        "--label-cutoff": str(run.label_cutoff),
        "--changed-at": run.changed_at.isoformat() if run.changed_at else None,
        "--champion-version": champion.version if champion else None,
        "--champion-digest": champion.digest if champion else None,
        "--summary-file": TERMINATION_FILE,
    }
    said = [part for name, value in arguments.items() if value is not None for part in (name, value)]
    return ["train", *said, "--quiet"]


def _data_mounts(volume: Mapping[str, Any] | None) -> list[Mount]:
    if volume is None:
        return []
    if "persistentVolumeClaim" in volume:
        claim = {"claimName": volume["persistentVolumeClaim"]["claimName"], "readOnly": True}
        source: dict[str, Any] = {"persistentVolumeClaim": claim}
    else:
        source = {"configMap": {"name": volume["configMap"]["name"]}}
    return [Mount(name="autoretrain-data", path=DATA_DIRECTORY, source=source)]
