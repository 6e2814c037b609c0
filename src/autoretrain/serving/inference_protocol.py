"""/v2: the Open Inference Protocol over REST, so that KServe, MLServer and Triton clients work unchanged."""

from importlib.metadata import version
from typing import Any, Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from autoretrain.serving.dataplane import DataPlane
from autoretrain.serving.lineup import Lineup, ServedModel
from autoretrain.serving.oip_tensors import (
    INPUT,
    OUTPUTS,
    InferRequest,
    InferResponse,
    OipError,
    chosen_outputs,
    output_data,
    parse_infer,
)
from autoretrain.serving.predict import answer_batch, json_answer
from autoretrain.serving.schemas import json_body

PLATFORM: Final = "autoretrain_linear"
BINARY_HEADER: Final = "inference-header-content-length"


class InferenceProtocol:
    """The model `name` as the protocol sees it."""

    def __init__(self, plane: DataPlane, name: str) -> None:
        self._plane, self._name = plane, name

    def find(self, name: str, wanted: str | None) -> tuple[Lineup, tuple[ServedModel, str] | None]:
        """The line-up, and the loaded version that is asked for by number; 404 for what is not here."""
        if name != self._name:
            raise HTTPException(404, f"there is no model {name!r:.80} here; it is {self._name}")
        lineup = self._plane.lineup
        if wanted is None:
            return lineup, None
        found = lineup.by_version(wanted)
        if found is None:
            raise HTTPException(404, f"version {wanted!r:.20} of {self._name} is not loaded")
        return lineup, found

    def metadata(self, name: str, wanted: str | None) -> dict[str, Any]:
        lineup, _ = self.find(name, wanted)
        return {
            "name": self._name,
            "versions": [model.name for model, _ in lineup.models()],
            "platform": PLATFORM,
            "inputs": [INPUT],
            "outputs": list(OUTPUTS),
        }

    async def infer(self, name: str, wanted: str | None, request: Request) -> Response:
        lineup, found = self.find(name, wanted)
        header = request.headers.get(BINARY_HEADER)
        body = await request.body()
        try:
            if header is not None and not (header.isascii() and header.isdigit() and int(header) <= len(body)):
                raise ValueError(f"{BINARY_HEADER} does not fit the body")
            parsed, messages = parse_infer(body, json_length=None if header is None else int(header))
            chosen = chosen_outputs(parsed)
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        sender = parsed.parameters.get("sender")
        # One answer has one model_version, so all messages of a request meet the same version.
        model, role = found or lineup.answering(messages[0], sender=sender if isinstance(sender, str) else None)
        answers = await answer_batch(self._plane, messages, answering=lambda _: (model, role), lineup=lineup)
        shape = [len(answers)] if len(parsed.inputs[0].shape) == 1 else [len(answers), 1]
        outputs = [
            {
                "name": output["name"],
                "datatype": output["datatype"],
                "shape": shape,
                "data": output_data(output, answers),
            }
            for output in chosen
        ]
        answer: dict[str, Any] = {"model_name": self._name, "model_version": model.name, "outputs": outputs}
        if parsed.id is not None:
            answer["id"] = parsed.id
        return json_answer(answer, headers=model.headers)


def build_inference_routes(plane: DataPlane, *, name: str) -> APIRouter:
    router = APIRouter(prefix="/v2", tags=["inference protocol"])
    protocol = InferenceProtocol(plane, name)
    errors: dict[int | str, dict[str, Any]] = {
        status: {"model": OipError, "description": "Error"} for status in (400, 404, 413, 500, 503)
    }
    not_found: dict[int | str, dict[str, Any]] = {status: errors[status] for status in (404, 503)}

    @router.get("")
    async def server_metadata() -> dict[str, Any]:
        """Name and version of the server."""
        return {"name": "autoretrain", "version": version("autoretrain"), "extensions": ["binary_tensor_data"]}

    @router.get("/health/live")
    async def live() -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    @router.get("/health/ready", responses={503: errors[503]})
    async def ready() -> dict[str, bool]:
        """A model is loaded and warm."""
        return {"ready": bool(plane.lineup)}

    @router.get("/models/{model_name}", responses=not_found)
    @router.get("/models/{model_name}/versions/{model_version}", responses=not_found)
    async def model_metadata(model_name: str, model_version: str | None = None) -> dict[str, Any]:
        """Inputs, outputs and loaded versions of the model."""
        return protocol.metadata(model_name, model_version)

    @router.get("/models/{model_name}/ready", responses=not_found)
    @router.get("/models/{model_name}/versions/{model_version}/ready", responses=not_found)
    async def model_ready(model_name: str, model_version: str | None = None) -> dict[str, Any]:
        """The model, or one version of it, is loaded and warm."""
        protocol.find(model_name, model_version)
        return {"name": name, "ready": True}

    options: dict[str, Any] = {
        "response_model": InferResponse,
        "responses": errors,
        "openapi_extra": {"requestBody": json_body(InferRequest)},
    }

    @router.post("/models/{model_name}/infer", **options)
    @router.post("/models/{model_name}/versions/{model_version}/infer", **options)
    async def infer(request: Request, model_name: str, model_version: str | None = None) -> Response:
        """Label the messages of one BYTES tensor."""
        return await protocol.infer(model_name, model_version, request)

    return router
