"""How a Pod asks the API server: with its own token, page by page, and with a message for each way to get no answer."""

import httpx
import pytest

from autoretrain.adapters import kube_api
from autoretrain.adapters.kube_api import KubeApi
from autoretrain.adapters.kubectl import KubectlFailed, NotFound, TooMany, Unanswered

MODELS = "spammodels.autoretrain.dev"


@pytest.fixture
def account(tmp_path):
    (tmp_path / "token").write_text("first\n")
    return tmp_path


@pytest.fixture
def api_of(account):
    clients = []

    def build(answer, *, namespace="spam"):
        client = httpx.Client(base_url="https://api", transport=httpx.MockTransport(answer))
        clients.append(client)
        return KubeApi(client, namespace, account)

    yield build
    for client in clients:
        client.close()


def test_an_object_is_asked_for_in_its_namespace_with_the_token_as_it_is_now(api_of, account):
    asked = []

    def answer(request):
        asked.append((request.method, request.url.path, request.headers["Authorization"]))
        return httpx.Response(200, json={"spec": {}})

    api = api_of(answer)
    assert api.get(MODELS, "sms") == {"spec": {}}
    (account / "token").write_text("second")
    api.within("market").get(MODELS, "sms")
    path = "/apis/autoretrain.dev/v1alpha1/namespaces/{}/spammodels/sms"
    assert asked == [("GET", path.format("spam"), "Bearer first"), ("GET", path.format("market"), "Bearer second")]


def test_a_list_is_read_to_its_last_page(api_of):
    pages = {"": (["a", "b"], "next"), "next": (["c"], "")}

    def answer(request):
        items, more = pages[request.url.params.get("continue", "")]
        assert request.url.path == "/apis/autoretrain.dev/v1alpha1/spammodels"
        return httpx.Response(200, json={"items": [{"name": name} for name in items], "metadata": {"continue": more}})

    found, complete = api_of(answer, namespace="").list_all(MODELS)
    assert ([each["name"] for each in found], complete) == (["a", "b", "c"], True)


def endless(_request):
    return httpx.Response(200, json={"items": [{}, {}], "metadata": {"continue": "more"}})


def test_a_list_without_an_end_is_read_up_to_a_bound_and_is_told_from_a_whole_one(api_of):
    found, complete = api_of(endless).list_all(MODELS, at_most=5)
    assert (len(found), complete) == (5, False)
    last = {"items": [{}] * 5, "metadata": {}}
    assert api_of(lambda _: httpx.Response(200, json=last)).list_all(MODELS, at_most=5)[1] is True
    assert api_of(lambda _: httpx.Response(200, json=last)).list_all(MODELS, at_most=4)[1] is False


def test_of_a_list_in_no_order_a_part_is_refused_and_the_bound_is_told(api_of, monkeypatch):
    monkeypatch.setattr(kube_api, "MOST_OBJECTS", 5)
    with pytest.raises(TooMany, match="namespace spam: there are more than 5 spammodels"):
        api_of(endless).list_labelled(MODELS, {"a": "b"})
    whole = {"items": [{}] * 5, "metadata": {}}
    assert len(api_of(lambda _: httpx.Response(200, json=whole)).list_labelled(MODELS, {"a": "b"})) == 5


def test_objects_are_chosen_by_all_of_their_labels(api_of):
    chosen = []

    def answer(request):
        chosen.append(request.url.params["labelSelector"])
        return httpx.Response(200, json={"items": []})

    assert api_of(answer).list_labelled(MODELS, {"a/b": "c", "d": "e"}) == []
    assert chosen == ["a/b=c,d=e"]


def test_a_change_is_a_merge_patch(api_of):
    def answer(request):
        assert (request.method, request.headers["Content-Type"]) == ("PATCH", "application/merge-patch+json")
        return httpx.Response(200, content=request.content)

    change = {"metadata": {"annotations": {"autoretrain.dev/approve": None}}}
    assert api_of(answer).merge(MODELS, "sms", change) == change


def refuse(_request):
    raise httpx.ConnectError("connection refused")


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        (lambda _: httpx.Response(404, json={"message": "not found"}), NotFound, "not found"),
        (lambda _: httpx.Response(403, json={"message": "cannot list"}), KubectlFailed, "cannot list"),
        (lambda _: httpx.Response(500, json={}), Unanswered, "500"),
        (lambda _: httpx.Response(429, json={"message": "slow down"}), Unanswered, "slow down"),
        (lambda _: httpx.Response(200, text="<html>"), Unanswered, "no JSON"),
        (lambda _: httpx.Response(200, json={"items": None}), Unanswered, "no list"),
        (refuse, Unanswered, "connection refused"),
    ],
    ids=["nothing there", "not allowed", "a broken server", "a busy server", "a proxy's page", "no list", "no server"],
)
def test_no_answer_says_where_and_why(api_of, answer, kind, told):
    with pytest.raises(KubectlFailed, match=f"namespace spam: .*{told}") as failure:
        api_of(answer).list_all(MODELS)
    assert type(failure.value) is kind


def test_a_token_that_is_gone_is_told(api_of, account):
    (account / "token").unlink()
    with pytest.raises(Unanswered, match="token"):
        api_of(refuse).get(MODELS, "sms")


def test_outside_of_a_pod_there_is_no_api(monkeypatch, tmp_path):
    monkeypatch.setattr(kube_api, "ACCOUNT", tmp_path)
    with pytest.raises(KubectlFailed, match="no Pod"):
        KubeApi.in_pod()
