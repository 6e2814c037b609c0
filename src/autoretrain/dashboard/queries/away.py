"""What is said of figures whose source can't be asked: what that is, why, and what a person can do about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from autoretrain.dashboard.queries.serving_figures import NotAnswered, ServingFigures
from autoretrain.domain.errors import AutoRetrainError

SERVING_DO: Final = (
    "Look whether it runs (`autoretrain serve`, or `autoretrain run` for all there is on one machine), and whether "
    "`AUTORETRAIN_SERVING_URL` is where it listens."
)
PROMETHEUS_DO: Final = "Look whether it runs, and whether `AUTORETRAIN_PROMETHEUS_URL` is its address."


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """`what` is a sentence without its full stop. `said` holds words of others, for whoever mends it; may be ''."""

    what: str
    do: str
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The newest figures and when they were given, None where they never were; `away` says why these are not of now."""

    figures: ServingFigures | None = None
    at: datetime | None = None
    away: Away | None = None


def away_of(error: AutoRetrainError) -> Away:
    """Return what to say of a service of this machine that gives no figures, or of a Prometheus."""
    if isinstance(error, NotAnswered):
        return Away(what=str(error), do=SERVING_DO)
    return Away(what="Prometheus can't be asked", do=PROMETHEUS_DO, said=str(error))
