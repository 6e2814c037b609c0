"""What is a model made of, and how does it stand in a file? Plain JSON, checked on reading: never code, never pickle.

The same model always gives the same bytes, so their SHA-256 names it. Standard library only.
"""

import base64
import hashlib
import json
import math
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Never

from autoretrain.domain.errors import ArtefactRejected

FORMAT: Final = "autoretrain-linear"
FORMAT_VERSION: Final = 1
READABLE_VERSIONS: Final = frozenset({FORMAT_VERSION})
"""The present version and, once there is one, the one before it."""

MAX_ARTEFACT_BYTES: Final = 64 * 2**20
WEIGHT_DECIMALS: Final = 12
"""Rounding takes away what the order of additions left in the last bits, and moves a log-odds by less than 1e-10."""

_LONGEST_TERM_RUN: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TermBlock:
    """One TF-IDF vocabulary with one weight a term.

    Terms are runs of `lengths[0]` to `lengths[1]` words or characters; `document_counts` says in how many training
    rows each stands.
    """

    lengths: tuple[int, int]
    terms: tuple[str, ...]
    document_counts: Sequence[int]
    weights: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearParts:
    """A whole model: vocabularies, weights, calibration.

    `stems` and `stop_words` are what a searched preprocessing of the words left behind. A message's calibrated
    log-odds are `slope * sum + offset`: the sum is that of both blocks, and the classifier's intercept is already in
    the offset. `rows` is the number of training rows that `document_counts` counts in.
    """

    algorithm: str
    profile: str
    rows: int
    threshold: float
    slope: float
    offset: float
    word: TermBlock
    character: TermBlock | None = None
    stems: Mapping[str, str] = field(default_factory=dict)
    stop_words: frozenset[str] = frozenset()


def digest_of(data: bytes) -> str:
    """`sha256:` and the hex digest of an artefact's bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def render_artefact(parts: LinearParts) -> bytes:
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "algorithm": parts.algorithm,
        "profile": parts.profile,
        "rows": parts.rows,
        "threshold": parts.threshold,
        "slope": round(parts.slope, WEIGHT_DECIMALS),
        "offset": round(parts.offset, WEIGHT_DECIMALS),
        "word": _render_block(parts.word),
        "character": None if parts.character is None else _render_block(parts.character),
        "stems": dict(parts.stems),
        "stop_words": sorted(parts.stop_words),
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _render_block(block: TermBlock) -> dict[str, Any]:
    return {
        "lengths": list(block.lengths),
        # Terms as one string and numbers packed: read as lists of JSON values they would be most of the loading time.
        # No term holds a line feed, since terms are made of text whose white space is folded.
        "terms": "\n".join(block.terms),
        "document_counts": _pack("I", block.document_counts),
        "weights": _pack("d", [round(weight, WEIGHT_DECIMALS) for weight in block.weights]),
    }


def _pack(typecode: str, values: Sequence[float]) -> str:
    packed = array(typecode, values)
    if sys.byteorder == "big":
        packed.byteswap()
    return base64.b64encode(packed.tobytes()).decode("ascii")


def _unpack(typecode: str, text: Any, *, name: str) -> "array[Any]":
    if not isinstance(text, str):
        raise TypeError(f"{name} is not text")
    values = array(typecode)
    values.frombytes(base64.b64decode(text, validate=True))
    if sys.byteorder == "big":
        values.byteswap()
    return values


def parse_artefact(data: bytes) -> LinearParts:
    """The parts of an artefact; raises `ArtefactRejected` for anything that `render_artefact` did not write."""
    if len(data) > MAX_ARTEFACT_BYTES:
        raise ArtefactRejected(f"model artefact has {len(data)} bytes; at most {MAX_ARTEFACT_BYTES} are read")
    try:
        document = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ArtefactRejected("model artefact is not JSON") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ArtefactRejected(f"model artefact is not of the format {FORMAT}")
    version = document.get("format_version")
    if type(version) is not int or version not in READABLE_VERSIONS:
        readable = ", ".join(map(str, sorted(READABLE_VERSIONS)))
        raise ArtefactRejected(f"model artefact has format version {version!r:.40}; this release reads {readable}")
    try:
        return _parse_document(document)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ArtefactRejected(f"model artefact is damaged: {error!s:.200}") from None


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not a number")


def _parse_document(document: dict[str, Any]) -> LinearParts:
    threshold = _number(document["threshold"], name="threshold")
    if not 0.0 < threshold < 1.0:
        raise ValueError("threshold is not between 0 and 1")
    rows = _integer(document["rows"], name="rows")
    character = document["character"]
    return LinearParts(
        algorithm=_text(document["algorithm"], name="algorithm"),
        profile=_text(document["profile"], name="profile"),
        rows=rows,
        threshold=threshold,
        slope=_number(document["slope"], name="slope"),
        offset=_number(document["offset"], name="offset"),
        word=_parse_block(document["word"], name="word", rows=rows),
        character=None if character is None else _parse_block(character, name="character", rows=rows),
        stems={token: _text(stem, name="stems") for token, stem in dict(document["stems"]).items()},
        stop_words=frozenset(_text(token, name="stop_words") for token in document["stop_words"]),
    )


def _parse_block(block: dict[str, Any], *, name: str, rows: int) -> TermBlock:
    text = _text(block["terms"], name=f"{name}.terms")
    terms = tuple(text.split("\n")) if text else ()
    counts = _unpack("I", block["document_counts"], name=f"{name}.document_counts")
    weights = _unpack("d", block["weights"], name=f"{name}.weights")
    shortest, longest = (_integer(length, name=f"{name}.lengths") for length in block["lengths"])
    if not 1 <= shortest <= longest <= _LONGEST_TERM_RUN:
        raise ValueError(f"{name}.lengths are out of range")
    if not len(terms) == len(counts) == len(weights):
        raise ValueError(f"{name} has not one document count and one weight for each term")
    if not all(map(math.isfinite, weights)):
        raise ValueError(f"{name}.weights are not all finite")
    if counts and max(counts) > rows:
        raise ValueError(f"{name}.document_counts are out of range")
    return TermBlock(lengths=(shortest, longest), terms=terms, document_counts=counts, weights=weights)


def _text(value: Any, *, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} is not text")
    return value


def _integer(value: Any, *, name: str) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"{name} is not a whole number from 0")
    return value


def _number(value: Any, *, name: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise TypeError(f"{name} is not a finite number")
    return float(value)
