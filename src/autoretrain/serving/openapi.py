"""What does the OpenAPI text say beyond what FastAPI finds? How errors look, none that never comes, where keys go."""

from typing import Any

from fastapi import FastAPI

from autoretrain.adapters.key_file import HEADER
from autoretrain.serving.schemas import FieldError, Problem

_NEVER_SENT = ("HTTPValidationError", "ValidationError")


def complete_openapi(app: FastAPI) -> None:
    """Let `app` document problem+json instead of FastAPI's own validation error, and the key that some calls need."""
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
            text["components"]["securitySchemes"] = {"ApiKey": {"type": "apiKey", "in": "header", "name": HEADER}}
            # With or without: what needs one depends on the server's settings, and 401 says so.
            text["security"] = [{}, {"ApiKey": []}]
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]
