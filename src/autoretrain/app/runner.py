"""The local controller: what a cluster runs, as supervised processes on one machine, and the loop of passes."""

import sys
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import structlog

from autoretrain.adapters import spammodel
from autoretrain.adapters.alert_addresses import AlertSettings
from autoretrain.adapters.alerts import AlertSender
from autoretrain.adapters.logs import configure_logging
from autoretrain.adapters.registry_mlflow import server_command
from autoretrain.adapters.settings import Settings
from autoretrain.app import narration, preflight
from autoretrain.app.alert_totals import AlertTotalsFile, totals_of
from autoretrain.app.data import PreparedData, prepare_data
from autoretrain.app.ledger_record import matters
from autoretrain.app.local import LocalWorld, utc_now
from autoretrain.app.passes import PassResult, run_pass
from autoretrain.app.signals import Stopped, second_signal_kills, stopping_on_signals
from autoretrain.app.state import StateDirectory
from autoretrain.app.steps import Steps
from autoretrain.app.supervisor import ChildSpec, Supervisor, end_leftovers
from autoretrain.decide.conditions import find_condition
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.spec import SpamModel, TriggerMode

STEPS = 4
START_SECONDS = 120.0
FIRST_MODEL_SECONDS = 900.0
HEAL_SECONDS = 0.5
BUSY_SECONDS = 1.0
BLOCKED_SECONDS = 5.0

log = structlog.get_logger("autoretrain.runner")


