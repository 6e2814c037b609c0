"""May this model's serving get what a new operator wants of it? A few at a time, and none once a few have failed.

What tells an upgrade from a change that the model asks for stands on its Deployment: what the model asked for when that
was applied, and a mark where nothing but the operator had changed. So a controller that starts anew counts the same.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from autoretrain.decide.guard import is_active
from autoretrain.decide.rollout import is_overdue
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.status import Status
from controller.cache import Key, WatchCache, model_key
from controller.cluster import ASKED_ANNOTATION, DEPLOYMENT, GROUP, Object
from controller.sameness import annotation_of, hash_of
from controller.serving_state import Progress, read_progress

UPGRADE_ANNOTATION: Final = f"{GROUP}/upgrade"
RETRY: Final = timedelta(seconds=30)
"""A model that waits asks this often, or at its next check if that is earlier."""
CLAIM: Final = timedelta(seconds=30)
"""A call that got no answer may have had its effect: the watch has shown it by then."""


class UpgradeWaits(AutoRetrainError):  # noqa: N818 - named for the state it reports
    """What the operator changed on its own comes later; the message says after what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Models whose serving an upgrade is rolling now, and those where its Pods did not become ready in time."""

    rolling: frozenset[Key]
    failed: frozenset[Key]


@dataclass(slots=True)
class Upgrades:
    """`limit` is how many models may be rolled at a time, and how many failed ones stop the upgrade."""

    cache: WatchCache
    limit: int
    _claims: dict[Key, datetime] = field(default_factory=dict)

    def admit(self, child: Object, live: Object, *, status: Status, now: datetime) -> Object:
        """Return `child` as it may be applied in place of `live`, marked if that is an upgrade. Raises UpgradeWaits.

        Who is admitted is counted from now on, until `applied` or for as long as CLAIM.
        """
        key = model_key(child)
        if key is None or not annotation_of(child, ASKED_ANNOTATION):
            return child
        marked = bool(annotation_of(live, UPGRADE_ANNOTATION))
        if hash_of(live) == hash_of(child):
            # Somebody changed it by hand, or the server writes it otherwise: it is put right, and counts as before.
            return _marked(child) if marked else child
        if annotation_of(live, ASKED_ANNOTATION) not in ("", annotation_of(child, ASKED_ANNOTATION)):
            return child
        if is_active(status) or (status.rollout is not None and not is_overdue(status.rollout, now=now)):
            # A bad image would convict a good version. One that does not become ready may need just this upgrade.
            raise UpgradeWaits("until its fresh version has stood its guard")
        unfinished = marked and read_progress(live) is not Progress.DONE
        count = self.count(now, besides=(key,))
        if len(count.failed) >= self.limit and not unfinished:
            raise UpgradeWaits(f"since {self.limit} models that have it did not become ready")
        if len(count.rolling) >= self.limit:
            raise UpgradeWaits(f"until fewer than {self.limit} models are being rolled")
        self._claims[key] = now + CLAIM
        return _marked(child)

    def applied(self, child: Object) -> None:
        """Count the model by its Deployment from now on, which the cache shows."""
        if (key := model_key(child)) is not None and annotation_of(child, UPGRADE_ANNOTATION):
            self._claims.pop(key, None)

    def count(self, now: datetime, *, besides: Collection[Key] = ()) -> Count:
        rolling = {key for key, until in self._claims.items() if until > now}
        failed = set()
        for deployment in self.cache.all(DEPLOYMENT):
            key = model_key(deployment)
            if key is None or not annotation_of(deployment, UPGRADE_ANNOTATION):
                continue
            match read_progress(deployment):
                case Progress.GOING:
                    rolling.add(key)
                case Progress.STUCK:
                    failed.add(key)
        return Count(rolling=frozenset(rolling.difference(besides)), failed=frozenset(failed.difference(besides)))


def _marked(child: Object) -> Object:
    annotations = {**child["metadata"]["annotations"], UPGRADE_ANNOTATION: "true"}
    return {**child, "metadata": {**child["metadata"], "annotations": annotations}}
