"""How far does an adviser's word count now? It is evidence of the weakest kind, and has an age.

Advice to retrain asks for a run as a trigger does, after all others and under more rules than any (`storm`). Nothing
else that an adviser may say does anything, and without its word the rules decide alone. What it wrote in words of its
own is not looked at.
"""

from datetime import timedelta

from autoretrain.decide.drift import champion_windows
from autoretrain.domain.advice import Advice, AdviceChoice, AdviceOutcome
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Finding, Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.domain.spec import TriggerMode

CHECK = "agent"
MAX_AGE = timedelta(minutes=10)
"""Advice on figures older than this counts no more, and a window that is not answered for after it never was."""

ALONE = "the rules decide alone"


def read_advice(observation: Observation) -> Finding:
    """Return what the newest advice says; INCONCLUSIVE where it says nothing about the present."""
    advice = observation.advice
    problem = _problem(observation, advice)
    if problem or advice is None:
        message = f"{problem}; {ALONE}"
        return Finding(check=CHECK, verdict=Verdict.INCONCLUSIVE, reason=Reason.AGENT_SILENT, message=message)
    wants_run = advice.choice is AdviceChoice.RETRAIN
    # What was not allowed when it was said stays so: the model did not know what it asked for.
    verdict = Verdict.TRIGGERED if wants_run and advice.allowed else Verdict.PASSED
    illegal = "" if advice.allowed else ", which the rules did not allow"
    message = f"{advice.chat_model} advises {advice.choice}{illegal} (advice {advice.sequence})"
    return Finding(check=CHECK, verdict=verdict, reason=Reason.AGENT_ADVISED, message=message)


def agent_available(observation: Observation) -> tuple[bool | None, Reason, str] | None:
    """Return status, reason and message of the condition AgentAvailable; None where no adviser is asked.

    Whether it answers is asked, not whether its last word still counts: where nothing new is to be seen it is silent.
    """
    advice = observation.advice
    if observation.model.spec.agent.mode is TriggerMode.DISABLED:
        return None
    if advice is None:
        return None, Reason.AGENT_SILENT, f"it was not heard yet; {ALONE}"
    if advice.outcome is not AdviceOutcome.ANSWERED:
        return False, Reason.AGENT_SILENT, f"{advice.outcome}; {ALONE}"
    windows = champion_windows(observation)
    unanswered = bool(windows) and windows[-1].ended_at > advice.situation_at
    if unanswered and observation.now - windows[-1].ended_at > MAX_AGE:
        return False, Reason.AGENT_SILENT, f"it has not answered for the newest window; {ALONE}"
    return True, Reason.AGENT_ADVISED, "it answers"


def _problem(observation: Observation, advice: Advice | None) -> str:
    """Say why nothing can be taken from `advice`; '' where something can."""
    status, champion = observation.status, observation.status.champion
    if advice is None:
        return "nothing was advised yet"
    if advice.outcome is not AdviceOutcome.ANSWERED:
        return f"{advice.outcome}"
    # The distance, not the difference: a clock that was set back must not keep old advice young.
    if abs(observation.now - advice.situation_at) > MAX_AGE:
        return f"the last advice is older than {MAX_AGE.total_seconds():.0f} s"
    if any(start >= advice.situation_at for start in status.run_starts):
        return "a run has started since the last advice"
    if champion is not None and champion.promoted_at is not None and champion.promoted_at > advice.situation_at:
        return "the last advice is on another champion"
    return ""
