"""How the frozen records of `domain` become JSON and come back: one codec for ledger, store and status files."""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter

T = TypeVar("T")


# Building an adapter costs milliseconds, using it microseconds.
_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


def dump_record(record: object) -> Any:
    """Return `record` as plain JSON values with snake_case keys; times are RFC 3339 in UTC."""
    return _adapter(type(record)).dump_python(record, mode="json")


def load_record(record_type: type[T], data: Any) -> T:
    """Return the record that `dump_record` wrote. Raises pydantic.ValidationError where the shape does not fit."""
    return cast("T", _adapter(record_type).validate_python(data))


def load_json(record_type: type[T], text: str | bytes) -> T:
    """Return the record that `text` holds as JSON. Raises pydantic.ValidationError where it is not one."""
    return cast("T", _adapter(record_type).validate_json(text))
