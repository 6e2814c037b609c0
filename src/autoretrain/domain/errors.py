"""The ways in which work can fail that a caller treats differently. No HTTP, no process, no Kubernetes here."""

from dataclasses import dataclass


class AutoRetrainError(Exception):
    """Base of every error that carries a message meant for a user."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a document. `path` is the field's path, as `spec.triggers.drift.threshold`."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class InvalidSpec(AutoRetrainError):  # noqa: N818 - named for the condition it becomes, not for being an exception
    """The SpamModel document can't be followed. Not retried until the document changes."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class BadData(AutoRetrainError):  # noqa: N818 - as above
    """Training data or labels can't be read. Says file, line and reason; nothing of the file was used."""

    def __init__(self, source: str, reason: str, *, line: int | None = None) -> None:
        self.source, self.reason, self.line = source, reason, line
        where = source if line is None else f"{source}, line {line}"
        super().__init__(f"{where}: {reason}")


class Waiting(AutoRetrainError):  # noqa: N818 - as above
    """Something outside is not there yet; try again after `delay_seconds`."""

    def __init__(self, message: str, *, delay_seconds: float) -> None:
        self.delay_seconds = delay_seconds
        super().__init__(message)


class ArtefactRejected(AutoRetrainError):  # noqa: N818 - as above
    """A model artefact does not match its digest, its format or the allow-list of types."""


class UnknownPrediction(AutoRetrainError):  # noqa: N818 - as above
    """A label names a prediction that the store does not hold (any more); the message itself is needed."""

    def __init__(self, prediction_id: str) -> None:
        self.prediction_id = prediction_id
        super().__init__(f"prediction {prediction_id} is not in the store; send the message with its label instead")


class StoreUnavailable(AutoRetrainError):  # noqa: N818 - as above
    """The message store can't be reached, is locked, full, or has no fitting schema. Nothing was half-written."""
