"""POST /predict and /predict/batch. One message is the hot path: read, checked and answered without a framework."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import orjson
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from autoretrain.domain.messages import Label
from autoretrain.serving.dataplane import Answer, DataPlane
from autoretrain.serving.limits import MAX_MESSAGE_CHARACTERS
from autoretrain.serving.lineup import Lineup, ServedModel
from autoretrain.serving.problems import InvalidBody, problem_responses
from autoretrain.serving.schemas import BatchRequest, BatchResponse, PredictRequest, PredictResponse, json_body

ModelT = TypeVar("ModelT", bound=BaseModel)

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
    request = parse(PredictRequest, body)
    return request.message, request.sender


def parse(model: type[ModelT], body: bytes) -> ModelT:
    """The request in `body`; raises InvalidBody."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise InvalidBody(error.errors(include_url=False, include_context=False, include_input=False)) from None


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


class HandRead(APIRoute):
    """A route whose endpoint gets the request as it is: no dependencies, validation or response model on the way."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return cast("Callable[[Request], Coroutine[Any, Any, Response]]", self.endpoint)


def add_predict_routes(app: FastAPI, plane: DataPlane) -> None:
    async def predict(request: Request) -> Response:
        """Label one message and, where it is spam, say why."""
        text, sender = parse_predict(await request.body())
        return _answer(plane.predict(text, sender=sender))

    async def predict_batch(request: Request) -> Response:
        """Label many messages by the version that is served when the request begins."""
        batch = parse(BatchRequest, await request.body())
        lineup = plane.lineup
        answers = await answer_batch(
            plane,
            batch.messages,
            answering=lambda message: lineup.answering(message, sender=None),
            lineup=lineup,
            record=batch.record,
        )
        body = {"predictions": [render_answer(answer) for answer in answers]}
        return json_answer(body, headers=lineup.champion.headers)

    for path, endpoint, request_model, answer_model in (
        ("/predict", predict, PredictRequest, PredictResponse),
        ("/predict/batch", predict_batch, BatchRequest, BatchResponse),
    ):
        app.router.add_api_route(
            path,
            endpoint,
            methods=["POST"],
            tags=["predict"],
            response_model=answer_model,
            responses=problem_responses(413, 422, 500, 503),
            openapi_extra={"requestBody": json_body(request_model)},
            route_class_override=HandRead,
        )


def _answer(answer: Answer) -> Response:
    return json_answer(render_answer(answer), headers=answer.model.headers)
