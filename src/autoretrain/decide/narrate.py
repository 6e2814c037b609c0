"""How is a decision told to a person? The threshold table, one plan in plain words, and the story of many."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from autoretrain.domain.plan import Action, CancelTraining, Deploy, Finding, Plan, SetAliases, StartTraining, Verdict

_OPPOSITE = {">": "<=", "<": ">=", ">=": "<", "<=": ">"}
_WORDS = {Verdict.TRIGGERED: "TRIGGER", Verdict.PASSED: "ok", Verdict.INCONCLUSIVE: "unknown"}


def render_table(plan: Plan) -> str:
    """Return one line a finding: `drift 0.23 > 0.15  TRIGGER`. A comparison is printed as it stands, true."""
    rows = [(_comparison(finding), _WORDS[finding.verdict], _reasoned(finding)) for finding in plan.findings]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    return "\n".join(f"{left:<{widths[0]}}  {word:<{widths[1]}}  {why}".rstrip() for left, word, why in rows)


def narrate(plan: Plan) -> str:
    """Return the plan in plain words: what was decided, why, what is done about it, and what is not known."""
    lines = [f"{plan.at:%Y-%m-%d %H:%M:%S} UTC: {plan.decision} ({plan.reason}). {sentence(plan.message)}"]
    found = [finding for finding in plan.findings if finding.verdict is Verdict.TRIGGERED]
    if found:
        lines.append("Found: " + "; ".join(f"{_comparison(finding)}, {finding.message}" for finding in found) + ".")
    if plan.actions:
        lines.append("Done: " + "; ".join(_action(action) for action in plan.actions) + ".")
    unknown = [finding for finding in plan.findings if finding.verdict is Verdict.INCONCLUSIVE]
    if unknown:
        lines.append("Not known: " + "; ".join(f"{finding.check} ({finding.message})" for finding in unknown) + ".")
    lines.append(f"Next check by {plan.next_check_at:%Y-%m-%d %H:%M:%S} UTC.")
    return "\n".join(lines)


def explain(records: Sequence[Mapping[str, Any]], *, numbered: bool = False) -> str:
    """Return the story of recorded decisions, oldest first.

    A record is what the ledger keeps: `at`, `decision`, `reason`, `message`, `plan` with its findings, `outcomes`.
    Repetitions of one decision for one reason are told once, with their number. `numbered` puts the sequence of each
    (of repetitions the last) before it, by which it can be asked for (`chain.build_chain`).
    """
    if not records:
        return "Nothing has been decided yet."
    groups: list[list[Mapping[str, Any]]] = []
    for record in records:
        same = groups and all(groups[-1][-1][key] == record[key] for key in ("decision", "reason", "message"))
        if same:
            groups[-1].append(record)
        else:
            groups.append([record])
    return "\n".join(line for group in groups for line in _told(group, numbered=numbered))


def _told(group: Sequence[Mapping[str, Any]], *, numbered: bool) -> list[str]:
    first, last = group[0], group[-1]
    times = time_of(first) if len(group) == 1 else f"{time_of(first)} to {time_of(last)}, {len(group)} passes"
    number = f"{last['sequence']}. " if numbered else ""
    lines = [f"{number}{times}: {first['decision']} ({first['reason']}). {sentence(first['message'])}"]
    lines += [
        f"    {figures_of(finding)}: {finding['message']}"
        for finding in last.get("plan", {}).get("findings", ())
        if finding["verdict"] == Verdict.TRIGGERED
    ]
    lines += [
        f"    an action failed: {outcome['message']}"
        for outcome in last.get("outcomes", ())
        if not outcome["succeeded"]
    ]
    return lines


def time_of(record: Mapping[str, Any]) -> str:
    """Return when a recorded decision was taken."""
    return f"{datetime.fromisoformat(record['at']).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def figures_of(finding: Mapping[str, Any]) -> str:
    """Return a recorded finding's check with its comparison as it stands, as `drift 0.08 <= 0.15`."""
    return _compared(str(finding["check"]), finding.get("value"), finding.get("threshold"), finding.get("comparison"))


def _comparison(finding: Finding) -> str:
    return _compared(finding.check, finding.value, finding.threshold, finding.comparison)


def _compared(check: str, value: float | None, threshold: float | None, comparison: str | None) -> str:
    if value is None or threshold is None or comparison is None:
        return check
    triggered = value > threshold if comparison == ">" else value < threshold
    operator = comparison if triggered else _OPPOSITE[comparison]
    return f"{check} {number(value)} {operator} {number(threshold)}"


def _reasoned(finding: Finding) -> str:
    return f"{finding.reason}: {finding.message}"


def number(value: float) -> str:
    """Return enough digits to see a difference and no more: counts whole, ratios to 2 to 4 places."""
    if value == int(value) and abs(value) >= 1:
        return f"{value:.0f}"
    if value and abs(value) < 0.0001:
        return f"{value:.2g}"
    whole, _, digits = f"{value:.4f}".rstrip("0").partition(".")
    return f"{whole}.{digits:0<2}"


def sentence(text: str) -> str:
    """Return `text` with a full stop."""
    return text if text.endswith(".") else f"{text}."


def _action(action: Action) -> str:
    match action:
        case StartTraining(run=run):
            return f"training run {run.name} is submitted, on labels up to {run.label_cutoff}"
        case CancelTraining(run_name=name):
            return f"training run {name} is ended"
        case Deploy(model=model):
            return f"version {model.version} ({model.digest[:19]}) is deployed"
        case SetAliases(champion=champion):
            return f"the registry's aliases follow, champion {champion.version if champion else 'none'}"
