"""Which decisions stay, and what do they know of a status that was lost?

The controller writes decisions and watches none: a hundred of each model would be most of its memory. What it asks of
them now and then is in their metadata, so records are never sent back.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from controller.cache import Key, model_key
from controller.cluster import DECISION, GROUP, ClusterPort, NotFound, Object, is_owned_by, key_of

KEPT_DECISIONS: Final = 100
ORDINAL_ANNOTATION: Final = f"{GROUP}/run-ordinal"


async def prune_decisions(
    cluster: ClusterPort, *, namespaces: Sequence[str], count_call: Callable[[str], None]
) -> None:
    """Delete what is older than the newest hundred of each SpamModel. Raises ClusterError."""
    of_model: dict[Key | None, list[tuple[int, Key, str]]] = defaultdict(list)
    for namespace in namespaces or (None,):
        async for page in cluster.list_pages(DECISION, namespace=namespace):
            count_call("list")
            for decision in page:
                metadata = decision["metadata"]
                # It is never changed, so that its version is its place in the order of creation.
                entry = int(metadata["resourceVersion"]), (metadata["namespace"], metadata["name"]), metadata["uid"]
                of_model[model_key(decision)].append(entry)
    for found in of_model.values():
        for _, (namespace, name), uid in sorted(found)[:-KEPT_DECISIONS]:
            count_call("delete")
            await cluster.delete(DECISION, namespace, name, uid=uid)


async def newest_decisions(cluster: ClusterPort, key: Key, *, count: int) -> list[Object]:
    """Return the last `count` decisions on one SpamModel, oldest first. Raises ClusterError."""
    pages = cluster.list_pages(DECISION, namespace=key[0], model=key[1])
    # One is never changed, so that its version is its place in the order of creation.
    found = sorted(
        [(int(thing["metadata"]["resourceVersion"]), key_of(thing)) async for page in pages for thing in page]
    )
    decisions = []
    for _, (namespace, name) in found[-count:]:
        with suppress(NotFound):
            decisions.append(await cluster.get(DECISION, namespace, name))
    return decisions


async def highest_recorded_ordinal(cluster: ClusterPort, key: Key, *, uid: str) -> int:
    """Return the highest run ordinal that the decisions on one SpamModel know of. Raises ClusterError."""
    pages = cluster.list_pages(DECISION, namespace=key[0], model=key[1])
    return max([run_ordinal(thing) async for page in pages for thing in page if is_owned_by(thing, uid)], default=0)


def run_ordinal(thing: Object) -> int:
    """Return the ordinal that a Job or a decision carries, 0 without one."""
    text = thing["metadata"].get("annotations", {}).get(ORDINAL_ANNOTATION, "0")
    return int(text) if text.isdigit() else 0
