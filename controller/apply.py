"""How is a plan carried out on the cluster, and how are children kept as they should be? Every call may be repeated.

A child is sent only if what the watch shows of it differs from what is wanted. One of the same name that is not ours is
left alone and named: nothing is taken over by force. One that is refused holds no other up: a quota on ConfigMaps must
not stand in the way of a rollback.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, TypeAlias

from autoretrain.domain.deployment import Experiment
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.plan import Action, CancelTraining, Deploy, SetAliases, StartTraining
from autoretrain.domain.spec import SpamModel
from autoretrain.domain.status import ActiveRun, Status
from controller.cache import Key, WatchCache
from controller.cluster import (
    AUTOSCALER,
    CONFIG_MAP,
    DEPLOYMENT,
    INGRESS,
    JOB,
    KINDS,
    ROUTE,
    AlreadyExists,
    ClusterPort,
    Kind,
    NotFound,
    Object,
    is_owned_by,
    key_of,
    kind_of,
)
from controller.gather import Seen
from controller.registry_reader import Registry
from controller.replicas import hand_over, is_held_by_us, names_no_number
from controller.requests import adopts_registry
from controller.sameness import hash_of, is_part_of, version_of
from controller.upgrades import Upgrades, UpgradeWaits

ALIAS_SECONDS: Final = 30.0
KEPT_KINDS: Final = tuple(kind for kind in KINDS if kind.kept)
WAYS_IN: Final = frozenset({INGRESS.name, ROUTE.name})

Troubles: TypeAlias = dict[tuple[str, str], AutoRetrainError]
"""Kind and name of each child that is not as it should be, and why."""


class NameTaken(AutoRetrainError):  # noqa: N818 - named for the state it reports
    """An object of the name that we need is there and is not ours."""


class KindNotInstalled(AutoRetrainError):  # noqa: N818 - named for the state it reports
    """The document asks for a child of a kind that the cluster does not know."""


class NotKept(AutoRetrainError):  # noqa: N818 - named for the state it reports
    """A call on a child failed; it may work later."""


class ChildBuilder(Protocol):
    """The pure builders of children, as the pass calls them; `children` has the real ones."""

    def build_children(
        self, model: SpamModel, *, document: Object, status: Status, experiment: Experiment | None
    ) -> Sequence[Object]:
        """Return every child that `status` wants, but for Jobs, in the order in which they are to be applied."""

    def build_job(self, model: SpamModel, run: ActiveRun, *, document: Object, status: Status) -> Object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What children were last built for, and what was there then."""

    model: SpamModel
    status: Status
    experiment: Experiment | None
    live: frozenset[tuple[str, ...]]


