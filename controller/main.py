"""How does the controller start, work and end? Schema, Lease, listing; then watches and passes until told to stop."""

import asyncio
import signal
import sys
from datetime import UTC, datetime
from typing import Final

import aiohttp
import structlog
from pydantic import ValidationError

from autoretrain.adapters.logs import configure_logging
from autoretrain.adapters.settings import settings_problems
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.spec import SpamModel
from controller.advice import AdviceRelay
from controller.alerts import AlertRelay
from controller.allowed import keys_at, prometheus_url
from controller.api import KubernetesApi, log_in
from controller.apply import Applier
from controller.cache import Key, WatchCache
from controller.children.builder import Children
from controller.children.parent import Defaults
from controller.cluster import POD_MONITOR, SPAM_MODEL, ClusterError, ClusterPort, Kind, Object, key_of
from controller.conditions import waits_for_upgrade
from controller.delays import DelayQueue, QueueFull
from controller.gather import Evidence, Gatherer
from controller.health import STARTING, HealthServer
from controller.lease import RETRY_SECONDS, Lease, LeaseLost
from controller.metrics import ControllerMetrics
from controller.passes import Passes
from controller.prometheus import PrometheusEvidence
from controller.reconcile import Reconciler
from controller.registries import Registries
from controller.registry_reader import RegistryReader
from controller.schema_check import missing_fields
from controller.settings import PREFIX, ControllerSettings
from controller.upgrades import Upgrades
from controller.waits import sleep, until_answered
from controller.watches import WatchThread, keep_listing, list_all

STOP_SECONDS: Final = 8.0
"""How long passes may go on after SIGTERM: less than a Lease that is not renewed holds, and than the Pod's grace."""
STUCK_MARGIN_SECONDS: Final = 30.0
SHOWN_FIELDS: Final = 5

log = structlog.get_logger("autoretrain.controller")


def main() -> int:
    """Run the controller until SIGTERM; the exit code is 0 after that, 2 for bad settings, else 1."""
    try:
        settings = ControllerSettings()
    except ValidationError as error:
        sys.stderr.write(f"{settings_problems(error, prefix=PREFIX)}\n")
        return 2
    configure_logging(settings.log_level)
    try:
        return asyncio.run(_run(settings))
    except AutoRetrainError as error:
        log.error("the controller ends", error=str(error))
        return 1


async def _run(settings: ControllerSettings) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return await _run_until(stop, settings)


async def _run_until(stop: asyncio.Event, settings: ControllerSettings) -> int:
    health = HealthServer(port=settings.port)
    await health.start()
    try:
        while True:
            try:
                return await _lead_once(stop, settings, health)
            except LeaseLost as lost:
                # Begun anew here: a kubelet would wait longer each time, and an API server may be away often.
                log.error("the lease is lost: this replica stands by", error=str(lost))
    finally:
        await health.stop()


async def _lead_once(stop: asyncio.Event, settings: ControllerSettings, health: HealthServer) -> int:
    """Run one controller until `stop`. Raises LeaseLost; nothing of it is at work then."""
    async with KubernetesApi(log_in(), seconds=settings.request_seconds) as cluster, aiohttp.ClientSession() as http:
        evidence = PrometheusEvidence(
            http,
            url_of=lambda model: prometheus_url(controller.document(model), settings),
            keys_at=lambda url: keys_at(url, controller.cache.all(SPAM_MODEL), settings),
        )
        controller = health.replica = Controller(settings, cluster, evidence, http)
        return await controller.run(stop)


