"""What is one registered version made of, and what came before it?"""

from dataclasses import dataclass
from datetime import datetime

from autoretrain.domain.training import TrainingSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """A version as the registry knows it; '' and None where whoever registered it did not say.

    `alias` is champion, candidate, previous or ''. `data_hash` is of the rows that the run chose from, `code_version`
    the release of this project that trained. `summary` is the run's own report, with the comparison in it.
    """

    version: str
    digest: str
    alias: str
    registered_at: datetime | None = None
    run_id: str = ""
    run_name: str = ""
    trigger: str = ""
    data_source: str = ""
    data_hash: str = ""
    code_version: str = ""
    summary: TrainingSummary | None = None

    @property
    def parent(self) -> str:
        """The version that it was compared with, which was the champion then; '' for the first, or where unknown."""
        return (self.summary.champion_version if self.summary else None) or ""
