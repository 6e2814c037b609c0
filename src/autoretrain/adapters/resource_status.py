"""How the record of a status becomes the resource's `status`, and comes back unchanged.

Names follow Kubernetes: camelCase, times end in `Time`. What is not known is left out. Unknown names are ignored, so
that an older release reads the status of a newer one.
"""

import dataclasses
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, get_args, get_type_hints

from pydantic import ValidationError

from autoretrain.adapters import records
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.status import Status

_CONDITION_STATUS = {True: "True", False: "False", None: "Unknown"}
_CONDITION_VALUE = {text: value for value, text in _CONDITION_STATUS.items()}


def render_status(status: Status) -> dict[str, Any]:
    """Return `status` as JSON values in the shape of the resource."""
    fields = _rename(records.dump_record(status), _wire_names())
    for condition, record in zip(fields["conditions"], status.conditions, strict=True):
        condition["status"] = _CONDITION_STATUS[record.status]
    if status.drift is not None:
        fields["drift"]["perMetric"] = dict(status.drift.per_metric)
    if status.rollout is not None:
        fields["rollout"] = {("from" if name == "fromVersion" else name): v for name, v in fields["rollout"].items()}
    fields["budget"] = {"startTimes": fields.pop("runStarts")}
    fields["breaker"] = {"open": fields.pop("breakerOpen"), "rejections": fields.pop("rejections")}
    fields["handledRequests"] = fields.pop("handled")
    return {**fields, "summary": _summary(status)}


def parse_status(fields: Mapping[str, Any]) -> Status:
    """Return the record that `render_status` wrote. Raises AutoRetrainError where the shape does not fit."""
    try:
        return records.load_record(Status, _rename(_flat(fields), {wire: name for name, wire in _wire_names().items()}))
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors())
        raise AutoRetrainError(f"the status can't be read: {reasons}") from None
    except (AttributeError, TypeError, ValueError) as error:
        raise AutoRetrainError(f"the status can't be read: {error}") from None


def _flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Undo the groups that `render_status` makes."""
    flat = dict(fields)
    budget, breaker = flat.pop("budget", {}), flat.pop("breaker", {})
    flat["runStarts"] = budget.get("startTimes", [])
    flat["breakerOpen"], flat["rejections"] = breaker.get("open", False), breaker.get("rejections", 0)
    flat["handled"] = flat.pop("handledRequests", {})
    flat["conditions"] = [
        {**condition, "status": _CONDITION_VALUE.get(condition.get("status"))}
        for condition in flat.get("conditions", [])
    ]
    if flat.get("rollout"):
        flat["rollout"] = {"fromVersion": None, **flat["rollout"]}
        flat["rollout"]["fromVersion"] = flat["rollout"].pop("from", None)
    if flat.get("drift"):
        flat["drift"] = {**flat["drift"], "perMetric": list(flat["drift"].get("perMetric", {}).items())}
    return flat


def _summary(status: Status) -> dict[str, str]:
    """Return the few figures of `kubectl get`, short enough for a column."""
    newest = max(status.history, key=lambda entry: entry.at, default=None)
    shown = {
        "drift": f"{status.drift.score:.3f}" if status.drift else None,
        "accuracy": f"{status.performance.accuracy:.3f}" if status.performance else None,
        "lastDecision": newest.decision if newest else None,
    }
    return {name: text for name, text in shown.items() if text is not None}


def _rename(value: Any, names: Mapping[str, str]) -> Any:
    """Return `value` with the names of its fields replaced; unnamed fields and fields without a value are dropped."""
    if isinstance(value, list):
        return [_rename(item, names) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {names[name]: _rename(child, names) for name, child in value.items() if name in names and child is not None}


@cache
def _wire_names() -> dict[str, str]:
    """Return the resource's name for every field of Status and of the records in it."""
    found: set[str] = set()
    pending: list[Any] = [Status]
    while pending:
        kind = pending.pop()
        pending += get_args(kind)
        if dataclasses.is_dataclass(kind):
            hints = get_type_hints(kind)
            found |= hints.keys()
            pending += hints.values()
    return {name: _wire_name(name) for name in found}


def _wire_name(name: str) -> str:
    """Return `promoted_at` as `promotedTime`: an API names a point in time by its event."""
    name = {"at": "time", "started_at": "start_time"}.get(name, re.sub(r"_at$", "_time", name))
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)
