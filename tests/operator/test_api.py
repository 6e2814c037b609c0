"""What goes over the wire to an API server, and which error each of its answers becomes."""

import asyncio
import copy
import socket
import struct

import kopf
import pytest
from aiohttp import web

from controller import api as api_module
from controller.api import KubernetesApi, log_in
from controller.cluster import (
    CONFIG_MAP,
    DECISION,
    DEPLOYMENT,
    EVENT,
    JOB,
    POD_MONITOR,
    SPAM_MODEL,
    AlreadyExists,
    ClusterError,
    Conflict,
    NotFound,
    Refused,
    Unreachable,
)
from tests.operator.api_server import TOKEN, ApiServer, Asked, api_server, status, write_kubeconfig

MAPS = "/api/v1/namespaces/tenant-a/configmaps"
LABEL = {"autoretrain.dev/spammodel": "sms"}


@pytest.fixture
async def server():
    async with api_server(ApiServer()) as listening:
        yield listening


@pytest.fixture
async def api(server):
    async with KubernetesApi(kopf.ConnectionInfo(server=server.url, token=TOKEN), seconds=5) as opened:
        yield opened


def config_map(name="sms-settings", *, namespace="tenant-a", labels=LABEL, **data):
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def asked(method, path, *, query, media="", body=None):
    return Asked(method=method, path=path, query=query, media=media, authorization=f"Bearer {TOKEN}", body=body)


async def listed(api, kind, **options):
    return [thing async for page in api.list_pages(kind, **options) for thing in page]


def answering(response):
    async def answer(_request):
        return response

    return answer


# What is asked.


async def test_an_object_is_created_under_our_name_and_comes_back_as_it_is_stored(server, api):
    thing = config_map(a="1")
    created = await api.create(thing)
    assert created == server.cluster.of(CONFIG_MAP)[0]
    assert created["metadata"]["uid"]
    assert server.asked == [
        asked("POST", MAPS, query={"fieldManager": "autoretrain"}, media="application/json", body=thing)
    ]


async def test_an_object_is_applied_by_the_server_and_what_others_claim_is_taken_over(server, api):
    await api.apply(config_map(a="1", b="1"))
    applied = await api.apply(config_map(a="2"))
    assert applied["data"] == {"a": "2"}
    assert server.asked[1] == asked(
        "PATCH",
        f"{MAPS}/sms-settings",
        query={"fieldManager": "autoretrain", "force": "true"},
        media="application/apply-patch+yaml",
        body=config_map(a="2"),
    )


async def test_under_another_name_nothing_is_taken_over_that_somebody_else_has_another_value_of(server, api):
    metadata = {"name": "sms-serving", "namespace": "tenant-a", "labels": LABEL}
    thing = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 3}}
    await api.apply(thing)
    await api.apply(thing, manager="another", force=False)
    assert server.asked[1] == asked(
        "PATCH",
        "/apis/apps/v1/namespaces/tenant-a/deployments/sms-serving",
        query={"fieldManager": "another", "force": "false"},
        media="application/apply-patch+yaml",
        body=thing,
    )
    with pytest.raises(Conflict, match=r"spec\.replicas"):
        await api.apply({**thing, "spec": {"replicas": 4}}, manager="another", force=False)
    assert server.cluster.of(DEPLOYMENT)[0]["spec"]["replicas"] == 3


async def test_an_object_is_read_by_its_name(server, api):
    created = await api.create(config_map(a="1"))
    assert await api.get(CONFIG_MAP, "tenant-a", "sms-settings") == created
    assert server.asked[1] == asked("GET", f"{MAPS}/sms-settings", query={})


async def test_an_event_is_written_to_the_namespace_that_it_is_about(server, api):
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "sms.1", "namespace": "tenant-a"}, "reason": "R"}
    await api.create(event)
    assert [thing["reason"] for thing in server.cluster.of(EVENT)] == ["R"]
    assert server.asked[0].path == "/api/v1/namespaces/tenant-a/events"


async def test_a_listing_is_read_to_its_last_page_and_its_items_say_what_they_are(server, api):
    server.page = 2
    created = [await api.create(config_map(f"sms-{number}", n=str(number))) for number in range(5)]
    server.asked.clear()
    assert await listed(api, CONFIG_MAP) == created
    first = {"limit": "100", "labelSelector": "autoretrain.dev/spammodel"}
    queries = (first, first | {"continue": "2"}, first | {"continue": "4"})
    assert server.asked == [asked("GET", "/api/v1/configmaps", query=query) for query in queries]


async def test_a_listing_of_children_has_only_those_that_carry_our_label(server, api):
    ours = await api.create(config_map())
    await api.create(config_map("somebody-elses", labels={}))
    assert await listed(api, CONFIG_MAP) == [ours]


