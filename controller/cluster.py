"""What does the controller ask of a cluster, with which verbs, and how may that fail?

`KINDS` is the one table of kinds and verbs: calls look their path up in it, watches are made from it, a test compares
the RBAC rules with it. `KubernetesApi` speaks to a real cluster, `tests/operator` has one in memory.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol, TypeAlias

from autoretrain.domain.errors import AutoRetrainError

Object: TypeAlias = dict[str, Any]

GROUP: Final = "autoretrain.dev"
MODEL_LABEL: Final = f"{GROUP}/spammodel"
HASH_ANNOTATION: Final = f"{GROUP}/spec-hash"
ASKED_ANNOTATION: Final = f"{GROUP}/asked-hash"
FIELD_MANAGER: Final = "autoretrain"


class Watch(StrEnum):
    """Which objects of a kind are watched."""

    NONE = "none"
    OURS = "ours"  # those that carry our label
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """`verbs` are those on the objects, `subresources` those on a part of them. `optional` kinds may not be installed.

    A kind that is `kept` is applied by the pass and deleted when it is no longer wanted. Of a `metadata_only` kind
    nothing else is listed.
    """

    name: str
    plural: str
    version: str
    group: str = ""
    verbs: frozenset[str]
    subresources: Mapping[str, frozenset[str]]
    watch: Watch = Watch.NONE
    optional: bool = False
    kept: bool = False
    metadata_only: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{namespace}" if namespace else ""
        return "/".join(part for part in (f"{root}{place}/{self.plural}", name, subresource) if part)


def _kind(name: str, plural: str, api: str, verbs: str, **options: Any) -> Kind:
    group, _, version = api.rpartition("/")
    subresources = {part: frozenset(asked.split()) for part, asked in options.pop("subresources", {}).items()}
    return Kind(
        name=name,
        plural=plural,
        group=group,
        version=version,
        verbs=frozenset(verbs.split()),
        subresources=subresources,
        **options,
    )


_KEPT = "get list watch create patch delete"  # Server-side apply of an object that is not there needs create.

SPAM_MODEL: Final = _kind(
    "SpamModel",
    "spammodels",
    f"{GROUP}/v1alpha1",
    "get list watch",
    subresources={"status": "update", "finalizers": "update"},  # finalizers: to own children where that is enforced
    watch=Watch.ALL,
)
DECISION: Final = _kind(
    "SpamModelDecision",
    "spammodeldecisions",
    f"{GROUP}/v1alpha1",
    "get list create delete",
    metadata_only=True,
)
DEPLOYMENT: Final = _kind("Deployment", "deployments", "apps/v1", _KEPT, watch=Watch.OURS, kept=True)
JOB: Final = _kind("Job", "jobs", "batch/v1", "get list watch create delete", watch=Watch.OURS)
POD: Final = _kind("Pod", "pods", "v1", "list watch", watch=Watch.OURS)
SERVICE: Final = _kind("Service", "services", "v1", _KEPT, watch=Watch.OURS, kept=True)
CONFIG_MAP: Final = _kind("ConfigMap", "configmaps", "v1", _KEPT, watch=Watch.OURS, kept=True)
AUTOSCALER: Final = _kind(
    "HorizontalPodAutoscaler", "horizontalpodautoscalers", "autoscaling/v2", _KEPT, watch=Watch.OURS, kept=True
)
BUDGET: Final = _kind("PodDisruptionBudget", "poddisruptionbudgets", "policy/v1", _KEPT, watch=Watch.OURS, kept=True)
INGRESS: Final = _kind("Ingress", "ingresses", "networking.k8s.io/v1", _KEPT, watch=Watch.OURS, kept=True)
ROUTE: Final = _kind(
    "HTTPRoute", "httproutes", "gateway.networking.k8s.io/v1", _KEPT, watch=Watch.OURS, optional=True, kept=True
)
POD_MONITOR: Final = _kind(
    "PodMonitor", "podmonitors", "monitoring.coreos.com/v1", _KEPT, watch=Watch.OURS, optional=True, kept=True
)
EVENT: Final = _kind("Event", "events", "v1", "create")
LEASE: Final = _kind("Lease", "leases", "coordination.k8s.io/v1", "get create update")

KINDS: Final = (
    *(SPAM_MODEL, DECISION, DEPLOYMENT, JOB, POD, SERVICE, CONFIG_MAP),
    *(AUTOSCALER, BUDGET, INGRESS, ROUTE, POD_MONITOR, EVENT, LEASE),
)
WATCHED: Final = tuple(kind for kind in KINDS if kind.watch is not Watch.NONE)


def kind_of(thing: Mapping[str, Any]) -> Kind:
    """Return the kind of an object. Raises KeyError for one that is not in the table."""
    for kind in KINDS:
        if (kind.api_version, kind.name) == (thing["apiVersion"], thing["kind"]):
            return kind
    raise KeyError(f"{thing['kind']} of {thing['apiVersion']} is not in controller.cluster.KINDS")


class ClusterError(AutoRetrainError):
    """The API server refused a call, or did not answer; the message says what it said."""


class Unreachable(ClusterError):  # noqa: N818 - named for what the server says
    """No answer, or one that says "later". `retry_seconds` is what the server asked for, None where it did not."""

    def __init__(self, message: str, *, retry_seconds: float | None = None) -> None:
        self.retry_seconds = retry_seconds
        super().__init__(message)


class Conflict(ClusterError):  # noqa: N818 - named for what the server says
    """The object was changed since it was read."""


class NotFound(ClusterError):  # noqa: N818 - named for what the server says
    """There is no such object, or no such kind."""


class AlreadyExists(ClusterError):  # noqa: N818 - named for what the server says
    """An object of that name is there already."""


class Refused(ClusterError):  # noqa: N818 - named for what the server says
    """The request itself is not allowed or not valid: quota, policy, RBAC, schema, a namespace that is going away."""


class ClusterPort(Protocol):
    """Calls on a cluster. Each has a time limit and raises a ClusterError where it failed."""

    def list_pages(
        self, kind: Kind, *, namespace: str | None = None, model: str | None = None
    ) -> AsyncIterator[list[Object]]:
        """Yield our objects of `kind`, or those of one SpamModel, page by page: together they may be large.

        Raises NotFound where the kind is not installed.
        """

    async def get(self, kind: Kind, namespace: str, name: str) -> Object: ...

    async def create(self, thing: Object) -> Object: ...

    async def apply(self, thing: Object, *, manager: str = FIELD_MANAGER, force: bool = True) -> Object:
        """Server-side apply. Under our own field manager it is forced: fields that we name are ours.

        Raises Conflict where it is not and another manager owns a field with another value.
        """

    async def update(self, thing: Object) -> Object:
        """Replace the object, if it still has the resourceVersion that `thing` carries."""

    async def update_status(self, thing: Object) -> Object:
        """Replace the status, if the object still has the resourceVersion that `thing` carries."""

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str) -> None:
        """Delete the object of that uid with what it owns. One that is gone is success."""

    async def schema(self, kind: Kind) -> Object:
        """Return the schema of `kind` that the server has installed."""


def key_of(thing: Mapping[str, Any]) -> tuple[str, str]:
    metadata = thing["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def is_owned_by(thing: Mapping[str, Any], uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in thing["metadata"].get("ownerReferences", ()))
