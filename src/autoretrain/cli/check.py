"""What one check prints: each metric against its floor, live quality, each threshold, the decision and its reasons."""

import sys
from collections.abc import Callable

from autoretrain.app.monitor import BUSY_SECONDS, Monitor
from autoretrain.cli.terminal import write_plain
from autoretrain.decide.narrate import render_table
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.observation import Observation, Performance
from autoretrain.domain.plan import Plan
from autoretrain.domain.status import Status


def print_check(monitor: Monitor) -> int:
    """Measure, decide and print; act on nothing."""
    observation, plan = monitor.check()
    write_plain(render_check(observation, plan, reports=monitor.recent_reports()))
    return 0


def acting_and_printing(monitor: Monitor) -> Callable[[], float]:
    """Return what makes a pass, prints it, and returns the seconds until the next.

    The first pass is always printed, so that a person sees where things stand; a later one if it changed something.
    """
    told = False

    def act() -> float:
        nonlocal told
        result = monitor.act()
        if result.changed or not told:
            told = True
            write_plain(render_check(result.observation, result.plan, reports=monitor.recent_reports()) + "\n")
            sys.stdout.flush()
        busy = result.status.active_run is not None or result.status.rollout is not None
        return BUSY_SECONDS if busy else result.observation.model.spec.monitoring.interval_seconds

    return act


def render_check(observation: Observation, plan: Plan, *, reports: list[DriftReport]) -> str:
    status = observation.status
    parts = [
        f"{observation.model.key} at {plan.at:%Y-%m-%d %H:%M:%S} UTC",
        champion_line(observation),
        *drift_lines(observation.drift[-1] if observation.drift else None, pending=observation.pending_messages),
        *live_lines(observation.performance),
        run_line(status),
        "",
        render_table(plan),
        f"Decision: {plan.decision.value} ({plan.reason.value})",
        f"  {plan.message}",
    ]
    if len(reports) > 1:
        parts.insert(4, "  trend of drift: " + " ".join(f"{report.score:.2f}" for report in reports))
    return "\n".join(part for part in parts if part is not None) + "\n"


def champion_line(observation: Observation) -> str:
    champion, served = observation.status.champion, observation.served
    if champion is None:
        return "champion: none yet"
    if served is None:
        confirmed = "serving does not answer"
    elif served.digest == champion.digest and served.ready:
        confirmed = "deployment confirmed"
    else:
        confirmed = f"serving has v{served.version}" if served.version else "serving has no model"
    return f"champion: v{champion.version} ({champion.digest[:19]}), {confirmed}"


def drift_lines(report: DriftReport | None, *, pending: int) -> list[str]:
    if report is None:
        return [f"drift: no complete window yet, {pending} messages are waiting"]
    lines = [
        f"drift of window {report.window_id} ({report.size} messages), reference {report.regime}: {report.score:.3f}"
    ]
    lines += [
        f"  {metric.name:<32} {metric.raw:8.4f}  undrifted: median {metric.median:.4f}, floor {metric.upper:.4f},"
        f" score {metric.score:.3f}"
        for metric in report.metrics
    ]
    if report.new_spam_patterns:
        lines.append(f"  driven by: {', '.join(report.new_spam_patterns)}")
    lines.append(f"  {pending} messages in the window that is open")
    return lines


def live_lines(performance: Performance | None) -> list[str]:
    if performance is None:
        return ["live accuracy: not measured"]
    if performance.overall is None:
        version = f"v{performance.model_version}"
        return [f"live accuracy: no audit label of {version} since its promotion (label some: autoretrain label)"]
    overall = performance.overall
    figures = [
        f"{name} {estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
        if estimate
        else f"{name} not measured (no label is spam)"
        for name, estimate in (("accuracy", overall.accuracy), ("spam recall", overall.spam_recall), ("F1", overall.f1))
    ]
    known = f"{performance.labels} labels, {performance.matured_ratio:.0%} of the audit sample labelled"
    lines = [f"live {', '.join(figures)}, {known}"]
    if len(performance.windows) > 1:
        lines.append("  trend of accuracy: " + " ".join(f"{w.accuracy.value:.3f}" for w in performance.windows))
    return lines


def run_line(status: Status) -> str:
    run = status.active_run
    if run is None:
        return "run: none active"
    return f"run: {run.name} ({run.trigger}) since {run.started_at:%H:%M:%S} UTC, labels up to {run.label_cutoff}"
