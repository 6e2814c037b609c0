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
    lines = [f"{plan.at:%Y-%m-%d %H:%M:%S} UTC: {plan.decision} ({plan.reason}). {_sentence(plan.message)}"]
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


def explain(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the story of recorded decisions, oldest first.

    A record is what the ledger keeps: `at`, `decision`, `reason`, `message`, `plan` with its findings, `outcomes`.
    Repetitions of one decision for one reason are told once, with their number.
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
    return "\n".join(line for group in groups for line in _told(group))


def _told(group: Sequence[Mapping[str, Any]]) -> list[str]:
    first, last = group[0], group[-1]
    times = _when(first) if len(group) == 1 else f"{_when(first)} to {_when(last)}, {len(group)} passes"
    lines = [f"{times}: {first['decision']} ({first['reason']}). {_sentence(first['message'])}"]
    lines += [
        f"    {_figures(finding)}: {finding['message']}"
        for finding in last.get("plan", {}).get("findings", ())
        if finding["verdict"] == Verdict.TRIGGERED
    ]
    lines += [
        f"    an action failed: {outcome['message']}"
        for outcome in last.get("outcomes", ())
        if not outcome["succeeded"]
    ]
    return lines


def _when(record: Mapping[str, Any]) -> str:
    return f"{datetime.fromisoformat(record['at']).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _figures(finding: Mapping[str, Any]) -> str:
    value, threshold = finding.get("value"), finding.get("threshold")
    if value is None or threshold is None:
        return str(finding["check"])
    return f"{finding['check']} {_number(value)} {finding['comparison']} {_number(threshold)}"


def _comparison(finding: Finding) -> str:
    if finding.value is None or finding.threshold is None:
        return finding.check
    triggered = finding.value > finding.threshold if finding.comparison == ">" else finding.value < finding.threshold
    operator = finding.comparison if triggered else _OPPOSITE[finding.comparison]
    return f"{finding.check} {_number(finding.value)} {operator} {_number(finding.threshold)}"


def _reasoned(finding: Finding) -> str:
    return f"{finding.reason}: {finding.message}"


def _number(value: float) -> str:
    """Return enough digits to see a difference and no more: counts whole, ratios to 2 to 4 places."""
    if value == int(value) and abs(value) >= 1:
        return f"{value:.0f}"
    if value and abs(value) < 0.0001:
        return f"{value:.2g}"
    whole, _, digits = f"{value:.4f}".rstrip("0").partition(".")
    return f"{whole}.{digits:0<2}"


def _sentence(text: str) -> str:
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