@dataclass(slots=True)
class LocalController:
    """Starts the services, makes passes until it is stopped, and leaves no process behind.

    With `only_loop` serving, MLflow and the dashboard run elsewhere, and somebody else looks after them; of the
    services it starts the monitor alone.
    """

    settings: Settings
    state: StateDirectory
    with_dashboard: bool = True
    only_loop: bool = False
    _supervisor: Supervisor = field(init=False)
    _sender: AlertSender = field(init=False)
    _alert_totals: AlertTotalsFile = field(init=False)
    _serving_settings: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._supervisor = Supervisor(self.state)
        self._sender = AlertSender.from_environment()
        self._alert_totals = AlertTotalsFile(self.state.alert_totals)

    def run(self) -> int:
        """Run until a signal; return the exit code."""
        steps = Steps(own=STEPS - 1 if self.only_loop else STEPS)
        try:
            with (
                stopping_on_signals(),
                self.state.lock(purpose="run"),
                self.state.log("controller").open("a", encoding="utf-8") as out,
            ):
                configure_logging(self.settings.log_level, stream=out)
                return self._run(steps)
        except Stopped as stopped:
            return stopped.code

    def _run(self, steps: Steps) -> int:
        if steps.count == 0:
            steps.total += 1
            self._check_machine(steps)
        ended = end_leftovers(self.state.children)
        with steps.step("Read the SpamModel document") as notes:
            unused = spammodel.unused_here(spammodel.load_document(self.settings.spec))
            notes += [f"ended {ended} processes of a run that was killed"] if ended else []
            notes += [f"used on a cluster only: {', '.join(unused)}"] if unused else []
        with steps.step("Prepare the data") as notes:
            prepared = prepare_data(self.settings)
            notes.append(f"{len(prepared.rows)} messages, {prepared.source_note}")
        world = LocalWorld.open(
            self.settings,
            expect_serving=True,
            notify=self._sender.send,
            keep_last_document=True,
            dashboard_url=AlertSettings().dashboard_url,
        )
        try:
            self._sender.resume(world.store)
            self._start_services(steps, world.model())
            if not self.only_loop:
                self._first_model(world, steps)
                sys.stderr.write(self._welcome(world, prepared))
            self._loop(world)
        finally:
            with second_signal_kills():
                world.trainer(world.model()).stop()
                self._supervisor.stop_all()
                self._sender.close(timeout=5.0)
                world.close()
                sys.stderr.write("\nEverything is stopped.\n")
        return 0

    def _welcome(self, world: LocalWorld, prepared: PreparedData) -> str:
        """The box, with the data that the champion was trained on: that of today's file may be another's."""
        champion = world.status(world.model()).champion
        card = world.card(champion.digest) if champion else {}
        trained_on = str(card.get("data_source", prepared.source_note))
        notes = []
        if card.get("generated_sample"):
            notes.append("The champion was trained on GENERATED messages: its figures say nothing about real ones.")
        if trained_on != prepared.source_note:
            notes.append(f"The next run uses another: {prepared.source_note}. Start one: autoretrain retrain")
        return narration.welcome(self.settings, trained_on=trained_on, notes=notes, with_dashboard=self.with_dashboard)

    def _check_machine(self, steps: Steps) -> None:
        with steps.step("Check Python, disk and ports"):
            problems = preflight.check_machine(
                Path.cwd(), ports=self._ports(), own_pids=preflight.leftover_pids(self.state.path)
            )
            if problems:
                raise AutoRetrainError("\n".join(problems))

    def _ports(self) -> dict[str, int]:
        settings = self.settings
        if self.only_loop:
            return {"AUTORETRAIN_MONITOR_PORT": settings.monitor_port}
        ports = (settings.mlflow_port, settings.serving_port, settings.monitor_port, settings.dashboard_port)
        needed = dict(zip(preflight.DEFAULT_PORTS, ports, strict=True))
        if not self.with_dashboard:
            del needed["AUTORETRAIN_DASHBOARD_PORT"]  # one that was started by hand may have it
        return needed

    def _start_services(self, steps: Steps, model: SpamModel) -> None:
        self._serving_settings = serving_settings(model)
        children = self._services(model)
        with steps.step(f"Start {', '.join(child.name for child in children)}"):
            for child in children:
                self._supervisor.start(child)
            self._wait("serving", f"{self.settings.resolved_serving_url()}/livez")

    def _services(self, model: SpamModel) -> list[ChildSpec]:
        settings = self.settings
        # What reads the document goes by the one in force, as it would from an API server.
        in_force = {"AUTORETRAIN_SPEC": str(self.state.document(model.key))}
        python = (sys.executable, "-m", "autoretrain")
        monitor = ChildSpec(name="monitor", command=(*python, "monitor", "--publish"), environment=in_force)
        if self.only_loop:
            return [monitor]
        mlflow = server_command(settings.mlflow_tracking_uri, host=settings.host, port=settings.mlflow_port)
        children = [
            ChildSpec(name="mlflow", command=tuple(mlflow)),
            ChildSpec(name="serving", command=(*python, "serve"), environment=self._serving_settings),
            monitor,
        ]
        if self.with_dashboard:
            children.append(ChildSpec(name="dashboard", command=(*python, "dashboard"), environment=in_force))
        if model.spec.agent.mode is not TriggerMode.DISABLED:
            children.append(ChildSpec(name="agent", command=(*python, "agent"), environment=in_force))
        return children

    def _first_model(self, world: LocalWorld, steps: Steps) -> None:
        """Make passes until a champion is served; on a second start that is at once."""
        with steps.step("Serve a champion", talks=True) as notes:
            if world.state.read_status(world.model().key).champion is None:
                # It makes its database, which training then uses too. Later starts need not wait for it.
                self._wait("mlflow", f"http://{self.settings.host}:{self.settings.mlflow_port}/health")
            deadline = time.monotonic() + FIRST_MODEL_SECONDS
            while time.monotonic() < deadline:
                result = self._pass(world)
                served, champion = result.observation.served, result.status.champion
                if served and served.ready and champion and served.digest == champion.digest:
                    notes.append(f"v{champion.version}")
                    return
                if result.observation.run and result.observation.run.message:
                    raise AutoRetrainError(f"training failed: {result.observation.run.message}")
                self._sleep(BUSY_SECONDS)
            raise AutoRetrainError(f"no model could be served; see {self.state.log('serving').parent}")

    def _loop(self, world: LocalWorld) -> None:
        """Make a pass when one is due, at once when a person asked for something, and heal children in between."""
        while True:
            try:
                result = self._pass(world)
                world.tidy_when_due(utc_now())
            except AutoRetrainError as error:
                # Serving goes on; what is in the way (the store, a process that can't start) is looked at again.
                say(f"no pass was made: {error}")
                log.warning("no pass was made", error=str(error))
                self._sleep(BLOCKED_SECONDS)
                continue
            self._say_what_needs_a_restart(result.observation.model)
            busy = result.status.active_run is not None or result.status.rollout is not None
            interval = timedelta(
                seconds=BUSY_SECONDS if busy else result.observation.model.spec.monitoring.interval_seconds
            )
            due = min(result.plan.next_check_at, result.plan.at + interval)
            seen = self._requests_stamp(result.observation.model.key)
            while utc_now() < due and self._requests_stamp(result.observation.model.key) == seen:
                self._sleep(HEAL_SECONDS)

    def _pass(self, world: LocalWorld) -> PassResult:
        result = run_pass(world, utc_now())
        if note := stall_note(result):
            say(note)
            log.warning("stalled", note=note)
        if matters(result):
            plan = result.plan
            say(f"{plan.decision} ({plan.reason}): {plan.message}")
            log.info("pass", model=result.observation.model.key, decision=plan.decision, reason=plan.reason)
        return result

    def _say_what_needs_a_restart(self, model: SpamModel) -> None:
        """Serving keeps the settings that it was started with: to start it anew would cost requests."""
        wanted = serving_settings(model)
        if wanted == self._serving_settings:
            return
        changed = [name for name, value in wanted.items() if self._serving_settings.get(name) != value]
        self._serving_settings = wanted
        say(f"the document changed what serving is started with ({', '.join(changed)}): restart to let it follow")

    def _requests_stamp(self, key: str) -> float:
        path = self.state.path / "requests" / f"{key}.json"
        return path.stat().st_mtime if path.exists() else 0.0

    def _sleep(self, seconds: float) -> None:
        for note in self._supervisor.heal():
            say(note)
            log.warning("child", note=note)
        self._alert_totals.write(totals_of(self._sender))
        time.sleep(seconds)

    def _wait(self, name: str, address: str) -> None:
        """Wait until a child answers. Raises AutoRetrainError with the last thing that the child said."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                if httpx.get(address, timeout=2.0).is_success:
                    return
            except httpx.HTTPError:
                pass
            self._sleep(0.2)
        child_log = self.state.log(name)
        said = child_log.read_text(errors="replace").strip().splitlines() if child_log.exists() else []
        last = said[-1] if said else "it said nothing"
        raise AutoRetrainError(
            f"{name} does not answer after {START_SECONDS:.0f} s. It said: {last} (log: {child_log})"
        )


def serving_settings(model: SpamModel) -> dict[str, str]:
    """Return what serving, which reads no document, is told of it. On a cluster its Pod template says the same."""
    monitoring = model.spec.monitoring
    return {
        "AUTORETRAIN_MODEL": model.key,
        "AUTORETRAIN_REGISTERED_MODEL_NAME": model.spec.registered_model_name or model.key,
        "AUTORETRAIN_AUDIT_RATE": str(monitoring.audit_rate),
        "AUTORETRAIN_DRIFT_THRESHOLD": str(model.spec.triggers.drift.threshold),
        "AUTORETRAIN_DRIFT_MIN_SAMPLES": str(monitoring.min_samples),
        "AUTORETRAIN_WINDOW_MAX_AGE_SECONDS": str(monitoring.max_age_seconds),
    }


def stall_note(result: PassResult) -> str:
    """Return what to tell a person of a stall that began, changed or ended in this pass; '' where none did."""
    was, now = (find_condition(status, "Stalled") for status in (result.observation.status, result.status))
    if now is None:
        return "" if was is None else f"no longer stalled by {was.reason}"
    return "" if was is not None and was.message == now.message else f"stalled ({now.reason}): {now.message}"


def say(text: str) -> None:
    """Tell the person at the terminal; the log has the same as JSON."""
    sys.stderr.write(f"      {utc_now():%H:%M:%S} {text}\n")
    sys.stderr.flush()