async def test_of_decisions_on_one_model_only_the_metadata_is_asked_for(server, api):
    def decision(name, model):
        metadata = {"name": name, "namespace": "tenant-a", "labels": {"autoretrain.dev/spammodel": model}}
        return {"apiVersion": DECISION.api_version, "kind": DECISION.name, "metadata": metadata, "spec": {"record": {}}}

    stored = [await api.create(decision(name, model)) for name, model in (("sms-1", "sms"), ("mms-1", "mms"))]
    without_spec = {name: stored[0][name] for name in ("apiVersion", "kind", "metadata")}
    assert await listed(api, DECISION, namespace="tenant-a", model="sms") == [without_spec]


async def test_where_there_is_no_decision_a_listing_of_metadata_is_empty(api):
    assert await listed(api, DECISION) == []


async def test_a_listing_of_models_has_all_of_them(server, api):
    model = {
        "apiVersion": SPAM_MODEL.api_version,
        "kind": "SpamModel",
        "metadata": {"name": "sms", "namespace": "tenant-a"},
    }
    stored = server.cluster.put(model)
    assert await listed(api, SPAM_MODEL) == [stored]
    assert server.asked == [asked("GET", "/apis/autoretrain.dev/v1alpha1/spammodels", query={"limit": "100"})]


async def test_a_listing_of_one_namespace_has_nothing_of_another(server, api):
    here = await api.create(config_map())
    await api.create(config_map(namespace="tenant-b"))
    assert await listed(api, CONFIG_MAP, namespace="tenant-a") == [here]


async def test_a_kind_that_is_not_installed_is_not_found(server, api):
    server.cluster.missing_kinds = frozenset({"PodMonitor"})
    with pytest.raises(NotFound, match=r"^the server could not find the requested resource \(404 NotFound\)$"):
        await listed(api, POD_MONITOR)


async def test_an_object_is_deleted_with_what_it_owns_if_it_is_the_one_that_was_meant(server, api):
    created = await api.create(config_map())
    uid = created["metadata"]["uid"]
    await api.delete(CONFIG_MAP, "tenant-a", "sms-settings", uid=uid)
    assert server.cluster.of(CONFIG_MAP) == []
    assert server.asked[1] == asked(
        "DELETE",
        f"{MAPS}/sms-settings",
        query={},
        media="application/json",
        body={"propagationPolicy": "Background", "preconditions": {"uid": uid}},
    )


async def test_another_object_of_that_name_is_not_deleted(server, api):
    created = await api.create(config_map())
    await api.delete(CONFIG_MAP, "tenant-a", "sms-settings", uid="that-of-the-one-before")
    assert server.cluster.of(CONFIG_MAP) == [created]


async def test_deleting_what_is_gone_already_is_success(server, api):
    await api.delete(JOB, "tenant-a", "sms-train-1", uid="any")
    assert [call.method for call in server.asked] == ["DELETE"]


async def test_a_status_is_written_over_the_state_that_was_read_and_over_no_later_one(server, api):
    model = {
        "apiVersion": SPAM_MODEL.api_version,
        "kind": "SpamModel",
        "metadata": {"name": "sms", "namespace": "tenant-a"},
    }
    read = server.cluster.put({**model, "spec": {"text": 1}})
    written = await api.update_status({**read, "spec": {"text": 2}, "status": {"champion": {"version": "1"}}})
    assert (written["spec"], written["status"]) == ({"text": 1}, {"champion": {"version": "1"}})
    assert (server.asked[0].method, server.asked[0].path) == (
        "PUT",
        "/apis/autoretrain.dev/v1alpha1/namespaces/tenant-a/spammodels/sms/status",
    )
    with pytest.raises(Conflict):
        await api.update_status({**read, "status": {"champion": {"version": "2"}}})
    assert server.cluster.of(SPAM_MODEL) == [written]


async def test_the_schema_of_our_kind_is_found_among_others(server, api):
    schema = await api.schema(SPAM_MODEL)
    assert {name: part for name, part in schema.items() if not name.startswith("x-kubernetes-group")} == server.schema


async def test_a_schema_that_the_server_does_not_have_is_not_found(server, api):
    server.instead.append(answering(web.json_response({"components": {"schemas": {"other": {}}}})))
    with pytest.raises(NotFound, match=r"knows no SpamModel of autoretrain\.dev/v1alpha1"):
        await api.schema(SPAM_MODEL)


