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
    fields = _wire_fields(records.dump_record(status))
    for condition, record in zip(fields["conditions"], status.conditions, strict=True):
        condition["status"] = _CONDITION_STATUS[record.status]
    if status.drift is not None:
        fields["drift"]["perMetric"] = dict(status.drift.per_metric)
    if status.rollout is not None and status.rollout.from_version is not None:
        fields["rollout"]["from"] = fields["rollout"].pop("fromVersion")
    fields["budget"] = {"startTimes": fields.pop("runStarts")}
    fields["breaker"] = {"open": fields.pop("breakerOpen"), "rejections": fields.pop("rejections")}
    fields["handledRequests"] = fields.pop("handled")
    return {**fields, "summary": _summary(status)}


def parse_status(fields: Mapping[str, Any]) -> Status:
    """Return the record that `render_status` wrote. Raises AutoRetrainError where the shape does not fit."""
    try:
        return records.load_record(Status, _record_fields(Status, _flat(fields)))
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
        flat["rollout"] = {**flat["rollout"], "fromVersion": flat["rollout"].get("from")}
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


def _wire_fields(value: Any) -> Any:
    """Return a dumped record under the resource's names, without the fields that have no value."""
    if isinstance(value, list):
        return [_wire_fields(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {_wire_name(name): _wire_fields(child) for name, child in value.items() if child is not None}


def _record_fields(record_type: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return `fields` under the record's names, None for what was left out because it had no value."""
    named: dict[str, Any] = {}
    for field in dataclasses.fields(record_type):
        hint = _hints(record_type)[field.name]
        if _wire_name(field.name) in fields:
            named[field.name] = _record_value(hint, fields[_wire_name(field.name)])
        elif field.default is dataclasses.MISSING and type(None) in get_args(hint):
            named[field.name] = None
    return named


def _record_value(hint: Any, value: Any) -> Any:
    nested = next((kind for kind in (hint, *get_args(hint)) if dataclasses.is_dataclass(kind)), None)
    if nested is not None and isinstance(value, list):
        return [_record_value(nested, item) for item in value]
    return _record_fields(nested, value) if nested is not None and isinstance(value, Mapping) else value


@cache
def _hints(record_type: Any) -> dict[str, Any]:
    return get_type_hints(record_type)


@cache
def _wire_name(name: str) -> str:
    """Return `promoted_at` as `promotedTime`: an API names a point in time by its event."""
    name = {"at": "time", "started_at": "start_time"}.get(name, re.sub(r"_at$", "_time", name))
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)
