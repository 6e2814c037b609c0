"""What can be looked at: the model of this machine, or a cluster's as far as its API and the mounted stores go."""

import json
import threading
from datetime import UTC, datetime

import httpx
import pytest

from autoretrain.adapters.kube_api import KubeApi
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.app import cluster_fleet
from autoretrain.app.cluster_fleet import FRESH_SECONDS, ClusterFleet
from autoretrain.app.fleet import LOG_BYTES, LocalFleet, namespaces_of
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.status import HistoryEntry
from tests.spec_cases import VALID_TEXT

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACCEPTED = {"data": {"http": {"url": "https://data.example/sms.tsv"}, "format": "TSV"}}
METADATA = {"resourceVersion": "7", "creationTimestamp": "2026-03-01T12:00:00Z", "managedFields": [{"manager": "x"}]}


class Cluster:
    """An API server with SpamModels by namespace; `asked` are the paths that it was asked for."""

    def __init__(self, **namespaces):
        self.namespaces = namespaces
        self.asked = []
        self.down = False
        self.decisions = []

    def __call__(self, request):
        self.asked.append(request.url.path)
        if self.down:
            raise httpx.ConnectError("refused")
        *_, namespace, kind = request.url.path.split("/")
        if kind == "spammodeldecisions":
            return httpx.Response(200, json={"items": self.decisions})
        if namespace not in {"v1alpha1", *self.namespaces}:
            return httpx.Response(403, json={"message": f"spammodels is forbidden in {namespace}"})
        chosen = self.namespaces if namespace == "v1alpha1" else {namespace: self.namespaces[namespace]}
        return httpx.Response(200, json={"items": [each for found in chosen.values() for each in found]})


def resource(key, *, spec=ACCEPTED, status=None, generation=1):
    namespace, _, name = key.partition(".")
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{key}", "generation": generation, **METADATA}
    return {"metadata": metadata, "spec": spec, **({"status": status} if status else {})}


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def fleet_of(tmp_path, clock):
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("token")
    opened = []

    def build(cluster, *, namespaces=("*",), stores=None):
        http = httpx.Client(base_url="https://api", transport=httpx.MockTransport(cluster))
        made = ClusterFleet(KubeApi(http, "", account), namespaces, stores, "sqlite://", clock=lambda: clock[0])
        opened.append(made)
        return made

    yield build
    for made in opened:
        made.close()


@pytest.fixture
def stores(tmp_path):
    """A directory as the Pod's Secret is mounted: a file a namespace, with the address of its store."""
    directory = tmp_path / "stores"
    directory.mkdir()
    url = f"sqlite:///{tmp_path / 'store.db'}"
    (directory / "spam").write_text(f"{url}\n")
    with Store(url, model="spam.sms") as store:
        store.migrate()
    return directory


def test_every_namespace_is_shown_or_those_that_are_named(fleet_of):
    cluster = Cluster(spam=[resource("spam.sms")], market=[resource("market.mail")], other=[resource("other.x")])
    assert list(fleet_of(cluster).look()) == ["spam.sms", "market.mail", "other.x"]
    assert list(fleet_of(cluster, namespaces=namespaces_of("market, spam,")).look()) == ["market.mail", "spam.sms"]


def test_a_namespace_that_was_deleted_with_our_right_to_it_hides_no_other(fleet_of):
    cluster = Cluster(spam=[resource("spam.sms")])
    assert list(fleet_of(cluster, namespaces=("gone", "spam")).look()) == ["spam.sms"]
    with pytest.raises(AutoRetrainError, match="forbidden in gone"):
        fleet_of(cluster, namespaces=("gone",)).look()


@pytest.mark.parametrize("namespaces", [("*",), ("market", "other", "spam")])
@pytest.mark.parametrize(("most", "shown"), [(2, 2), (3, 3), (4, 3)])
def test_that_not_all_models_are_shown_is_said(fleet_of, monkeypatch, namespaces, most, shown):
    monkeypatch.setattr(cluster_fleet, "MOST_MODELS", most)
    cluster = Cluster(market=[resource("market.mail")], other=[resource("other.x")], spam=[resource("spam.sms")])
    fleet = fleet_of(cluster, namespaces=namespaces)
    assert len(fleet.look()) == shown
    assert fleet.cut.startswith("There are more than 2 SpamModels") is (shown < 3)


