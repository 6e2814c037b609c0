"""Which of two replicas decides? The one that holds the coordination Lease; losing it ends the process.

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

log = structlog.get_logger("autoretrain.controller")


class LeaseLost(Exception):  # noqa: N818 - named for what happened
    """Another replica may decide from now on; this process must end."""


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

    @property
    def is_held(self) -> bool:
        return self._held is not None

    async def acquire(self) -> None:
        """Return once the Lease is ours."""
        while not await self.try_acquire():
            await asyncio.sleep(RENEW_SECONDS)

    async def try_acquire(self) -> bool:
        """Take the Lease if nobody holds it, or its holder has not renewed it for its whole duration."""
        asked_at = self.monotonic()
        try:
            try:
                found = await self.cluster.get(LEASE, self.namespace, self.name)
            except NotFound:
                self._held = await self.cluster.create(self._lease(transitions=0))
            else:
                if not self._may_take(found):
                    return False
                transitions = int(found["spec"].get("leaseTransitions", 0)) + 1
                version = found["metadata"]["resourceVersion"]
                self._held = await self.cluster.update(self._lease(transitions=transitions, version=version))
        except (Conflict, AlreadyExists):
            return False
        except ClusterError as error:
            log.warning("the lease can't be read", error=str(error))
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
        asked_at = self.monotonic()
        held, spec = self._held, self._held["spec"]
        renewed = self._lease(
            transitions=int(spec.get("leaseTransitions", 0)), version=held["metadata"]["resourceVersion"]
        )
        renewed["spec"]["acquireTime"] = spec["acquireTime"]
        try:
            self._held = await self.cluster.update(renewed)
            self._renewed_at = asked_at
        except (Conflict, NotFound):
            await self._check_after_conflict()
        except ClusterError as error:
            log.warning("the lease was not renewed", error=str(error))
        if self.monotonic() - self._renewed_at > GIVE_UP_SECONDS:
            raise LeaseLost(f"the lease could not be renewed for {GIVE_UP_SECONDS:.0f} s")

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

    async def _check_after_conflict(self) -> None:
        """A renewal that was not answered may have been carried out; somebody else's is not ours."""
        try:
            found = await self.cluster.get(LEASE, self.namespace, self.name)
        except NotFound:
            raise LeaseLost("the lease was deleted") from None
        except ClusterError:
            return
        if found["spec"].get("holderIdentity") != self.identity:
            raise LeaseLost(f"the lease is held by {found['spec'].get('holderIdentity')}")
        self._held = found

    def _may_take(self, found: Object) -> bool:
        spec = found["spec"]
        holder, version = spec.get("holderIdentity"), found["metadata"]["resourceVersion"]
        if not holder or holder == self.identity:
            return True
        now = self.monotonic()
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
