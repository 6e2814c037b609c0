"""Since when has traffic been other than what the champion knows? A run learns from, and is judged on, labels since."""

from collections.abc import Sequence
from datetime import datetime

from autoretrain.decide.drift import is_breach
from autoretrain.decide.performance import is_under_a_floor
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.observation import Performance
from autoretrain.domain.spec import DriftTrigger, PerformanceTrigger, TriggerMode, TriggersSpec


def find_change(
    reports: Sequence[DriftReport], performance: Performance | None, *, triggers: TriggersSpec
) -> datetime | None:
    """Return the prediction time from which on windows breach or label windows are under a floor; None: they do not.

    `reports` are the champion's complete windows, oldest first: enough of them, or the change seems later than it was.
    Where both drift and quality tell of a change, the earlier one counts. Neither is asked here to be persistent: that
    is what makes a trigger fire.
    """
    changes = (_drifting_since(reports, triggers.drift), _bad_since(performance, triggers.performance))
    return min((change for change in changes if change is not None), default=None)


def _drifting_since(reports: Sequence[DriftReport], policy: DriftTrigger) -> datetime | None:
    """The start of the first breach since drift was last under the level at which it ends."""
    since = None
    for report in reversed(reports) if policy.mode is not TriggerMode.DISABLED else ():
        if not report.score >= policy.clear_threshold:
            break
        if is_breach(report, policy.threshold):
            since = report.started_at
    return since


def _bad_since(performance: Performance | None, policy: PerformanceTrigger) -> datetime | None:
    """The start of the first of the newest label windows that are all under a floor."""
    since = None
    for window in reversed(performance.windows) if performance and policy.mode is not TriggerMode.DISABLED else ():
        if not is_under_a_floor(window, policy):
            break
        since = window.started_at
    return since
