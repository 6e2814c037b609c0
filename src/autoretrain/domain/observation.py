"""Everything one pass knows: gathered by a shell, read by the decision core, recorded for replay."""

from dataclasses import dataclass
from datetime import datetime

from autoretrain.domain.advice import Advice
from autoretrain.domain.drift import DriftReport
from autoretrain.domain.errors import Problem
from autoretrain.domain.metrics import Estimate
from autoretrain.domain.spec import SpamModel
from autoretrain.domain.status import Status
from autoretrain.domain.training import RunObservation


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelWindow:
    """One disjoint window of matured audit labels, weighted by inverse inclusion probability.

    `started_at` is the time of its oldest prediction. Recall and F1 of spam are None where no label is spam.
    """

    started_at: datetime
    labels: int
    accuracy: Estimate
    spam_recall: Estimate | None
    f1: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Live quality of `model_version` from audit labels only, by the time of the prediction.

    `overall` covers all of them; `windows` are disjoint, newest last. `matured_ratio` is the share of audited
    predictions whose label has arrived.
    """

    model_version: str
    labels: int
    overall: LabelWindow | None
    windows: tuple[LabelWindow, ...]
    precision: Estimate | None
    matured_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSupply:
    """Trusted labels that arrived after the last run's cut-off. `highest_sequence` freezes the next run's rows.

    `changed_at` is when traffic began to differ from what the champion knows, as far as windows tell; None: they do
    not. The two counts beside it are of messages predicted since then, repeated and contradictory ones left out.
    """

    new_labels: int
    new_spam_labels: int
    highest_sequence: int
    changed_at: datetime | None = None
    labels_since_change: int = 0
    spam_labels_since_change: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardEvidence:
    """What the champion did since its promotion. None means: could not be measured.

    Shares and ratios in [0, 1]; `spam_share` and `disagreement` carry their interval at `messages`. `score_shift` is
    the total variation distance of the live score histogram from the expected one, less the distance that sampling
    alone explains. `golden_ham_flagged` is the share of a held-out ham set flagged as spam by the live server, and
    `golden_ham_expected` by the same artefact when it was trained. `latency_ratio` is p95 now over p95 of `previous`.
    `audit` is the quality by audit labels since the promotion, `audit_previous` that of `previous` on the same texts.
    `requests` counts the requests behind `error_ratio` and `latency_ratio`, failed ones too; None: as many as
    `messages`.
    """

    model_version: str
    messages: int
    spam_share: Estimate | None = None
    score_shift: float | None = None
    disagreement: Estimate | None = None
    golden_ham_flagged: float | None = None
    golden_ham_expected: float | None = None
    error_ratio: float | None = None
    latency_ratio: float | None = None
    requests: int | None = None
    audit: LabelWindow | None = None
    audit_previous: LabelWindow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What serving itself says it serves. `ready` is false while any replica serves something else."""

    version: str | None
    digest: str | None
    ready: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryVersion:
    """One registered version, for adoption after status was lost. `alias` is champion, candidate, previous or ''."""

    version: str
    digest: str
    alias: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """`now` is UTC. A field that is None could not be read, and no decision may rest on it.

    `drift` holds the complete windows of the champion's version, oldest first, at most the last `consecutiveBreaches`
    and never fewer where they exist; `pending_messages` counts the incomplete window after them. `run` is how the run
    of `status.active_run` stands; None also where nothing knows of it: then it is submitted again under its name.
    `document_problems` says what is wrong with the document as it is now; `model` is then the last one that was good.
    `registry_owner` is whose the registered model is where it is somebody else's; '' where it is ours or nobody's, or
    nothing rests on it now. `highest_ordinal` is the highest run ordinal that jobs or registry tags know of, for a
    status that was lost. `advice` is the newest of the agent's, without the words that it wrote.
    """

    now: datetime
    model: SpamModel
    status: Status
    served: Served | None
    drift: tuple[DriftReport, ...] | None
    pending_messages: int
    performance: Performance | None
    supply: LabelSupply | None
    run: RunObservation | None
    guard: GuardEvidence | None
    registry: tuple[RegistryVersion, ...] | None
    registry_owner: str | None = ""
    highest_ordinal: int = 0
    document_problems: tuple[Problem, ...] = ()
    advice: Advice | None = None
