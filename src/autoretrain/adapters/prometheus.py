"""What does Prometheus say now, and over time? Two calls of its HTTP API, with a limit on each."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import httpx

from autoretrain.domain.errors import AutoRetrainError

TIMEOUT_SECONDS: Final = 3.0

Labels = Mapping[str, str]
"""Of a series; it lacks those that nobody gave it, and a `sum by` keeps what it lacks lacking."""

T = TypeVar("T")


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
        values = self._ask(_value, "/api/v1/query", query=query)
        return [(labels, value) for labels, value in values if math.isfinite(value)]

    def over_time(
        self, query: str, *, since: datetime, until: datetime, step_seconds: int
    ) -> list[tuple[Labels, list[tuple[datetime, float]]]]:
        """Return the values of each series, every `step_seconds`. Raises PrometheusUnavailable."""
        return self._ask(
            _values,
            "/api/v1/query_range",
            query=query,
            start=str(since.timestamp()),
            end=str(until.timestamp()),
            step=str(step_seconds),
        )

    def _ask(self, read: Callable[[Any], T], path: str, **parameters: str) -> list[T]:
        """Return what `read` makes of each series of the answer."""
        try:
            # As a form: a query may be longer than an address.
            body = self.http.post(path, data=parameters).json()
            if body["status"] != "success":
                raise PrometheusUnavailable(f"Prometheus can't answer: {body.get('error', 'no reason given')}")
            return [read(series) for series in body["data"]["result"]]
        except httpx.HTTPError as error:
            raise PrometheusUnavailable(f"Prometheus did not answer: {error}") from None
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
            raise PrometheusUnavailable(
                "Prometheus's address answered with something that is not Prometheus's"
            ) from None


def matching(**labels: str) -> str:
    """Return a selector of the series that carry all of `labels`: `{namespace="spam",spammodel="spam.sms"}`."""
    return "{" + ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items()) + "}"


def _value(series: Any) -> tuple[Labels, float]:
    return _labels(series), float(series["value"][1])


def _values(series: Any) -> tuple[Labels, list[tuple[datetime, float]]]:
    return _labels(series), _points(series["values"])


def _labels(series: Any) -> Labels:
    return {name: str(value) for name, value in series["metric"].items()}


def _points(values: list[Any]) -> list[tuple[datetime, float]]:
    read = ((datetime.fromtimestamp(float(at), UTC), float(value)) for at, value in values)
    return [(at, value) for at, value in read if math.isfinite(value)]
