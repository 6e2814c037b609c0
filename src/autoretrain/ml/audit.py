"""Which predictions are drawn for the labelling queue, and with what probability?

Serving asks this for every answer; nothing but the standard library is used here.
"""

from hashlib import blake2b

from autoretrain.domain.messages import Label

BOOST = 3.0
"""How much likelier than `rate` the boosted strata are drawn: they hold nearly all spam, and spam is rare."""

UNSURE = 0.9
"""Ham answered with less confidence than this is boosted as well: most misses of a calibrated model are here."""

ASSUMED_BOOSTED_SHARE = 0.18
"""The part of traffic taken to be in the boosted strata when the rest's probability is set. Where the true part is
0.05 or 0.30, `rate` is met 0.68 or 1.29 times over: the estimates stay unbiased, only the work changes."""


def is_boosted(label: Label, confidence: float) -> bool:
    """Is an answer of this label, and calibrated probability of it, in the stratum that is drawn oftener?"""
    return label is Label.SPAM or confidence < UNSURE


def audit_probability(label: Label, confidence: float, *, rate: float) -> float:
    """The chance in [0, 1] with which a prediction is drawn; `rate` in [0, 1] is the intended mean over traffic.

    There are two strata: boosted (answered spam, or ham below UNSURE) and plain. `confidence` is the calibrated
    probability of `label`. No message has chance 0 while `rate` is positive, so confident misses are found too.
    """
    boosted = min(1.0, BOOST * rate)
    if is_boosted(label, confidence):
        return boosted
    return (rate - ASSUMED_BOOSTED_SHARE * boosted) / (1 - ASSUMED_BOOSTED_SHARE)


def draw_for_audit(prediction_id: str, label: Label, *, confidence: float, rate: float, seed: int) -> float | None:
    """The inclusion probability if this prediction is drawn, else None. The same id, seed and rate draw alike.

    The draw depends on the prediction's id, which the server makes, so no sender can choose not to be audited.
    """
    probability = audit_probability(label, confidence, rate=rate)
    digest = blake2b(prediction_id.encode(), digest_size=8, key=str(seed).encode()).digest()
    return probability if int.from_bytes(digest) < probability * 2**64 else None
