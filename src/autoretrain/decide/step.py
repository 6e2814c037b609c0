"""What one chapter of a pass hands on: a decision, what is to be done, and what is then to be remembered."""

from dataclasses import dataclass

from autoretrain.domain.plan import Action, Decision, Finding
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The one thing that a pass does.

    `status` holds once every action has succeeded. `notable` steps enter the history; a steady pass is not notable, so
    that it leaves the status as it was.
    """

    decision: Decision
    reason: Reason
    message: str
    status: Status
    actions: tuple[Action, ...] = ()
    findings: tuple[Finding, ...] = ()
    notable: bool = True