@dataclass(slots=True)
class Applier:
    cluster: ClusterPort
    cache: WatchCache
    builder: ChildBuilder
    registry_of: Callable[[SpamModel, Object], Registry]
    upgrades: Upgrades
    count_call: Callable[[str], None] = lambda _verb: None
    _sent: dict[tuple[str, Key], tuple[str, str]] = field(default_factory=dict)
    _kept: dict[Key, "_Kept"] = field(default_factory=dict)

    async def act(self, action: Action, seen: Seen, intent: Status) -> None:
        """Carry out one action. Raises AutoRetrainError where it failed."""
        model = seen.observation.model
        match action:
            case StartTraining(run=run):
                job = self.builder.build_job(model, run, document=seen.in_force, status=seen.observation.status)
                await self._start(job, uid=model.uid)
            case CancelTraining(run_name=name):
                job_seen = self.cache.get(JOB, model.namespace, name)
                if job_seen is not None and is_owned_by(job_seen, model.uid):
                    await self._delete(job_seen)
            case Deploy():
                # What the intent wants served is what is deployed, so that no pass can put anything else there. It is
                # deployed once its Deployment is; what is wrong with another child is told, and tried again. Where only
                # an upgrade waits, the version is out already: a pass was killed after it had deployed it.
                troubles = await self.keep_children(seen, intent)
                trouble = troubles.get((DEPLOYMENT.name, f"{model.name}-serving"))
                if trouble is not None and not isinstance(trouble, UpgradeWaits):
                    raise trouble
            case SetAliases(champion=champion, candidate=candidate, previous=previous):
                registry = self.registry_of(model, seen.document)
                roles = {
                    "champion": champion.version if champion else None,
                    "candidate": candidate,
                    "previous": previous.version if previous else None,
                }
                async with asyncio.timeout(ALIAS_SECONDS):
                    await asyncio.to_thread(
                        mirror_aliases, registry, roles, owner=seen.owner_name, adopts=adopts_registry(seen.document)
                    )

    async def keep_children(self, seen: Seen, status: Status) -> Troubles:
        """Let every child be as `status` wants it; return why those are not that can't be, or have to wait."""
        model, document = seen.observation.model, seen.in_force
        # A rollout that this pass begins ends the experiment at once, not with the next pass: one change of template.
        experiment = None if status.rollout else seen.experiment
        kept = _Kept(model=model, status=status, experiment=experiment, live=self._live(seen.key))
        if self._kept.get(seen.key) == kept:
            return {}  # What is wanted and what is there are as they were when all was kept.
        wanted = self.builder.build_children(model, document=document, status=status, experiment=experiment)
        troubles: Troubles = {}
        for child in wanted:
            with _noted(troubles, child):
                for name in mounted_config_maps(child):
                    if (CONFIG_MAP.name, name) in troubles:
                        # Its new Pods could not start, and a monitor's old one would have to go for them.
                        raise AutoRetrainError(f"it waits for ConfigMap {name}")
                await self._keep(child, siblings=wanted, seen=seen, status=status)
        await self._drop_unwanted(wanted, model, troubles)
        if not troubles:
            self._kept[seen.key] = replace(kept, live=self._live(seen.key))
        return troubles

    def forget(self, key: Key) -> None:
        self._kept.pop(key, None)

    def _live(self, key: Key) -> frozenset[tuple[str, ...]]:
        """Return which children are there, in which version of their spec and with which hash."""
        return frozenset(
            (kind.name, live["metadata"]["name"], live["metadata"]["uid"], version_of(live), hash_of(live))
            for kind in (*KEPT_KINDS, JOB)
            for live in self.cache.of_model(kind, key)
        )

    async def _start(self, job: Object, *, uid: str) -> None:
        """Create the Job. One of its name that is owned by this very resource is the same run: success."""
        namespace, name = key_of(job)
        known = self.cache.get(JOB, namespace, name)
        if known is None:
            self.count_call("create")
            try:
                self.cache.put(await self.cluster.create(job))
                return
            except AlreadyExists:
                self.count_call("get")
                known = await self.cluster.get(JOB, namespace, name)
                self.cache.put(known)
        if not is_owned_by(known, uid):
            raise NameTaken(f"Job {name} exists and does not belong to this SpamModel")

    async def _keep(self, child: Object, *, siblings: Sequence[Object], seen: Seen, status: Status) -> None:
        kind, (namespace, name), uid = kind_of(child), key_of(child), seen.observation.model.uid
        live = self.cache.get(kind, namespace, name)
        if live is not None and is_owned_by(live, uid):
            if self._is_kept(child, live):
                return
            child = self.upgrades.admit(child, live, status=status, now=seen.observation.now)
        # Without our label it is not watched; applying would take it over unseen. Nor are the owners of fields.
        asked = live is None or names_no_number(child)
        found = await self._find(kind, namespace, name) if asked else live
        if found is not None and not is_owned_by(found, uid):
            raise NameTaken(f"{kind.name} {name} exists and does not belong to this SpamModel")
        if found is not None and names_no_number(child) and is_held_by_us(found):
            self.count_call("apply")
            await hand_over(self.cluster, found, siblings=siblings)
        self.count_call("apply")
        try:
            applied = await self.cluster.apply(child)
        except NotFound:
            if kind.optional:
                missing = f"the cluster has no {kind.name} of {kind.api_version}; install its definition"
                raise KindNotInstalled(f"{kind.name} {name}: {missing}") from None
            raise
        self.cache.put(applied)
        self.upgrades.applied(child)
        self._sent[kind.name, (namespace, name)] = (hash_of(child), version_of(applied))

    async def _find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        self.count_call("get")
        try:
            return await self.cluster.get(kind, namespace, name)
        except NotFound:
            return None

    def _is_kept(self, child: Object, live: Object) -> bool:
        """Is the live child what is wanted? If the server wrote it otherwise, what it made of ours counts."""
        if hash_of(live) != hash_of(child):
            return False
        if is_part_of(child, live):
            return True
        sent = self._sent.get((kind_of(child).name, key_of(child)))
        return sent == (hash_of(child), version_of(live))

    async def _drop_unwanted(self, wanted: Sequence[Object], model: SpamModel, troubles: Troubles) -> None:
        """Delete owned objects of the kept kinds that are not wanted any more, and that no run still mounts.

        Of a kind that is in `troubles` none is deleted: it serves until what takes its place is there.
        """
        key = (model.namespace, model.name)
        names = {(kind_of(child).name, child["metadata"]["name"]) for child in wanted}
        mounted: set[str] = set()
        for job in self.cache.of_model(JOB, key):
            mounted |= mounted_config_maps(job) if not _is_over(job) else set()
        stuck = {kind for kind, _ in troubles}
        if stuck & WAYS_IN:
            stuck |= WAYS_IN
        for kind in KEPT_KINDS:
            for live in self.cache.of_model(kind, key) if kind.name not in stuck else ():
                name = live["metadata"]["name"]
                if (kind.name, name) in names or name in mounted or not is_owned_by(live, model.uid):
                    continue
                if kind is AUTOSCALER and (DEPLOYMENT.name, name) in troubles:
                    continue  # It scales until the Deployment of its name has a number of its own.
                if kind.name == "Deployment" and name.endswith("-serving"):
                    continue  # Served although the status knows of no champion: it is adopted, never deleted.
                if live["metadata"].get("deletionTimestamp") is None:
                    with _noted(troubles, live):
                        await self._delete(live)

    async def _delete(self, live: Object) -> None:
        self.count_call("delete")
        namespace, name = key_of(live)
        await self.cluster.delete(kind_of(live), namespace, name, uid=live["metadata"]["uid"])
        self.cache.drop(live)


