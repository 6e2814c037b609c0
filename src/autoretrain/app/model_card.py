"""What does a version's card say of its training? Whoever asks loads nothing to train with."""

import json
from datetime import datetime
from typing import Final

from autoretrain.domain.deployment import ModelArtefact

TRAINED_UNTIL: Final = "trained_until"
"""Key of the card: the prediction time of the newest label that the version learnt from."""


def trained_until(artefact: ModelArtefact) -> datetime | None:
    """Return when the newest message that a version learnt from was answered; None where it learnt from none."""
    stamp = json.loads(artefact.card or "{}").get(TRAINED_UNTIL)
    return datetime.fromisoformat(stamp) if stamp else None