def test_models_that_are_fewer_again_are_said_no_longer_to_be_cut(fleet_of, clock, monkeypatch):
    monkeypatch.setattr(cluster_fleet, "MOST_MODELS", 1)
    cluster = Cluster(spam=[resource("spam.sms"), resource("spam.mail")])
    fleet = fleet_of(cluster)
    fleet.look()
    cluster.namespaces["spam"].pop()
    clock[0] += FRESH_SECONDS
    fleet.look()
    assert fleet.cut == ""


def test_what_came_of_a_model_is_its_status(fleet_of):
    status = {"champion": {"version": "4", "digest": "sha256:4"}}
    seen = fleet_of(Cluster(spam=[resource("spam.sms", status=status)])).look()["spam.sms"]
    assert (seen.model.key, seen.status.champion.version) == ("spam.sms", "4")


def test_a_model_whose_spec_can_not_be_followed_is_shown_and_not_hidden(fleet_of):
    spec = {**ACCEPTED, "triggers": {"schedule": {"cron": "61 * * * *"}}}
    status = {
        "conditions": [
            {
                "type": "Stalled",
                "status": "True",
                "reason": "InvalidSpec",
                "message": "no such minute",
                "observedGeneration": 2,
                "lastTransitionTime": "2026-03-01T12:00:00Z",
            }
        ]
    }
    seen = fleet_of(Cluster(spam=[resource("spam.sms", spec=spec, status=status)])).look()["spam.sms"]
    assert [condition.message for condition in seen.status.conditions] == ["no such minute"]


def test_many_looks_within_moments_ask_the_api_once(fleet_of, clock):
    cluster = Cluster(spam=[resource("spam.sms")])
    fleet = fleet_of(cluster)
    for _ in range(3):
        fleet.look()
    assert len(cluster.asked) == 1
    clock[0] = FRESH_SECONDS
    fleet.look()
    assert len(cluster.asked) == 2


def test_a_changed_spec_and_a_deleted_model_are_seen(fleet_of, clock):
    cluster = Cluster(spam=[resource("spam.sms"), resource("spam.gone")])
    fleet = fleet_of(cluster)
    fleet.look()
    clock[0] = FRESH_SECONDS
    cluster.namespaces["spam"] = [resource("spam.sms", spec={**ACCEPTED, "suspend": True}, generation=2)]
    assert {key: seen.model.spec.suspend for key, seen in fleet.look().items()} == {"spam.sms": True}


def test_an_api_server_that_is_away_is_an_error_with_a_message(fleet_of):
    cluster = Cluster(spam=[])
    cluster.down = True
    with pytest.raises(AutoRetrainError, match="did not answer"):
        fleet_of(cluster).look()


def test_an_api_server_that_is_away_is_asked_once_for_all_who_look_within_moments(fleet_of, clock):
    cluster = Cluster(spam=[resource("spam.sms")])
    fleet = fleet_of(cluster)
    cluster.down = True
    for _ in range(3):
        with pytest.raises(AutoRetrainError, match="did not answer"):
            fleet.look()
    assert len(cluster.asked) == 1
    clock[0], cluster.down = FRESH_SECONDS, False
    assert list(fleet.look()) == ["spam.sms"]


def test_while_the_api_server_is_away_a_model_that_was_seen_can_be_reached(fleet_of, clock):
    cluster = Cluster(spam=[resource("spam.sms")])
    fleet = fleet_of(cluster)
    fleet.look()
    clock[0], cluster.down = FRESH_SECONDS, True
    assert fleet.reach("spam.sms").key == "spam.sms"


def test_a_status_that_can_not_be_read_hides_no_other_model_and_says_so_of_its_own(fleet_of):
    broken = resource("spam.broken", status={"champion": {"version": []}})
    seen = fleet_of(Cluster(spam=[broken, resource("spam.sms")])).look()
    [condition] = seen["spam.broken"].status.conditions
    assert (condition.type, condition.status) == ("Stalled", True)
    assert "the status can't be read" in condition.message
    assert seen["spam.sms"].status.conditions == ()


def test_a_model_that_is_not_shown_here_can_not_be_reached(fleet_of):
    fleet = fleet_of(Cluster(spam=[resource("spam.sms")], other=[resource("other.x")]), namespaces=("spam",))
    with pytest.raises(AutoRetrainError, match=r"there is no SpamModel other\.x"):
        fleet.reach("other.x")


def test_only_the_store_that_was_given_is_opened_and_each_model_sees_its_own(fleet_of, stores):
    cluster = Cluster(spam=[resource("spam.sms"), resource("spam.mail")], market=[resource("market.x")])
    fleet = fleet_of(cluster, stores=stores)
    sms, mail, other = (fleet.reach(key) for key in ("spam.sms", "spam.mail", "market.x"))
    sms.store.append_decision({"decision": "RETRAIN"})
    assert (len(sms.store.decisions(limit=9)), mail.store.decisions(limit=9)) == (1, [])
    assert (other.store, other.problem) == (None, "")