def mirror_aliases(registry: Registry, roles: Mapping[str, str | None], *, owner: str, adopts: bool) -> None:
    """Give the roles to the versions, unless another owner has the registered model. Blocks."""
    present = registry.owner()
    if present not in (None, owner) and not adopts:
        raise AutoRetrainError(f"the registered model belongs to {present}")
    registry.set_aliases(**roles)
    if present != owner:
        registry.claim(owner)


def mounted_config_maps(workload: Object) -> set[str]:
    """Return the names of the ConfigMaps that the Pods of `workload` mount; none of what has no Pods."""
    volumes = workload.get("spec", {}).get("template", {}).get("spec", {}).get("volumes", ())
    return {volume["configMap"]["name"] for volume in volumes if "configMap" in volume}


@contextmanager
def _noted(troubles: Troubles, child: Object) -> Iterator[None]:
    """Go on where a call on `child` fails, and note why it did."""
    kind, name = child["kind"], child["metadata"]["name"]
    try:
        yield
    except (NameTaken, KindNotInstalled, UpgradeWaits) as error:
        troubles[kind, name] = error
    except AutoRetrainError as error:
        troubles[kind, name] = NotKept(f"{kind} {name}: {error}")


def _is_over(job: Object) -> bool:
    conditions = job.get("status", {}).get("conditions", ())
    return any(each.get("type") in {"Complete", "Failed"} and each.get("status") == "True" for each in conditions)
