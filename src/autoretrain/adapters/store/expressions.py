"""What both databases can compute, each in words of its own: the start of a span of time, and a field of JSON text."""

from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, String, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from autoretrain.adapters.store.schema import UtcDateTime

Span = Literal["minute", "hour", "day"]

# SQLite keeps times as text of this form; a time cut off there and filled up is the start of its span.
_TEXT = "0000-00-00 00:00:00.000000"
_KEPT_CHARACTERS: dict[Span, int] = {"minute": 16, "hour": 13, "day": 10}


class _StartOf(FunctionElement[Any]):
    type = UtcDateTime()
    name = "start_of"
    inherit_cache = True


class _JsonText(FunctionElement[Any]):
    type = String()
    name = "json_text"
    inherit_cache = True


def start_of(span: Span, at: ColumnElement[Any]) -> ColumnElement[Any]:
    """The beginning, in UTC, of the minute, hour or day that the time `at` is in."""
    if span not in get_args(Span):
        raise ValueError(f"{span} is no span")
    kept = _KEPT_CHARACTERS[span]
    return _StartOf(at, literal_column(f"'{span}'"), literal_column(str(kept)), literal_column(f"'{_TEXT[kept:]}'"))


def json_text(document: ColumnElement[Any], field: str) -> ColumnElement[Any]:
    """The text in `field` of a JSON object that is kept as text; NULL where it has none."""
    if not field.isidentifier():
        raise ValueError(f"{field} is no name of a field")
    return _JsonText(document, literal_column(f"'{field}'"), literal_column(f"'$.{field}'"))


@compiles(_StartOf, "postgresql")
def _start_of_postgresql(element: _StartOf, compiler: SQLCompiler, **options: Any) -> str:
    at, span, _, _ = (compiler.process(part, **options) for part in element.clauses)
    return f"date_trunc({span}, {at}, 'UTC')"


@compiles(_StartOf, "sqlite")
def _start_of_sqlite(element: _StartOf, compiler: SQLCompiler, **options: Any) -> str:
    at, _, kept, rest = (compiler.process(part, **options) for part in element.clauses)
    return f"substr({at}, 1, {kept}) || {rest}"


@compiles(_JsonText, "postgresql")
def _json_text_postgresql(element: _JsonText, compiler: SQLCompiler, **options: Any) -> str:
    document, field, _ = (compiler.process(part, **options) for part in element.clauses)
    return f"({document})::json ->> {field}"


@compiles(_JsonText, "sqlite")
def _json_text_sqlite(element: _JsonText, compiler: SQLCompiler, **options: Any) -> str:
    document, _, path = (compiler.process(part, **options) for part in element.clauses)
    return f"json_extract({document}, {path})"
