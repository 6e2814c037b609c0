"""What does the OpenAPI text say beyond what FastAPI finds by itself? How errors look, and none that never comes."""

from typing import Any

from fastapi import FastAPI

from autoretrain.serving.schemas import FieldError, Problem

_NEVER_SENT = ("HTTPValidationError", "ValidationError")


def complete_openapi(app: FastAPI) -> None:
    """Let `app` document problem+json instead of FastAPI's own validation error."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            text = generate()
            schemas = text["components"]["schemas"]
            for model in (Problem, FieldError):
                schemas[model.__name__] = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas[model.__name__].pop("$defs", None)
            for operations in text["paths"].values():
                for operation in operations.values():
                    if "HTTPValidationError" in str(operation["responses"].get("422")):
                        del operation["responses"]["422"]
            for name in _NEVER_SENT:
                schemas.pop(name, None)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]
