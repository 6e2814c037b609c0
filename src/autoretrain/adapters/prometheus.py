"""What does Prometheus say now, and over time? Two calls of its HTTP API, with a limit on each."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from autoretrain.domain.errors import AutoRetrainError

TIMEOUT_SECONDS: Final = 3.0

Labels = Mapping[str, str]


class PrometheusUnavailable(AutoRetrainError):  # noqa: N818 - named for what happened
    """It did not answer, or it answered that it can't."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One server. Values that are no numbers are left out."""

    http: httpx.Client

    @classmethod
    def at(cls, url: str) -> "Prometheus":
        """Return the server at `url`. Raises PrometheusUnavailable where that is no address."""
        try:
            return cls(httpx.Client(base_url=url.rstrip("/"), timeout=TIMEOUT_SECONDS))
        except httpx.InvalidURL as error:
            raise PrometheusUnavailable(f"Prometheus's address is none: {error}") from None

    def instant(self, query: str) -> list[tuple[Labels, float]]:
        """Return the value of each series now. Raises PrometheusUnavailable."""
        found = self._ask("/api/v1/query", query=query)
        values = ((series["metric"], float(series["value"][1])) for series in found)
        return [(labels, value) for labels, value in values if math.isfinite(value)]

    def over_time(
        self, query: str, *, since: datetime, until: datetime, step_seconds: int
    ) -> list[tuple[Labels, list[tuple[datetime, float]]]]:
        """Return the values of each series, every `step_seconds`. Raises PrometheusUnavailable."""
        found = self._ask(
            "/api/v1/query_range",
            query=query,
            start=str(since.timestamp()),
            end=str(until.timestamp()),
            step=str(step_seconds),
        )
        return [(series["metric"], _points(series["values"])) for series in found]

    def _ask(self, path: str, **parameters: str) -> list[Any]:
        try:
            # As a form: a query may be longer than an address.
            body = self.http.post(path, data=parameters).json()
            if body["status"] != "success":
                raise PrometheusUnavailable(f"Prometheus can't answer: {body.get('error', 'no reason given')}")
            result: list[Any] = body["data"]["result"]
        except httpx.HTTPError as error:
            raise PrometheusUnavailable(f"Prometheus did not answer: {error}") from None
        except (ValueError, KeyError, TypeError):
            raise PrometheusUnavailable(
                "Prometheus's address answered with something that is not Prometheus's"
            ) from None
        return result


def matching(**labels: str) -> str:
    """Return a selector of the series that carry all of `labels`: `{namespace="spam",spammodel="spam.sms"}`."""
    return "{" + ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items()) + "}"


def _points(values: list[Any]) -> list[tuple[datetime, float]]:
    read = ((datetime.fromtimestamp(float(at), UTC), float(value)) for at, value in values)
    return [(at, value) for at, value in read if math.isfinite(value)]
