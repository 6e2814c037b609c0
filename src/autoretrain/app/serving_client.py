"""What the live server says of itself: version, readiness, counters. Every call has a time limit."""

from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import structlog
from prometheus_client.parser import text_string_to_metric_families

from autoretrain.adapters.key_file import HEADER, BadKeysFile, read_keys
from autoretrain.adapters.live_figures import LEAST_REQUESTS, LiveFigures
from autoretrain.domain.messages import Label
from autoretrain.domain.observation import Served

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 3.0


class ServingClient:
    """Shows the first of the keys in `keys_file`, as the file is at each call: one of them may be taken back."""

    def __init__(self, address: str, *, keys_file: Path | None = None) -> None:
        self._http = httpx.Client(base_url=address, timeout=TIMEOUT_SECONDS, auth=_with_key(keys_file))

    def served(self) -> Served | None:
        """Return what is served; None where nobody listens at the address."""
        try:
            ready = self._http.get("/readyz").status_code == httpx.codes.OK
            answer = self._http.get("/models/current")
        except httpx.HTTPError:
            return None
        if answer.status_code != httpx.codes.OK:
            return Served(version=None, digest=None, ready=False)
        current = answer.json()
        return Served(version=current["version"].removeprefix("v"), digest=current["digest"], ready=ready)

    def labels_of(self, messages: Sequence[str], *, version: str) -> list[Label] | None:
        """Return what the live `version` calls `messages`; they are not recorded as traffic.

        None where the server can't tell, or another version answered one of them.
        """
        try:
            answer = self._http.post("/predict/batch", json={"messages": list(messages), "record": False})
        except httpx.HTTPError:
            return None
        if answer.status_code != httpx.codes.OK:
            return None
        rows = answer.json()["predictions"]
        if any(row["model_version"] != f"v{version}" for row in rows):
            return None
        return [Label(row["prediction"]) for row in rows]

    def figures(self) -> dict[str, LiveFigures]:
        """Return the live counters by version; empty where they can't be read."""
        try:
            return parse_figures(self._http.get("/metrics").raise_for_status().text)
        except (httpx.HTTPError, ValueError):
            return {}

    def close(self) -> None:
        self._http.close()


def _with_key(keys_file: Path | None) -> Callable[[httpx.Request], httpx.Request] | None:
    if keys_file is None:
        return None

    def show(request: httpx.Request) -> httpx.Request:
        try:
            keys = read_keys(keys_file)
        except BadKeysFile as error:
            log.warning("serving is asked without a key", reason=str(error))
            return request
        if keys:
            _, request.headers[HEADER] = keys[0]
        return request

    return show


def parse_figures(text: str) -> dict[str, LiveFigures]:
    """Read requests, errors and p95 by version out of serving's exposition text. Raises ValueError for another text."""
    errors: dict[str, float] = {}
    buckets: dict[str, list[tuple[float, float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            version = sample.labels.get("model_version", "")
            if sample.name == "autoretrain_prediction_errors_total":
                errors[version] = errors.get(version, 0.0) + sample.value
            elif sample.name == "autoretrain_prediction_duration_seconds_bucket" and "le" in sample.labels:
                buckets.setdefault(version, []).append((float(sample.labels["le"]), sample.value))
    return {
        version.removeprefix("v"): LiveFigures(
            requests=max(count for _, count in rows), errors=errors.get(version, 0.0), p95_seconds=quantile(rows, 0.95)
        )
        for version, rows in buckets.items()
    }


def quantile(buckets: list[tuple[float, float]], q: float, *, at_least: float = LEAST_REQUESTS) -> float | None:
    """Return the q quantile of a cumulative histogram by linear interpolation, None below `at_least` observations."""
    rows = sorted(buckets)
    total = rows[-1][1]
    if total < at_least:
        return None
    lower, below = 0.0, 0.0
    for upper, count in rows:
        if count >= q * total:
            if upper == float("inf"):
                return lower
            return lower + (upper - lower) * (q * total - below) / max(count - below, 1e-12)
        lower, below = upper, count
    return lower
