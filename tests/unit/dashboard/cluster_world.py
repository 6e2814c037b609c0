"""A cluster as a dashboard sees it that was given no store: SpamModels and decisions, and nothing else."""

from datetime import timedelta
from types import SimpleNamespace

from autoretrain.adapters import spammodel
from autoretrain.app.fleet import Reach, Seen
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.status import HistoryEntry, ModelRef, Status
from tests.unit.dashboard.world import NOW

PROMOTED = HistoryEntry(
    at=NOW + timedelta(minutes=1), decision="PROMOTE", reason="FirstModel", message="candidate 1: the first model"
)


class Cluster:
    """A fleet without stores. While it is `down` nobody answers."""

    def __init__(self, *seen, problem="", cut=""):
        self.seen = {each.model.key: each for each in seen}
        self.problem = problem
        self.cut = cut
        self.down = False

    def look(self):
        if self.down:
            raise AutoRetrainError("the API server did not answer")
        return self.seen

    def reach(self, key):
        place = SimpleNamespace(heads=lambda limit: [(1, PROMOTED)])
        return Reach(key=key, place=place, store=None, registry=None, problem=self.problem)


def seen(name, **status):
    document = {
        "apiVersion": spammodel.API_VERSION,
        "kind": spammodel.KIND,
        "metadata": {"name": name, "namespace": "spam"},
        "spec": {"data": {"http": {"url": "https://data.example/x"}, "format": "TSV"}},
    }
    model = spammodel.parse_spam_model(document, uid="uid", generation=1)
    return Seen(model=model, status=Status(champion=ModelRef(version="1", digest="sha256:1"), **status))
