"""On a cluster the same pages say what they can't show, and what is asked for goes into the resource."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from autoretrain.adapters.kube_api import KubeApi
from autoretrain.adapters.kubectl import KubectlFailed
from autoretrain.dashboard import asking
from autoretrain.dashboard.pages import versions
from autoretrain.dashboard.queries.registered import RegistryReader
from autoretrain.domain.status import ModelRef, Status
from tests.unit.dashboard.cluster import enter_cluster
from tests.unit.dashboard.cluster_world import seen
from tests.unit.dashboard.world import NOW
from tests.unit.decide import builders

STATUS = Status(
    champion=ModelRef(version="3", digest="sha256:3", metrics=builders.metrics()),
    previous=ModelRef(version="2", digest="sha256:2"),
)


@pytest.fixture(autouse=True)
def a_cluster(monkeypatch, tmp_path):
    enter_cluster(monkeypatch, tmp_path, status=STATUS)
    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_KEY", "secret")
    monkeypatch.setattr(versions, "registry_reader", lambda *_: RegistryReader(lambda: ()))


def page_of(name, *, operator=False):
    app = AppTest.from_string(f"from autoretrain.dashboard.pages import {name}\n{name}.show()\n", default_timeout=60)
    app.session_state["operator"] = operator
    app.run()
    assert not app.exception
    return app


def press(app, key):
    [button] = [each for each in app.button if each.key == key]
    return button.click().run()


@pytest.mark.parametrize("name", ["try_it", "label", "agent"])
def test_a_page_that_needs_the_store_says_that_it_was_not_given(name):
    assert any("was not given the store" in info.value for info in page_of(name, operator=True).info)


def test_versions_are_those_of_the_status_without_store_and_registry():
    table = page_of("versions").dataframe[0]
    assert list(table.value["role"]) == ["champion", "previous"]


def test_without_the_key_nothing_is_offered():
    assert [button.key for button in page_of("versions").button] == []


def test_a_rollback_that_is_confirmed_is_written_into_the_resource(monkeypatch):
    sent = []
    monkeypatch.setattr(KubeApi, "merge", lambda _self, *change: sent.append(change))
    app = press(page_of("versions", operator=True), "open-rollback")
    [reason] = app.text_input
    app = press(reason.input("complaints").run(), "agreed")
    assert not app.exception
    [(kind, name, change)] = sent
    annotations = change["metadata"]["annotations"]
    assert (kind, name) == ("spammodels.autoretrain.dev", "sms-spam")
    assert annotations["autoretrain.dev/rollback-requested"]
    assert (annotations["autoretrain.dev/actor"], annotations["autoretrain.dev/reason"]) == ("dashboard", "complaints")


def test_who_lost_the_key_meanwhile_asks_for_nothing(monkeypatch):
    sent = []
    monkeypatch.setattr(KubeApi, "merge", lambda _self, *change: sent.append(change))
    app = press(page_of("versions", operator=True), "open-rollback")
    app.session_state["operator"] = False
    press(app, "agreed")
    assert sent == []


def test_a_refusal_of_the_api_server_is_said_where_it_was_asked(monkeypatch):
    def refuse(*_):
        raise KubectlFailed("spammodels is forbidden")

    monkeypatch.setattr(KubeApi, "merge", refuse)
    app = press(press(page_of("versions", operator=True), "open-suspend"), "agreed")
    assert [error.value for error in app.error] == ["spammodels is forbidden"]


def test_a_model_that_takes_another_name_in_the_registry_is_asked_for_by_that_name(cluster, monkeypatch):
    readers = []
    monkeypatch.setattr(versions, "registry_reader", lambda *_: readers.append(1) or RegistryReader(lambda: ()))
    fleet = cluster(seen("sms"))
    page_of("versions")
    [(key, before)] = fleet.seen.items()
    spec = replace(before.model.spec, registered_model_name="other")
    fleet.seen[key] = replace(before, model=replace(before.model, spec=spec))
    page_of("versions")
    assert len(readers) == 2


def test_a_model_that_vanishes_under_an_open_dialog_gives_its_place_to_no_other(monkeypatch):
    other = seen("other")
    monkeypatch.setattr(
        asking, "visit", lambda: SimpleNamespace(key=other.model.key, seen=other, now=NOW, may_act=True)
    )
    app = AppTest.from_string(
        "from autoretrain.app.manual_verbs import Verb\n"
        "from autoretrain.dashboard.asking import Confirming, ask_in_dialog\n"
        "ask_in_dialog(Confirming(key='spam.sms', verb=Verb.SUSPEND, version=None))\n"
    ).run()
    assert not app.exception
    assert not app.button
    assert any("no longer here" in each.value for each in app.warning)
