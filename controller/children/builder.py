"""Which children does a status want? The one place that puts the builders together, as the pass calls them."""

from dataclasses import dataclass

from autoretrain.domain.deployment import Experiment
from autoretrain.domain.spec import SpamModel, TriggerMode
from autoretrain.domain.status import ActiveRun, Status
from controller.children.agent import build_agent
from controller.children.monitor import build_monitor, build_pod_monitor
from controller.children.parent import Defaults, Parent
from controller.children.routes import build_routes
from controller.children.serving import build_serving
from controller.children.settings import build_monitor_settings, build_run_settings
from controller.children.training import build_job
from controller.cluster import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Children:
    """Builds the children of any SpamModel. `pod_monitors` says that the Prometheus operator's kinds are installed."""

    defaults: Defaults
    pod_monitors: bool = False

    def build_children(
        self, model: SpamModel, *, document: Object, status: Status, experiment: Experiment | None = None
    ) -> tuple[Object, ...]:
        """Return every child that `status` wants but for Jobs, in the order in which they are to be applied.

        Before the first version there is nothing to serve or to measure. A version that is being rolled out is what is
        served, while evidence is still measured for the champion.
        """
        parent = Parent(model=model, document=document, defaults=self.defaults)
        served = status.rollout.to if status.rollout else status.champion
        if served is None:
            return (build_run_settings(parent),)
        monitor_settings = build_monitor_settings(parent, status)
        return (
            build_run_settings(parent),
            *build_serving(parent, served, experiment=experiment),
            *build_routes(parent),
            monitor_settings,
            build_monitor(parent, monitor_settings),
            *((build_agent(parent),) if model.spec.agent.mode is not TriggerMode.DISABLED else ()),
            *((build_pod_monitor(parent),) if self.pod_monitors else ()),
        )

    def build_job(self, model: SpamModel, run: ActiveRun, *, document: Object, status: Status) -> Object:
        parent = Parent(model=model, document=document, defaults=self.defaults)
        return build_job(parent, run, champion=status.champion, settings=build_run_settings(parent))
