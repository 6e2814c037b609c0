"""What does one record of the ledger say, in plain words with its numbers? The sentences of a decision's chain."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from autoretrain.decide.advice import CHECK as AGENT
from autoretrain.decide.narrate import figures_of, number
from autoretrain.domain.plan import Verdict
from autoretrain.domain.spec import TriggerMode

Record = Mapping[str, Any]

TRIGGERS: Final = ("manual", "champion", "training spec", "accuracy", "spam recall", "f1", "drift", "schedule")
GATES: Final = (
    *("comparison", "holdout accuracy", "holdout f1", "holdout accuracy loss", "holdout ham false positive increase"),
    *("recent rows", "recent gain", "recent accuracy gain", "McNemar p", "share of one campaign"),
)
LIMITS: Final = (
    *("spam share", "spam share shift", "disagreement", "score shift", "golden ham flagged", "error ratio"),
    *("latency ratio", "guard accuracy", "guard spam recall"),
)
ASKED: Final = ("manual",)
"""The names of checks, by what they are about (`Finding.check`)."""

_WORDS: Final = {Verdict.TRIGGERED: "FAILED", Verdict.PASSED: "ok", Verdict.INCONCLUSIVE: "not known"}


def started_run(record: Record) -> str | None:
    """Return the name of the run that a plan starts; None where it starts none, or is not kept."""
    for action in record.get("plan", {}).get("actions", ()):
        if "run" in action:
            return str(action["run"]["name"])
    return None


def summary_of(record: Record) -> Record:
    """Return the summary of the run that was looked at; empty where there is none."""
    run: Record = record.get("observation", {}).get("run") or {}
    return run.get("summary") or {}


def asks_for_run(record: Record) -> bool:
    triggers = _triggers(record)
    return any(_triggered(each) and each["check"] in triggers for each in _findings(record))


def found(record: Record, checks: Sequence[str]) -> list[str]:
    """Return a line for each finding about one of `checks`: its numbers, how it went, and why."""
    return [_line(each) for each in _findings(record) if each["check"] in checks]


def findings(record: Record) -> list[str]:
    """Return what the triggers found: first what asks for a run, then what holds one back, then the rest.

    An adviser that may not act does neither; its word stands beside them.
    """
    all_found, known = _findings(record), _triggers(record)
    triggers = [each for each in all_found if each["check"] in known]
    if not triggers:
        return []
    fired = [each for each in triggers if _triggered(each)]
    others = [each for each in all_found if _triggered(each) and each["check"] not in (*known, *GATES, *LIMITS)]
    held = [each for each in others if each["check"] != AGENT]
    head = "nothing asks for a run"
    if fired:
        head = f"{' and '.join(dict.fromkeys(each['check'] for each in fired))} asked for a run"
        head += f", held back by {' and '.join(each['check'] for each in held)}" if held else ""
    advised = [each for each in others if each["check"] == AGENT]
    lines = [f"{figures_of(each)}: {each['message']}" for each in (*fired, *held, *advised)]
    for verdict, word in ((Verdict.PASSED, "ok"), (Verdict.INCONCLUSIVE, "not known")):
        rest = [figures_of(each) for each in triggers if each["verdict"] == verdict]
        lines += [f"{word}: {'; '.join(rest)}"] if rest else []
    return [head, *lines]


def evidence(record: Record) -> list[str]:
    """Return what was measured when the pass was made; empty where the record does not keep it."""
    seen: Record = record.get("observation", {})
    if not seen:
        return []
    champion = (seen.get("status") or {}).get("champion")
    head = f"champion is version {champion['version']}" if champion else "there is no champion"
    threshold = _threshold(seen)
    lines = [_window(each, threshold=threshold) for each in seen.get("drift") or ()]
    overall = (seen.get("performance") or {}).get("overall")
    if overall:
        lines.append(f"live, by {overall['labels']} audit labels: {_estimates(overall)}")
    supply = seen.get("supply")
    if supply:
        lines.append(f"{supply['new_labels']} new labels since the last run, {supply['new_spam_labels']} of them spam")
    return [head, *lines]


def run_told(summary: Record) -> str:
    metrics = summary["holdout_metrics"]
    return (
        f"run {summary['run_name']} made version {summary['version']}: {summary['algorithm']}, {summary['profile']}, "
        f"{summary['training_rows']} rows, {summary['seconds']:.0f} s; on {metrics['rows']} held-out rows accuracy "
        f"{metrics['accuracy']:.4f}, F1 {metrics['f1']:.4f}"
    )


def comparison(summary: Record) -> str:
    if summary.get("champion_version") is None:
        return "there was no champion to compare with"
    parts = [f"with champion {summary['champion_version']}"]
    for name, title in (("recent", "recent rows"), ("holdout", "held-out rows")):
        paired = summary.get(name)
        if paired is None:
            parts.append(f"no {title}")
            continue
        parts.append(
            f"on {paired['rows']} {title} accuracy {paired['accuracy_gain']:+.4f}, F1 {paired['f1_gain']:+.4f}, "
            f"{paired['fixed']} fixed and {paired['broken']} broken (p = {paired['p_value']:.2g})"
        )
    return "; ".join(parts)


def failed_actions(record: Record) -> list[str]:
    return [f"an action failed: {each['message']}" for each in record.get("outcomes", ()) if not each["succeeded"]]


def unread(record: Record) -> list[str]:
    """Return what a record leaves out: a long one on a cluster keeps only what was decided."""
    if "plan" in record and "observation" in record:
        return []
    return [f"evidence and findings of decision {record['sequence']}: its record keeps only what was decided"]


def _findings(record: Record) -> Sequence[Record]:
    found: Sequence[Record] = record.get("plan", {}).get("findings", ())
    return found


def _triggered(finding: Record) -> bool:
    return bool(finding["verdict"] == Verdict.TRIGGERED)


def _line(finding: Record) -> str:
    check, message = finding["check"], finding["message"]
    told = message if message.startswith(check) else f"{figures_of(finding)}: {message}"
    return f"{_WORDS[Verdict(finding['verdict'])]:<9} {told}"


def _triggers(record: Record) -> tuple[str, ...]:
    """The checks that could ask for a run; an adviser is one where the document of then let it act."""
    spec: Record = ((record.get("observation") or {}).get("model") or {}).get("spec") or {}
    acts = (spec.get("agent") or {}).get("mode") == TriggerMode.ACT
    return (*TRIGGERS, AGENT) if acts else TRIGGERS


def _threshold(seen: Record) -> float | None:
    triggers = ((seen.get("model") or {}).get("spec") or {}).get("triggers") or {}
    threshold: float | None = (triggers.get("drift") or {}).get("threshold")
    return threshold


def _window(report: Record, *, threshold: float | None) -> str:
    against = "" if threshold is None else f" against {number(threshold)}"
    line = (
        f"window {report['window_id']}: {report['size']} messages, {_minute(report['started_at'])} to "
        f"{_minute(report['ended_at'])} UTC, drift {report['score']:.3f}{against}"
    )
    strongest = max(report.get("metrics") or (), key=lambda metric: metric["score"], default=None)
    if strongest is not None:
        line += (
            f"; most in {strongest['name']}, {strongest['raw']:.3f} (without drift {strongest['median']:.3f}, "
            f"rarely above {strongest['upper']:.3f})"
        )
    if report.get("accumulated", 0.0) == report["score"] > 0:
        line += "; small changes added up over windows"
    if report.get("prior_shift"):
        line += "; only the share of spam moved"
    terms = report.get("new_spam_patterns") or ()
    return f"{line}; new terms: {', '.join(terms[:5])}" if terms else line


def _estimates(window: Record) -> str:
    named = (("accuracy", "accuracy"), ("spam recall", "spam_recall"), ("F1", "f1"))
    known = [(title, window[name]) for title, name in named if window.get(name)]
    return ", ".join(f"{title} {each['value']:.3f} [{each['low']:.3f}, {each['high']:.3f}]" for title, each in known)


def _minute(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M}"
