"""What both databases can compute, each in words of its own: some fields of JSON text."""

from typing import Any

from sqlalchemy import ColumnElement, String, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class _JsonTexts(FunctionElement[Any]):
    type = String()
    name = "json_texts"
    inherit_cache = True


def json_texts(document: ColumnElement[Any], *fields: str) -> ColumnElement[Any]:
    """The texts in two or more `fields` of a JSON object that is kept as text, as a JSON array; null for one it lacks.

    The document is read once for all of them.
    """
    if unnamed := [field for field in fields if not field.isidentifier()]:
        raise ValueError(f"{unnamed[0]} is no name of a field")
    return _JsonTexts(document, *(literal_column(field) for field in fields))


@compiles(_JsonTexts, "postgresql")
def _json_texts_postgresql(element: _JsonTexts, compiler: SQLCompiler, **options: Any) -> str:
    document, *fields = (compiler.process(part, **options) for part in element.clauses)
    told = ", ".join(f'told."{field}"' for field in fields)
    columns = ", ".join(f'"{field}" text' for field in fields)
    # Names of fields, and of a column: nothing that anybody could have written.
    return f"(SELECT json_build_array({told})::text FROM json_to_record(({document})::json) AS told({columns}))"  # noqa: S608


@compiles(_JsonTexts, "sqlite")
def _json_texts_sqlite(element: _JsonTexts, compiler: SQLCompiler, **options: Any) -> str:
    document, *fields = (compiler.process(part, **options) for part in element.clauses)
    paths = ", ".join(f"'$.{field}'" for field in fields)
    return f"json_extract({document}, {paths})"
