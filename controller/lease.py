"""Which operator decides? The one that holds the coordination Lease, also where there is one alone.

A holder that can't renew stops before anybody else may take over: it gives up after two thirds of the Lease's duration,
and the other waits for the whole of it, by its own clock, from when it saw the Lease change last.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from controller.cluster import LEASE, AlreadyExists, ClusterError, ClusterPort, Conflict, NotFound, Object

DURATION_SECONDS: Final = 15
RENEW_SECONDS: Final = 3.0
GIVE_UP_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 1.0
"""Who stands by looks this often: it is what passes between the end of one and the beginning of the next."""

log = structlog.get_logger("autoretrain.controller")


class LeaseLost(Exception):  # noqa: N818 - named for what happened
    """Another replica may decide from now on: this one must change nothing any more."""


@dataclass(slots=True)
class Lease:
    """The Lease `name` in `namespace`, held by `identity`."""

    cluster: ClusterPort
    namespace: str
    name: str
    identity: str
    now: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic
    _held: Object | None = None
    _seen: tuple[str, float] = ("", 0.0)
    _renewed_at: float = 0.0
    _waits_for: str = ""

    @property
    def is_held(self) -> bool:
        return self._held is not None

    async def try_acquire(self) -> bool:
        """Take the Lease if nobody holds it, or its holder has not renewed it for its whole duration.

        False: it is another's. Raises ClusterError where it can be neither read nor written.
        """
        try:
            found = await self._find()
            if found is not None and not self._may_take(found):
                return False
            asked_at = self.monotonic()
            if found is None:
                self._held = await self.cluster.create(self._lease(transitions=0))
            else:
                transitions = int(_spec(found).get("leaseTransitions", 0)) + 1
                version = found["metadata"]["resourceVersion"]
                self._held = await self.cluster.update(self._lease(transitions=transitions, version=version))
        except (Conflict, AlreadyExists):
            return False
        self._renewed_at = asked_at
        log.info("the lease is held", holder=self.identity)
        return True

    async def keep(self, idle: asyncio.Event) -> None:
        """Renew until `idle`: while anything is done that only the holder may do.

        Raises LeaseLost where somebody else took it, or it could not be renewed in time.
        """
        while not idle.is_set():
            await self.renew()
            try:
                async with asyncio.timeout(RENEW_SECONDS):
                    await idle.wait()
            except TimeoutError:
                continue

    async def renew(self) -> None:
        """Renew once. Raises LeaseLost."""
        if self._held is None:
            raise LeaseLost("the lease was never held")
        late = LeaseLost(f"the lease could not be renewed for {GIVE_UP_SECONDS:.0f} s")
        try:
            # A call may last longer than what is left of the time: the other one does not wait for its answer.
            async with asyncio.timeout(self._renewed_at + GIVE_UP_SECONDS - self.monotonic()):
                await self._renew(self._held)
        except TimeoutError:
            raise late from None
        if self.monotonic() - self._renewed_at > GIVE_UP_SECONDS:
            raise late

    async def release(self) -> None:
        """Let the other replica take over at once."""
        if self._held is None:
            return
        held, self._held = self._held, None
        freed = {**held, "spec": {**held["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}}
        try:
            await self.cluster.update(freed)
        except ClusterError as error:
            log.warning("the lease was not released", error=str(error))

    async def _renew(self, held: Object) -> None:
        asked_at, spec = self.monotonic(), held["spec"]
        renewed = self._lease(
            transitions=int(spec.get("leaseTransitions", 0)), version=held["metadata"]["resourceVersion"]
        )
        renewed["spec"]["acquireTime"] = spec.get("acquireTime", renewed["spec"]["acquireTime"])
        try:
            self._held = await self.cluster.update(renewed)
            self._renewed_at = asked_at
        except (Conflict, NotFound):
            await self._check_after_conflict()
        except ClusterError as error:
            log.warning("the lease was not renewed", error=str(error))

    async def _find(self) -> Object | None:
        try:
            return await self.cluster.get(LEASE, self.namespace, self.name)
        except NotFound:
            return None

    async def _check_after_conflict(self) -> None:
        """A renewal that was not answered may have been carried out; somebody else's is not ours."""
        try:
            found = await self._find()
        except ClusterError:
            return
        if found is None:
            raise LeaseLost("the lease was deleted")
        holder = _spec(found).get("holderIdentity")
        if holder != self.identity:
            raise LeaseLost(f"the lease is held by {holder or 'nobody'}")
        self._held = found

    def _may_take(self, found: Object) -> bool:
        spec = _spec(found)
        holder, version = spec.get("holderIdentity"), found["metadata"]["resourceVersion"]
        if not holder or holder == self.identity:
            return True
        now = self.monotonic()
        if holder != self._waits_for:
            log.info("standing by: the lease is another's", holder=holder)
            self._waits_for = holder
        if self._seen[0] != version:
            self._seen = (version, now)
        return now - self._seen[1] >= int(spec.get("leaseDurationSeconds", DURATION_SECONDS))

    def _lease(self, *, transitions: int, version: str | None = None) -> Object:
        at = self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        metadata = {"name": self.name, "namespace": self.namespace}
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.name,
            "metadata": {**metadata, "resourceVersion": version} if version else metadata,
            "spec": {
                "holderIdentity": self.identity,
                "leaseDurationSeconds": DURATION_SECONDS,
                "acquireTime": at,
                "renewTime": at,
                "leaseTransitions": transitions,
            },
        }


def _spec(lease: Object) -> Object:
    """Return what a Lease says. One that somebody else made or edited may say less than ours, or nothing."""
    return lease.get("spec") or {}
