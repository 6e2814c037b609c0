"""Who holds the number of a Deployment's replicas once we no longer name it? Nobody would, and the server makes that 1.

With server-side apply a field goes when its only owner does not name it any more. So before a Deployment that names no
number is applied, a second field manager takes over the one that is there. An autoscaler takes it from that one by
scaling, and our own apply, which is forced, takes it from both when the number is ours again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from controller.cluster import AUTOSCALER, DEPLOYMENT, FIELD_MANAGER, ClusterPort, Object

HANDOVER_MANAGER: Final = f"{FIELD_MANAGER}-handover"


def names_no_number(child: Object) -> bool:
    """Is it a Deployment of which something else sets the replicas?"""
    return bool(child["kind"] == DEPLOYMENT.name and "replicas" not in child["spec"])


def is_held_by_us(live: Object) -> bool:
    """Would the number go with our next apply? `live` must be as the server has it, with its `managedFields`."""
    return any(
        (claim.get("manager"), claim.get("operation")) == (FIELD_MANAGER, "Apply")
        and "f:replicas" in claim.get("fieldsV1", {}).get("f:spec", {})
        for claim in live["metadata"].get("managedFields", ())
    )


async def hand_over(cluster: ClusterPort, live: Object, *, siblings: Sequence[Object]) -> None:
    """Let the second manager hold the number of `live`, brought within the bounds of its autoscaler in `siblings`.

    Raises ClusterError; what names no number must not be applied then.
    """
    metadata, number = live["metadata"], live["spec"]["replicas"]
    bounds = _bounds(metadata["name"], siblings)
    wanted = min(max(number, bounds["minReplicas"]), bounds["maxReplicas"]) if bounds else number
    claim = {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "spec": {"replicas": wanted},
    }
    # The same number is shared with whoever holds it; if another one came meanwhile that is a conflict, and the next
    # pass looks again. One that has to be brought within bounds is taken, from ourselves.
    await cluster.apply(claim, manager=HANDOVER_MANAGER, force=wanted != number)


def _bounds(name: str, siblings: Sequence[Object]) -> Mapping[str, Any] | None:
    """Return the spec of the autoscaler that scales the Deployment, None without one."""
    specs = (each["spec"] for each in siblings if each["kind"] == AUTOSCALER.name)
    return next((spec for spec in specs if spec["scaleTargetRef"]["name"] == name), None)