# What is answered.


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ((400, "BadRequest", "no"), Refused, "no (400 BadRequest)"),
        ((401, "Unauthorized", "Unauthorized"), Refused, "Unauthorized (401 Unauthorized)"),
        ((403, "Forbidden", "exceeded quota"), Refused, "exceeded quota (403 Forbidden)"),
        ((404, "NotFound", "no such thing"), NotFound, "no such thing (404 NotFound)"),
        ((409, "AlreadyExists", "is there"), AlreadyExists, "is there (409 AlreadyExists)"),
        ((409, "Conflict", "was modified"), Conflict, "was modified (409 Conflict)"),
        ((410, "Expired", "too old"), Unreachable, "too old (410 Expired)"),
        ((422, "Invalid", "spec.x: no"), Refused, "spec.x: no (422 Invalid)"),
        ((429, "TooManyRequests", "later"), Unreachable, "later (429 TooManyRequests)"),
        ((500, "InternalError", "etcd"), Unreachable, "etcd (500 InternalError)"),
        ((504, "Timeout", ""), Unreachable, f"POST {MAPS} (504 Timeout)"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
async def test_each_refusal_becomes_the_error_that_callers_tell_apart(server, api, said, error, message):
    server.instead.append(answering(status(*said)))
    with pytest.raises(ClusterError) as raised:
        await api.create(config_map())
    assert (type(raised.value), str(raised.value)) == (error, message)


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("Tue, 24 Nov 2026 02:00:00 GMT", None), ("", None)])
@pytest.mark.parametrize("code", [429, 503])
async def test_a_busy_server_says_when_to_come_back(server, api, code, header, seconds):
    server.instead.append(answering(status(code, "Busy", "later", Retry_After=header)))
    with pytest.raises(Unreachable) as raised:
        await api.get(CONFIG_MAP, "tenant-a", "sms")
    assert raised.value.retry_seconds == seconds


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        (200, Unreachable, f"GET {MAPS}/sms: the answer is not JSON"),
        (302, Refused, "<html>Sign in</html> (302)"),
        (403, Refused, "<html>Sign in</html> (403)"),
        (404, NotFound, "<html>Sign in</html> (404)"),
        (502, Unreachable, "<html>Sign in</html> (502)"),
    ],
)
async def test_a_page_of_a_proxy_is_no_object(server, api, code, error, message):
    page = web.Response(text="<html>Sign in</html>", content_type="text/html", status=code)
    page.headers["Location"] = f"{server.url}{MAPS}/sms"
    server.instead.append(answering(page))
    with pytest.raises(ClusterError) as raised:
        await api.get(CONFIG_MAP, "tenant-a", "sms")
    assert (type(raised.value), str(raised.value), len(server.asked)) == (error, message, 1)


async def test_a_long_page_of_a_proxy_is_not_quoted_whole(server, api):
    server.instead.append(answering(web.Response(text="x" * 10_000, status=502)))
    with pytest.raises(Unreachable, match=r"^x{200} \(502\)$"):
        await api.get(CONFIG_MAP, "tenant-a", "sms")


@pytest.mark.parametrize("body", ["[]", "null", '"ok"', "1"])
async def test_json_that_is_no_object_is_no_answer(server, api, body):
    server.instead.append(answering(web.Response(text=body, content_type="application/json")))
    with pytest.raises(Unreachable, match=f"^GET {MAPS}/sms: the answer is no object$"):
        await api.get(CONFIG_MAP, "tenant-a", "sms")


@pytest.mark.parametrize("body", [{}, {"items": None}, {"kind": "Status", "status": "Success"}])
async def test_an_answer_without_items_is_not_taken_for_an_empty_listing(server, api, body):
    server.instead.append(answering(web.json_response(body)))
    with pytest.raises(Unreachable, match=r"^GET /api/v1/configmaps: the answer is no list$"):
        await listed(api, CONFIG_MAP)


async def test_a_listing_whose_next_page_is_gone_is_not_taken_for_a_kind_that_is_not_there(server, api):
    server.page = 1
    for number in range(2):
        await api.create(config_map(f"sms-{number}"))

    async def first_page(request):
        server.instead.append(answering(status(410, "Expired", "the continue token is too old")))
        return web.json_response(server._list(CONFIG_MAP, None, request))

    server.instead.append(first_page)
    with pytest.raises(Unreachable, match="410 Expired"):
        await listed(api, CONFIG_MAP)


async def test_a_connection_that_is_reset_is_no_answer(server, api):
    async def reset(request):
        # Linger for no time: the kernel sends a reset instead of an end.
        request.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        request.transport.abort()
        return web.Response()

    server.instead.extend([reset] * 2)  # What changes nothing is tried twice by aiohttp itself.
    with pytest.raises(Unreachable, match=f"^POST {MAPS}: the API server does not answer"):
        await api.create(config_map())
    assert server.cluster.of(CONFIG_MAP) == []


async def test_an_answer_that_ends_in_its_middle_is_no_answer(server, api):
    async def half(request):
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"metadata": ')
        request.transport.abort()
        return response

    server.instead.append(half)
    with pytest.raises(Unreachable, match=r"does not answer \(ClientPayloadError\)$"):
        await api.get(CONFIG_MAP, "tenant-a", "sms")