class Controller:
    """The parts put together, for as long as the Lease is not lost; one at a time in a process."""

    def __init__(
        self, settings: ControllerSettings, cluster: ClusterPort, evidence: Evidence, http: aiohttp.ClientSession
    ) -> None:
        self._settings, self._cluster = settings, cluster
        self.metrics = ControllerMetrics()
        self.cache = WatchCache()
        self._upgrades = Upgrades(self.cache, settings.max_concurrent_rollouts)
        self._problem = STARTING
        self._registries = Registries(settings)
        self._watches: WatchThread | None = None
        self._lease = Lease(
            cluster, settings.own_namespace, settings.lease_name, settings.identity, lambda: datetime.now(UTC)
        )
        self._evidence = evidence
        self._alerts = AlertRelay(self.cache, self.metrics)
        self._advice = AdviceRelay(
            http, cluster, self.cache, self.metrics, now=lambda: datetime.now(UTC), wake=self._wake
        )
        self._reconciler: Reconciler | None = None

    def document(self, model: SpamModel) -> Object | None:
        return self.cache.get(SPAM_MODEL, model.namespace, model.name)

    async def run(self, stop: asyncio.Event) -> int:
        try:
            # One that lacks fields for this version takes the Lease from nobody, and is not ready.
            await until_answered(self._check_definition, stop, tell=self._tell)
            await self._stand_by(stop)
            return await self._lead(stop) if self._lease.is_held else 0
        finally:
            await self._advice.close()
            await self._alerts.close()
            if self._watches is not None:
                await asyncio.to_thread(self._watches.stop)

    async def _stand_by(self, stop: asyncio.Event) -> None:
        """Return once the Lease is ours, or when told to stop. Who waits for another to end is ready to take over."""
        while not stop.is_set():
            try:
                if await self._lease.try_acquire():
                    return
                self._tell("")
            except ClusterError as error:
                self._tell(f"the lease can't be had: {error}")
            await sleep(RETRY_SECONDS, stop)

    async def _lead(self, stop: asyncio.Event) -> int:
        """Decide until `stop`. The lease is renewed until no pass is under way any more, and only then given back.

        Status writes are fenced by what they were read from; children and Jobs are not, so no two replicas may make
        them. Work that does not end in time is cut off, and the lease runs out by itself. Raises LeaseLost.
        """
        self.metrics.leader.set(1)
        idle = asyncio.Event()
        work, stopped = asyncio.create_task(self._work(stop)), asyncio.create_task(stop.wait())
        keep = asyncio.create_task(self._lease.keep(idle))
        tasks = (work, keep, stopped)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if done == {stopped}:
                done, _ = await asyncio.wait((work, keep), timeout=STOP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if not work.done():
                log.warning("passes under way are cut off", seconds=STOP_SECONDS)
                return 0
            idle.set()
            await keep
            await self._lease.release()
            return 0
        finally:
            # With the lease lost there are no more calls, not even to end well: another may decide already.
            self.metrics.leader.set(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, stop: asyncio.Event) -> None:
        kinds = await until_answered(self._list, stop, tell=self._tell)
        if kinds is None or stop.is_set():
            return
        reconciler = self._reconciler = self._build(pod_monitors=POD_MONITOR in kinds)
        self.cache.changed = self._wake
        for key in sorted(key_of(model) for model in self.cache.all(SPAM_MODEL)):
            self._wake(key)  # Of the models that an upgrade changes, those are first that ask first.
        loop = asyncio.get_running_loop()

        def hand_over(thing: Object, gone: bool) -> None:
            loop.call_soon_threadsafe(self._take, thing, gone)

        self._watches = WatchThread(self._settings, kinds, hand_over)
        self._watches.start()
        self._tell("")
        log.info("the controller works", namespaces=self._settings.namespaces or "all", models=len(reconciler.queue))
        namespaces, seconds = self._settings.watched_namespaces, self._settings.resync_seconds
        await asyncio.gather(
            reconciler.run(stop),
            keep_listing(
                self._cluster,
                self.cache,
                kinds=kinds,
                namespaces=namespaces,
                seconds=seconds,
                stop=stop,
                count_call=self.metrics.count_call,
            ),
            self._watch_watches(stop),
        )

    async def _check_definition(self) -> None:
        """Raise ClusterError where the installed definition would lose what this version writes."""
        if missing := missing_fields(await self._cluster.schema(SPAM_MODEL)):
            shown = ", ".join(missing[:SHOWN_FIELDS])
            raise ClusterError(f"the installed resource definition is older than this controller; it lacks {shown}")

    async def _list(self) -> tuple[Kind, ...]:
        await self._check_definition()  # It may have been put back while this replica stood by.
        return await list_all(self._cluster, self.cache, namespaces=self._settings.watched_namespaces)

    def _tell(self, problem: str) -> None:
        """Let /readyz say what is wrong, '' where nothing is, and the log once."""
        if problem and problem != self._problem:
            log.warning("not ready yet", error=problem)
        self._problem = problem

    def _build(self, *, pod_monitors: bool) -> Reconciler:
        settings, metrics = self._settings, self.metrics
        defaults = Defaults(
            serving_image=settings.serving_image,
            training_image=settings.training_image,
            monitor_image=settings.monitor_image,
            agent_image=settings.agent_image,
            mlflow_tracking_uri=settings.mlflow_tracking_uri,
            store_secret_name=settings.store_secret_name,
            store_secret_key=settings.store_secret_key,
            log_level=settings.log_level,
        )
        passes = Passes(
            cluster=self._cluster,
            cache=self.cache,
            gatherer=Gatherer(
                self._cluster,
                self.cache,
                self._evidence,
                self._registries.of,
                RegistryReader(settings.cluster_id),
                self._advice.advice_of,
            ),
            applier=Applier(
                self._cluster,
                self.cache,
                Children(defaults=defaults, pod_monitors=pod_monitors),
                self._registries.of,
                self._upgrades,
                metrics.count_call,
            ),
            metrics=metrics,
            now=lambda: datetime.now(UTC),
            identity=settings.identity,
            hand_over=self._alerts.hand_over,
            consult=self._advice.consult,
            dashboard_url=settings.dashboard_url,
        )
        return Reconciler(
            passes=passes,
            metrics=metrics,
            workers=settings.workers,
            pass_seconds=settings.pass_seconds,
            queue=DelayQueue(settings.queue_size),
            now=lambda: datetime.now(UTC),
        )

    def _take(self, thing: Object, gone: bool) -> None:
        if gone:
            self.cache.drop(thing)
        else:
            self.cache.put(thing)

    def _wake(self, key: Key) -> None:
        if self._reconciler is None:
            return
        try:
            self._reconciler.wake(key)
        except QueueFull as full:
            log.error("a resource is not looked after", model=".".join(key), error=str(full))

    async def _watch_watches(self, stop: asyncio.Event) -> None:
        """Raise where the watches have ended although nobody told them to."""
        while not stop.is_set():
            if self._watches is not None and self._watches.failure:
                raise ClusterError(self._watches.failure)
            await sleep(1.0, stop)

    def why_not_ready(self) -> str:
        return self._problem

    def why_not_alive(self) -> str:
        limit = self._settings.pass_seconds + STUCK_MARGIN_SECONDS
        stuck = self._reconciler.stuck_seconds() if self._reconciler else 0.0
        return f"a pass has lasted for {stuck:.0f} s" if stuck > limit else ""

    def refresh_metrics(self) -> None:
        models, upgrades = self.cache.all(SPAM_MODEL), self._upgrades.count(datetime.now(UTC))
        self.metrics.show_models(models)
        self.metrics.upgrades.labels("waiting").set(sum(map(waits_for_upgrade, models)))
        self.metrics.upgrades.labels("rolling").set(len(upgrades.rolling))
        self.metrics.upgrades.labels("failed").set(len(upgrades.failed))
        self.metrics.active_runs.set(sum("activeRun" in (model.get("status") or {}) for model in models))
