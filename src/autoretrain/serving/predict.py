"""POST /predict and /predict/batch. One message is the hot path: read, checked and answered without a framework."""

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from autoretrain.domain.messages import Label
from autoretrain.serving.dataplane import Answer, DataPlane
from autoretrain.serving.limits import MAX_MESSAGE_CHARACTERS
from autoretrain.serving.lineup import Lineup, ServedModel
from autoretrain.serving.problems import InvalidBody, problem_responses
from autoretrain.serving.schemas import BatchRequest, BatchResponse, PredictRequest, PredictResponse, json_body

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


def json_answer(body: Any, *, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body, option=orjson.OPT_UTC_Z), media_type="application/json", headers=headers)


async def answer_batch(
    plane: DataPlane,
    messages: Sequence[str],
    *,
    answering: Callable[[str], tuple[ServedModel, str]],
    lineup: Lineup,
    record: bool = True,
) -> list[Answer]:
    """Answer `messages` in order, each by the version that `answering` names, letting other requests in between."""
    answers = []
    for number, message in enumerate(messages, start=1):
        model, role = answering(message)
        answers.append(plane.predict_by(model, message, role=role, lineup=lineup, record=record))
        if number % MESSAGES_BEFORE_OTHERS == 0:
            await asyncio.sleep(0)
    return answers


class DirectRoute(APIRoute):
    """A route that FastAPI documents but does not handle: its endpoint is an ASGI application.

    For one message FastAPI's request handling, and Starlette's request and response, cost more than scoring it.
    """

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.app = endpoint


class Predict:
    """Label one message and, where it is spam, say why."""

    # What FastAPI would read parameters from; the body is described beside the route.
    __signature__ = inspect.Signature()

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        body = message.get("body", b"")
        while message.get("more_body"):
            message = await receive()
            body += message.get("body", b"")
        text, sender = parse_predict(body)
        answer = self._plane.predict(text, sender=sender)
        out = orjson.dumps(render_answer(answer), option=orjson.OPT_UTC_Z)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(out)),
            (b"x-model-version", answer.model.name.encode()),
            (b"x-model-digest", answer.model.digest.encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": out})


def add_predict_routes(app: FastAPI, plane: DataPlane) -> None:
    options: dict[str, Any] = {
        "methods": ["POST"],
        "tags": ["predict"],
        "responses": problem_responses(413, 422, 500, 503),
    }
    route = DirectRoute(
        "/predict",
        Predict(plane),
        name="predict",
        description=Predict.__doc__,
        response_model=PredictResponse,
        openapi_extra={"requestBody": json_body(PredictRequest)},
        **options,
    )
    app.router.routes.insert(0, route)  # the first to be looked at

    @app.api_route("/predict/batch", response_model=BatchResponse, **options)
    async def predict_batch(batch: BatchRequest) -> Response:
        """Label many messages by the version that is served when the request begins."""
        lineup = plane.lineup

        def answering(message: str) -> tuple[ServedModel, str]:
            # What is not recorded is a question about the champion, as the guard's, and no traffic of an experiment.
            return lineup.answering(message, sender=None) if batch.record else (lineup.champion, "champion")

        answers = await answer_batch(
            plane,
            batch.messages,
            answering=answering,
            lineup=lineup,
            record=batch.record,
        )
        body = {"predictions": [render_answer(answer) for answer in answers]}
        return json_answer(body, headers=lineup.champion.headers)