def test_a_store_that_can_not_be_used_is_told_and_used_once_it_can(fleet_of, stores, tmp_path):
    fleet = fleet_of(Cluster(spam=[resource("spam.sms")]), stores=stores)
    hidden = (tmp_path / "store.db").rename(tmp_path / "elsewhere.db")
    reach = fleet.reach("spam.sms")
    assert reach.store is None
    assert "there is no store" in reach.problem
    hidden.rename(tmp_path / "store.db")
    assert fleet.reach("spam.sms").store is not None


def test_a_store_that_is_slow_to_open_keeps_nobody_from_looking(fleet_of, stores, monkeypatch):
    fleet = fleet_of(Cluster(spam=[resource("spam.sms")]), stores=stores)
    waited = []

    def look_meanwhile(_store):
        looking = threading.Thread(target=fleet.look, daemon=True)
        looking.start()
        looking.join(5)
        waited.append(looking.is_alive())

    monkeypatch.setattr(Store, "check_schema", look_meanwhile)
    fleet.reach("spam.sms")
    assert waited == [False]


def test_a_store_that_can_not_be_used_leaves_no_connection_behind(fleet_of, stores, tmp_path, monkeypatch):
    closed = []
    monkeypatch.setattr(Store, "close", lambda store: closed.append(store))
    fleet = fleet_of(Cluster(spam=[resource("spam.sms")]), stores=stores)
    (tmp_path / "store.db").unlink()
    fleet.reach("spam.sms")
    assert len(closed) == 1


def test_a_store_whose_address_is_changed_or_taken_back_is_no_longer_read(fleet_of, stores, tmp_path):
    fleet = fleet_of(Cluster(spam=[resource("spam.sms")]), stores=stores)
    fleet.reach("spam.sms").store.append_decision({"decision": "RETRAIN"})
    other = f"sqlite:///{tmp_path / 'other.db'}"
    with Store(other, model="spam.sms") as store:
        store.migrate()
    (stores / "spam").write_text(other)
    assert fleet.reach("spam.sms").store.decisions(limit=9) == []
    (stores / "spam").unlink()
    assert fleet.reach("spam.sms").store is None


def test_decisions_of_a_cluster_come_from_its_objects(fleet_of):
    cluster = Cluster(spam=[resource("spam.sms")])
    told = {"at": NOON.isoformat(), "decision": "HOLD", "reason": "NoGain", "message": "no gain"}
    record = json.dumps({**told, "outcomes": []})
    cluster.decisions = [{"spec": {**told, "sequence": number, "record": record}} for number in (10, 9)]
    place = fleet_of(cluster).reach("spam.sms").place
    entry = HistoryEntry(at=NOON, decision="HOLD", reason="NoGain", message="no gain")
    assert place.heads(limit=9) == [(9, entry), (10, entry)]
    assert [each["sequence"] for each in place.decisions(limit=1)] == [10]


@pytest.fixture
def local(tmp_path):
    document = tmp_path / "model.yaml"
    document.write_text(VALID_TEXT)
    opened = LocalFleet.open(Settings(spec=document, state_dir=tmp_path / "state"))
    yield opened
    opened.close()


def test_one_machine_has_the_model_of_its_document(local):
    assert list(local.look()) == ["default.sms-spam"]
    reach = local.reach("default.sms-spam")
    assert (reach.key, reach.store.decisions(limit=9), reach.place.heads(limit=9)) == ("default.sms-spam", [], [])


def test_the_end_of_a_runs_log_can_be_read(local):
    reach = local.reach("default.sms-spam")
    assert reach.log_of("run-1") == ""
    log = reach.runs / "run-1" / "train.log"
    log.parent.mkdir(parents=True)
    log.write_text("x" * LOG_BYTES + "Registered version 4")
    assert reach.log_of("run-1").endswith("xRegistered version 4")
    assert len(reach.log_of("run-1")) == LOG_BYTES


def test_of_a_log_of_terabytes_only_the_end_is_read(local):
    reach = local.reach("default.sms-spam")
    log = reach.runs / "run-1" / "train.log"
    log.parent.mkdir(parents=True)
    with log.open("wb") as out:
        out.truncate(2**42)  # holes, which take no room on the disk, and all of them would in memory
        out.seek(0, 2)
        out.write(b"Registered version 4")
    assert reach.log_of("run-1").endswith("Registered version 4")