async def test_an_answer_that_never_ends_is_given_up_after_the_limit_of_a_call(server):
    ended = asyncio.Event()

    async def forever(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{")
        await ended.wait()
        return response

    server.instead.append(forever)
    async with KubernetesApi(kopf.ConnectionInfo(server=server.url), seconds=0.1) as impatient:
        with pytest.raises(Unreachable, match=r"does not answer \(TimeoutError\)$"):
            await impatient.get(CONFIG_MAP, "tenant-a", "sms")
        ended.set()


async def test_an_answer_that_is_too_large_is_not_read_to_its_end(server, api, monkeypatch: pytest.MonkeyPatch):
    await api.create(config_map(text="x" * 1000))
    monkeypatch.setattr(api_module, "MAX_ANSWER_BYTES", 1000)
    with pytest.raises(ClusterError, match="more than 1000 bytes"):
        await api.get(CONFIG_MAP, "tenant-a", "sms-settings")


async def test_nobody_there_is_no_answer(unused_tcp_port):
    info = kopf.ConnectionInfo(server=f"http://127.0.0.1:{unused_tcp_port}", token=TOKEN)
    async with KubernetesApi(info, seconds=5) as alone:
        with pytest.raises(Unreachable, match=r"does not answer \(ClientConnectorError\)$"):
            await alone.get(CONFIG_MAP, "tenant-a", "sms")


async def test_a_call_before_the_connection_is_open_says_so():
    with pytest.raises(ClusterError, match="the connection is not open"):
        await KubernetesApi(kopf.ConnectionInfo(server="http://127.0.0.1"), seconds=1).get(JOB, "a", "b")


async def test_no_error_tells_the_token_or_what_was_sent(server, api):
    thing = config_map(password="hunter2")

    async def reset(request):
        request.transport.abort()
        return web.Response()

    faults = [
        answering(status(403, "Forbidden", "no")),
        answering(status(500, "", "")),
        answering(web.Response(text="<html>")),
        reset,
        reset,
    ]
    said = []
    for fault in faults:
        server.instead.append(fault)
        try:
            await api.create(copy.deepcopy(thing))
        except ClusterError as error:
            said.append(f"{error!r} {error.__cause__!r}")
    assert len(said) >= len(faults) - 1
    assert not [text for text in said if TOKEN in text or "hunter2" in text]


# Who asks.


@pytest.fixture
def mounted(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """A mounted token, and a clock for when it is read again."""
    token, now = tmp_path / "token", [1000.0]
    token.write_text("first\n")
    monkeypatch.setattr(api_module, "TOKEN_FILE", token)
    monkeypatch.setattr(api_module.time, "monotonic", lambda: now[0])
    return token, now


async def test_a_mounted_token_that_was_rotated_is_used_within_a_minute(server, mounted):
    token, now = mounted
    server.cluster.put(config_map())
    async with KubernetesApi(
        kopf.ConnectionInfo(server=server.url, ca_path="ca.crt", token="at start"), seconds=5
    ) as api:

        async def sent():
            await api.get(CONFIG_MAP, "tenant-a", "sms-settings")
            return server.asked[-1].authorization

        used = [await sent()]
        token.write_text("second\n")
        for later in (59.0, 2.0):
            now[0] += later
            used.append(await sent())
        token.unlink()
        now[0] += 61
        used.append(await sent())
    assert used == ["Bearer first", "Bearer first", "Bearer second", "Bearer second"]


async def test_a_token_that_can_not_be_read_just_now_leaves_the_known_one_in_use(server, mounted):
    token, now = mounted
    server.cluster.put(config_map())
    async with KubernetesApi(
        kopf.ConnectionInfo(server=server.url, ca_path="ca.crt", token="at start"), seconds=5
    ) as api:
        await api.get(CONFIG_MAP, "tenant-a", "sms-settings")
        token.unlink()
        token.mkdir()
        now[0] += 61
        await api.get(CONFIG_MAP, "tenant-a", "sms-settings")
    assert [call.authorization for call in server.asked] == ["Bearer first"] * 2


async def test_without_a_token_none_is_sent(server):
    server.cluster.put(config_map())
    async with KubernetesApi(kopf.ConnectionInfo(server=server.url), seconds=5) as api:
        await api.get(CONFIG_MAP, "tenant-a", "sms-settings")
    assert server.asked[0].authorization == ""


def test_a_person_logs_in_with_a_kubeconfig(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1")))
    info = log_in()
    assert (info.server, info.token) == ("http://127.0.0.1:1", TOKEN)


def test_without_credentials_the_log_in_says_which_were_looked_for(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ClusterError, match="neither a service account is mounted nor a kubeconfig found"):
        log_in()


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(ClusterError, match=f"^credentials can't be read: .*{tmp_path}/none"):
        log_in()
