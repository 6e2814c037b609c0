"""POST /predict and /predict/batch. One message is the hot path: read, checked and answered without a framework."""

import asyncio
from typing import Any, Final

import orjson
from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from autoretrain.domain.messages import Label
from autoretrain.serving.dataplane import Answer, DataPlane
from autoretrain.serving.limits import MAX_MESSAGE_CHARACTERS
from autoretrain.serving.problems import InvalidBody
from autoretrain.serving.schemas import BatchRequest, BatchResponse, PredictRequest, PredictResponse

MESSAGES_BEFORE_OTHERS: Final = 8
"""So many messages of a batch are scored before other requests get their turn."""


def render_answer(answer: Answer) -> dict[str, Any]:
    """The body of one answer; `top_features` only where it was spam."""
    body: dict[str, Any] = {
        "prediction": answer.label.value,
        "confidence": answer.confidence,
        "model_version": answer.model.name,
        "timestamp": answer.at,
        "prediction_id": answer.prediction_id,
    }
    if answer.label is Label.SPAM:
        body["top_features"] = [{"term": term, "weight": weight} for term, weight in answer.top_features]
    return body


def parse_predict(body: bytes) -> tuple[str, str | None]:
    """Message and sender of a body. What is not plainly right is left to the schema, which says what is wrong."""
    try:
        data = orjson.loads(body)
        message = data["message"]
        if len(data) == 1 and type(message) is str and 0 < len(message) <= MAX_MESSAGE_CHARACTERS:
            return message, None
    except (ValueError, KeyError, TypeError):
        pass
    try:
        request = PredictRequest.model_validate_json(body)
    except ValidationError as error:
        raise InvalidBody(error.errors(include_url=False, include_context=False, include_input=False)) from None
    return request.message, request.sender


class PredictApp:
    """The hot path as a plain ASGI application; a tenth of what FastAPI's own request handling costs."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        body = message.get("body", b"")
        while message.get("more_body"):
            message = await receive()
            body += message.get("body", b"")
        if message["type"] == "http.disconnect":
            return
        text, sender = parse_predict(body)
        answer = self._plane.predict(text, sender=sender)
        out = orjson.dumps(render_answer(answer), option=orjson.OPT_UTC_Z)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(out)),
            *answer.model.headers,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": out})


class DirectRoute(APIRoute):
    """A route that FastAPI documents and does not handle: its endpoint gives the answer's ASGI application."""

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.app = endpoint.application


def build_predict_routes(plane: DataPlane) -> APIRouter:
    router = APIRouter(tags=["predict"])

    @router.post("/predict/batch", response_model=BatchResponse, response_model_exclude_unset=True)
    async def predict_batch(body: BatchRequest, _request: Request) -> Response:
        """Label many messages by the version that is served when the request begins."""
        lineup = plane.lineup
        answers = []
        for number, message in enumerate(body.messages, start=1):
            model, role = lineup.answering(message, sender=None)
            answers.append(plane.predict_by(model, message, role=role, lineup=lineup, record=body.record))
            if number % MESSAGES_BEFORE_OTHERS == 0:
                await asyncio.sleep(0)
        out = orjson.dumps({"predictions": [render_answer(answer) for answer in answers]}, option=orjson.OPT_UTC_Z)
        return Response(out, media_type="application/json", headers=lineup.champion.text_headers)

    return router
