"""How do messages stand in a request of the Open Inference Protocol? Its tensors, in JSON and in binary.

Strings are BYTES: in JSON as they are, in the binary extension each after four bytes of its length, little-endian.
Specification: https://github.com/kserve/open-inference-protocol (REST); the binary extension is Triton's.
"""

import struct
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, ValidationError

from autoretrain.serving.dataplane import Answer
from autoretrain.serving.limits import MAX_BATCH, MAX_MESSAGE_CHARACTERS
from autoretrain.serving.problems import describe_errors
from autoretrain.serving.schemas import EXAMPLE_SPAM

INPUT: Final = {"name": "message", "datatype": "BYTES", "shape": [-1]}
OUTPUTS: Final = (
    {"name": "prediction", "datatype": "BYTES", "shape": [-1]},
    {"name": "confidence", "datatype": "FP64", "shape": [-1]},
    {"name": "prediction_id", "datatype": "BYTES", "shape": [-1]},
)
_LENGTH: Final = struct.Struct("<I")


class Tensor(BaseModel):
    """The one input: BYTES, of shape [n] or [n, 1]; `data` may be nested, or absent where it follows in binary."""

    name: Annotated[str, Field(max_length=256)]
    shape: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=2)]
    datatype: Literal["BYTES"]
    data: Annotated[list[Any] | None, Field(examples=[[EXAMPLE_SPAM]])] = None
    parameters: dict[str, Any] = {}


class RequestedOutput(BaseModel):
    name: str
    parameters: dict[str, Any] = {}


class InferRequest(BaseModel):
    id: Annotated[str, Field(max_length=256)] | None = None
    parameters: dict[str, Any] = {}
    inputs: Annotated[list[Tensor], Field(min_length=1, max_length=1)]
    outputs: list[RequestedOutput] | None = None


class OutputTensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class InferResponse(BaseModel):
    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


class OipError(BaseModel):
    error: str


def parse_infer(body: bytes, *, json_length: int | None) -> tuple[InferRequest, list[str]]:
    """The request and its messages. Raises ValueError with what is wrong."""
    head, tail = (body, b"") if json_length is None else (body[:json_length], body[json_length:])
    try:
        request = InferRequest.model_validate_json(head)
    except ValidationError as error:
        first = describe_errors(error.errors(include_url=False, include_context=False, include_input=False))[0]
        raise ValueError(": ".join(part for part in first.values() if part)) from None
    tensor = request.inputs[0]
    binary = tensor.parameters.get("binary_data_size")
    if binary is not None:
        if type(binary) is not int or binary != len(tail):
            raise ValueError("inputs[0].parameters.binary_data_size does not fit the body")
        messages = _read_strings(tail)
    else:
        messages = _flatten(tensor.data)
    expected = tensor.shape[0] * (tensor.shape[1] if len(tensor.shape) == 2 else 1)
    if len(messages) != expected or tensor.shape[1:] not in ([], [1]):
        raise ValueError(f"inputs[0].shape {tensor.shape} is not [n] or [n, 1] for {len(messages)} messages")
    if not 1 <= len(messages) <= MAX_BATCH:
        raise ValueError(f"inputs[0]: between 1 and {MAX_BATCH} messages are answered at once")
    if not all(0 < len(message) <= MAX_MESSAGE_CHARACTERS for message in messages):
        raise ValueError(f"inputs[0]: a message has between 1 and {MAX_MESSAGE_CHARACTERS} characters")
    return request, messages


def _flatten(data: list[Any] | None) -> list[str]:
    rows = [row[0] if isinstance(row, list) and len(row) == 1 else row for row in data or []]
    if not all(isinstance(row, str) for row in rows):
        raise ValueError("inputs[0].data: only strings are read")
    return rows


def _read_strings(data: bytes) -> list[str]:
    strings, at = [], 0
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise ValueError("inputs[0]: the binary data ends in a length")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            raise ValueError("inputs[0]: the binary data ends in a string")
        try:
            strings.append(data[at : at + length].decode())
        except UnicodeDecodeError:
            raise ValueError("inputs[0]: a string is not UTF-8") from None
        at += length
    return strings


def chosen_outputs(request: InferRequest) -> list[dict[str, Any]]:
    known = {str(output["name"]): output for output in OUTPUTS}
    wanted = [output.name for output in request.outputs or []] or list(known)
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"outputs: there is no {unknown[0]!r:.80}; there are {', '.join(known)}")
    return [known[name] for name in wanted]


def output_data(output: dict[str, Any], answers: list[Answer]) -> list[Any]:
    match output["name"]:
        case "prediction":
            return [answer.label.value for answer in answers]
        case "confidence":
            return [answer.confidence for answer in answers]
        case _:
            return [answer.prediction_id for answer in answers]
