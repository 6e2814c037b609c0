"""How does an error look to a client? RFC 9457 problem+json on every route, and `{"error": …}` under /v2.

The only place that turns the errors of the layers below into status codes.
"""

import traceback
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from autoretrain.domain.errors import StoreUnavailable, UnknownPrediction
from autoretrain.serving.dataplane import NotReady
from autoretrain.serving.drift_worker import DriftBusy, DriftFailed, DriftNotHere, DriftTimeout
from autoretrain.serving.store_calls import StoreBusy

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS: Final = "1"
STATUS_OF: Final[dict[type[Exception], int]] = {
    UnknownPrediction: 404,
    StoreBusy: 429,
    DriftBusy: 429,
    DriftNotHere: 501,
    StoreUnavailable: 503,
    NotReady: 503,
    DriftFailed: 503,
    DriftTimeout: 504,
}
# By RFC 9110, as Python has them from 3.13.
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus} | {
    413: "Content Too Large",
    422: "Unprocessable Content",
}


class InvalidBody(Exception):  # noqa: N818 - named for what the client sent
    """A request that was read by hand does not fit; `errors` are pydantic's."""

    def __init__(self, errors: Sequence[Any]) -> None:
        self.errors = errors
        super().__init__("the request is not valid")


def problem(
    scope: Scope, status: int, detail: str, *, headers: dict[str, str] | None = None, **members: Any
) -> Response:
    """The answer for an error of the request in `scope`; `members` are added to the problem document."""
    # Below a proxy's path the routes are the same, so their errors are too.
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    if path == "/v2" or path.startswith("/v2/"):
        body: dict[str, Any] = {"error": detail}
        media_type = "application/json"
    else:
        body = {"type": "about:blank", "title": _PHRASES.get(status, "Error"), "status": status, "detail": detail}
        body |= members
        media_type = "application/problem+json"
    return Response(orjson.dumps(body), status_code=status, media_type=media_type, headers=headers)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI text of these errors."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _PHRASES[status], "content": content} for status in statuses}


def describe_errors(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Each of pydantic's errors as field path and message; what the client sent is left out."""
    described = []
    for error in errors:
        where = error["loc"][1:] if error["loc"][:1] in {("body",), ("query",), ("path",)} else error["loc"]
        # Where a body is no JSON, the location is a byte offset, which is no field.
        path = "" if error["type"] == "json_invalid" else _field_path(where)
        described.append({"path": path, "message": error["msg"].removeprefix("Value error, ")})
    return described


def _field_path(location: Sequence[str | int]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")


def _invalid(request: Request, errors: Sequence[Any]) -> Response:
    described = describe_errors(errors)
    first = ": ".join(part for part in described[0].values() if part)
    more = f" (and {len(described) - 1} more)" if len(described) > 1 else ""
    return problem(request.scope, 422, f"{first}{more}", errors=described)


def add_error_answers(app: FastAPI) -> None:
    """Register one answer for each kind of error."""

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers) if error.headers else None
        return problem(request.scope, error.status_code, str(error.detail), headers=headers)

    @app.exception_handler(RequestValidationError)
    async def invalid_request(request: Request, error: RequestValidationError) -> Response:
        return _invalid(request, error.errors())

    @app.exception_handler(InvalidBody)
    async def invalid_body(request: Request, error: InvalidBody) -> Response:
        return _invalid(request, error.errors)

    for kind, status in STATUS_OF.items():
        app.add_exception_handler(kind, _answer_with(status))


def _answer_with(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    headers = {"retry-after": RETRY_AFTER_SECONDS} if status in {429, 503} else None

    async def answer(request: Request, error: Exception) -> Response:
        return problem(request.scope, status, str(error), headers=headers)

    return answer


class LastResort:
    """Answers 500 for what nobody foresaw, and logs where it happened without the values: one may be a message."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Any) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if scope["type"] != "http":
                raise
            where = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-4:]]
            log.error("request failed", path=scope["path"], error=type(error).__name__, where=where)
            if not started:
                response = problem(scope, 500, "the server failed on this request; its log says where")
                await response(scope, receive, send)
