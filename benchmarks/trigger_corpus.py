"""Which champion and which messages do the trigger scenarios draw from? Real ones where they are there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark_document import DEFAULT_SEARCH
from real_messages import read_csv, read_stream, read_truth

from autoretrain.domain.deployment import ModelArtefact
from autoretrain.domain.messages import LabelledMessage
from autoretrain.ml.drift.references import build_references
from autoretrain.ml.sample_corpus import generate_corpus, generate_traffic, generate_wave
from autoretrain.ml.splits import in_holdout
from autoretrain.ml.training import search
from autoretrain.ml.variants import Profile


@dataclass(frozen=True)
class TriggerCorpus:
    """A champion, messages like those it learnt from but unseen, and messages of other times."""

    champion: ModelArtefact
    usual: Sequence[LabelledMessage]
    drifted: dict[str, Sequence[LabelledMessage]]
    origin: str

    @classmethod
    def load(cls, data: Path) -> "TriggerCorpus":
        if (data / "uci_train_A.csv").exists():
            base, usual = read_csv(data / "uci_train_A.csv"), read_csv(data / "uci_holdout_A.csv")
            drifted = {name: changed_part(data, f"dev-abrupt-{name}") for name in ("india-telecom", "youtube")}
            origin = "UCI SMS (uci_train_A.csv trains, uci_holdout_A.csv is traffic), drift from india-telecom, youtube"
        else:
            base, usual = generate_corpus(seed=0), generate_traffic(seed=1, messages=2000)
            drifted = {"wave": generate_wave(seed=2, messages=2000, share_new=0.9, spam_share=0.45)}
            origin = f"GENERATED sample messages, since {data} has no UCI rows; not real ones"
        trained = search(base, replace(DEFAULT_SEARCH, profile=Profile.WORD))
        reference = build_references(trained.model, [row for row in base if in_holdout(row.text)], seed=0)
        champion = ModelArtefact(
            version="1", digest=trained.digest, run_id="r1", model=trained.artefact, reference=reference, card="{}"
        )
        return cls(champion, usual, drifted, origin)


def changed_part(data: Path, name: str) -> list[LabelledMessage]:
    """The messages of a stream from its change on."""
    return read_stream(data, name)[read_truth(data)[name]["change_at"][0] :]
