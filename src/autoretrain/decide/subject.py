"""Which versions is a recorded decision about? Read from what it did, or where that is not recorded, from its words."""

import re
from collections.abc import Mapping
from typing import Any

from autoretrain.domain.plan import Decision

_NAMED = re.compile(r"\b(?:version|candidate) (\w+)")


def versions_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the versions that a ledger record is about, the one that it decided on first."""
    intent = (record.get("plan") or {}).get("intent") or {}
    rollout, candidate = intent.get("rollout") or {}, intent.get("candidate") or {}
    going, coming = rollout.get("from_version"), (rollout.get("to") or {}).get("version")
    judged = (candidate.get("summary") or {}).get("version")
    found: tuple[str | None, ...] = ()
    match record["decision"]:
        case Decision.ROLLBACK:
            found = (going, coming)
        case Decision.PROMOTE:
            found = (coming,)
        case Decision.HOLD | Decision.REJECT:
            found = (judged,)
    known = [version for version in found if version]
    return tuple(dict.fromkeys(known or _NAMED.findall(record["message"])))


def subject_of(record: Mapping[str, Any]) -> str:
    """Return the version that a ledger record decided on, '' where it is about none."""
    return next(iter(versions_of(record)), "")
