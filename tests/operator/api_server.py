"""An API server on loopback: what HTTP adds to the cluster in memory.

Paths and verbs of the table of kinds, pages, label selectors, preconditions, `Status` answers, discovery and watch
streams that can be cut and whose past can be forgotten. `instead` holds answers that are given before any of that.
"""

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from autoretrain.adapters import crd
from controller.cluster import (
    KINDS,
    SPAM_MODEL,
    AlreadyExists,
    Conflict,
    Kind,
    NotFound,
    Object,
    kind_of,
)
from tests.operator.memory_cluster import MemoryCluster

TOKEN = "secret-token-of-this-account"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PARTIAL = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata"}
PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<part>[^/]+))?"
)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One call, as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    media: str
    authorization: str
    body: Any


@dataclass
class ApiServer:
    """`asked` are the calls so far; `page` limits a listing's page, whatever the caller's limit is."""

    cluster: MemoryCluster = field(default_factory=MemoryCluster)
    page: int = 500
    asked: list[Asked] = field(default_factory=list)
    instead: deque[Answer] = field(default_factory=deque)
    schema: Any = field(default_factory=crd.resource_schema)
    url: str = ""
    streams: int = 0
    _history: list[tuple[int, Object, bool]] = field(default_factory=list)
    _oldest: int = 0
    _cuts: int = 0
    _error: Object | None = None
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return tuple(kind for kind in KINDS if kind.name not in self.cluster.missing_kinds)

    # What a test does to it.

    async def tell(self) -> None:
        """Let the streams send what has changed."""
        self._take_events()
        async with self._changed:
            self._changed.notify_all()

    async def cut_streams(self, *, forget: bool = False) -> None:
        """End every stream; with `forget`, nobody may go on from where it was."""
        self._take_events()
        self._cuts += 1
        if forget:
            self._oldest = self._version()
        async with self._changed:
            self._changed.notify_all()

    async def break_streams(self, error: Object) -> None:
        """Let every stream say that it can't go on, and end."""
        self._error = error
        await self.cut_streams()

    async def until_streams(self, number: int) -> None:
        """Wait until so many streams have been begun since the start."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.streams >= number)

    async def until_asked(self, end: str) -> None:
        """Wait until there was a call of a path with that end."""
        async with self._changed:
            await self._changed.wait_for(lambda: any(call.path.endswith(end) for call in self.asked))

    # What it answers.

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.asked.append(
            Asked(
                method=request.method,
                path=request.path,
                query=dict(request.query),
                media=request.headers.get("Content-Type", "") if body else "",
                authorization=request.headers.get("Authorization", ""),
                body=json.loads(body) if body else None,
            )
        )
        async with self._changed:
            self._changed.notify_all()
        if self.instead:
            return await self.instead.popleft()(request)
        known = self._discovery().get(request.path)
        if known is not None:
            return web.json_response(known)
        found = PATH.fullmatch(request.path)
        kind = found and next((k for k in self.kinds if _place(k) == (found["group"] or "", *found.group(2, 4))), None)
        if not found or not kind:
            return status(404, "NotFound", "the server could not find the requested resource")
        try:
            return await self._of_kind(kind, found, request, json.loads(body) if body else {})
        except NotFound as error:
            return status(404, "NotFound", str(error))
        except AlreadyExists as error:
            return status(409, "AlreadyExists", str(error))
        except Conflict as error:
            return status(409, "Conflict", str(error))

    async def _of_kind(
        self, kind: Kind, found: re.Match[str], request: web.Request, body: Object
    ) -> web.StreamResponse:
        namespace, name, part = found["namespace"], found["name"] or "", found["part"]
        match request.method, part:
            case "GET", None if name:
                return web.json_response(await self.cluster.get(kind, namespace, name))
            case "GET", None if request.query.get("watch") == "true":
                return await self._stream(kind, namespace, request)
            case "GET", None:
                return web.json_response(self._list(kind, namespace, request))
            case "POST", None:
                return web.json_response(await self.cluster.create(body), status=201)
            case "PATCH", None if request.content_type == "application/apply-patch+yaml":
                manager, force = request.query["fieldManager"], request.query.get("force") == "true"
                return web.json_response(await self.cluster.apply(body, manager=manager, force=force))
            case "PUT", None:
                return web.json_response(await self.cluster.update(body))
            case "PUT", "status":
                return web.json_response(await self.cluster.update_status(body))
            case "DELETE", None:
                uid = (await self.cluster.get(kind, namespace, name))["metadata"]["uid"]
                if uid != body["preconditions"]["uid"]:
                    raise Conflict(f"the UID in the precondition is not the one of {name}")
                await self.cluster.delete(kind, namespace, name, uid=uid)
                return web.json_response({"kind": "Status", "status": "Success"})
        return status(405, "MethodNotAllowed", f"{request.method} {request.path}")

    def _list(self, kind: Kind, namespace: str | None, request: web.Request) -> Object:
        things = [thing for thing in self.cluster.of(kind) if _is_asked_for(thing, namespace, request)]
        start = int(request.query.get("continue", "0"))
        end = start + min(self.page, int(request.query.get("limit", "500")))
        # Items of a list do not say what they are; of metadata alone they say that they are that, and none are null.
        items = [{k: v for k, v in thing.items() if k not in ("apiVersion", "kind")} for thing in things[start:end]]
        listed = {"apiVersion": kind.api_version, "kind": f"{kind.name}List", "items": items}
        if request.headers["Accept"] == METADATA_ONLY:
            items = [{**PARTIAL, "metadata": item["metadata"]} for item in items]
            listed = {**PARTIAL, "kind": f"{PARTIAL['kind']}List", "items": items or None}
        metadata = {"resourceVersion": str(self._version())} | ({"continue": str(end)} if end < len(things) else {})
        return {**listed, "metadata": metadata}

    async def _stream(self, kind: Kind, namespace: str | None, request: web.Request) -> web.StreamResponse:
        since, cuts = int(request.query["resourceVersion"]), self._cuts
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        async with self._changed:
            self.streams += 1
            self._changed.notify_all()
        while since >= self._oldest and cuts == self._cuts:
            for version, thing, gone in list(self._history):
                if version > since and kind_of(thing) == kind and _is_asked_for(thing, namespace, request):
                    await response.write(_line("DELETED" if gone else "MODIFIED", thing))
                since = max(since, version)
            async with self._changed:
                await self._changed.wait_for(lambda seen=since: self._cuts != cuts or self._version() > seen)
        if self._error is not None:
            await response.write(_line("ERROR", self._error))
        elif since < self._oldest and cuts == self._cuts:
            await response.write(_line("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"}))
        return response

    def _take_events(self) -> None:
        while self.cluster.events:
            thing, gone = self.cluster.events.popleft()
            self._history.append((int(thing["metadata"]["resourceVersion"]), thing, gone))

    def _version(self) -> int:
        self._take_events()
        return self._history[-1][0] if self._history else 1

    def _discovery(self) -> dict[str, Object]:
        groups = {(kind.group, kind.version) for kind in self.kinds if kind.group}
        answers: dict[str, Object] = {
            "/version": {"major": "1", "minor": "34"},
            "/api": {"versions": ["v1"]},
            "/apis": {"groups": [_group(group, version) for group, version in sorted(groups)]},
        }
        for group, version in {*groups, ("", "v1")}:
            path = f"/apis/{group}/{version}" if group else f"/api/{version}"
            answers[path] = {"resources": [_resource(k) for k in self.kinds if _place(k)[:2] == (group, version)]}
        # kopf waits until it has seen this one, although it is told not to watch it.
        answers["/api/v1"]["resources"].append(
            {"name": "namespaces", "singularName": "namespace", "kind": "Namespace", "namespaced": False}
        )
        tag = {"group": SPAM_MODEL.group, "version": SPAM_MODEL.version, "kind": SPAM_MODEL.name}
        schemas = {"other": {"type": "object"}, "ours": {**self.schema, "x-kubernetes-group-version-kind": [tag]}}
        answers[f"/openapi/v3/apis/{SPAM_MODEL.api_version}"] = {"components": {"schemas": schemas}}
        return answers


@asynccontextmanager
async def api_server(server: ApiServer) -> AsyncIterator[ApiServer]:
    """Let it listen on loopback, at its `url`."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    async with TestServer(app) as listening:
        server.url = str(listening.make_url("")).rstrip("/")
        try:
            yield server
        finally:
            await server.cut_streams()


def status(code: int, reason: str, message: str, **headers: str) -> web.Response:
    """What an API server says when it does not do what it was asked to."""
    body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
    return web.json_response(body, status=code, headers={name.replace("_", "-"): v for name, v in headers.items()})


def write_kubeconfig(path: Path, url: str) -> Path:
    """Write what a person logs in with."""
    names = {"cluster": "loopback", "user": "me"}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": names}],
        "clusters": [{"name": "loopback", "cluster": {"server": url}}],
        "users": [{"name": "me", "user": {"token": TOKEN}}],
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def _is_asked_for(thing: Object, namespace: str | None, request: web.Request) -> bool:
    label, _, wanted = request.query.get("labelSelector", "").partition("=")
    found = thing["metadata"].get("labels", {}).get(label)
    labelled = not label or (found is not None and wanted in ("", found))
    return labelled and namespace in (None, thing["metadata"]["namespace"])


def _place(kind: Kind) -> tuple[str, str, str]:
    return kind.group, kind.version, kind.plural


def _group(group: str, version: str) -> Object:
    return {"name": group, "versions": [{"version": version}], "preferredVersion": {"version": version}}


def _resource(kind: Kind) -> Object:
    names = {"name": kind.plural, "singularName": kind.name.lower(), "kind": kind.name}
    return {**names, "namespaced": True, "verbs": ["get", "list", "watch", "create", "patch", "delete"]}


def _line(event: str, thing: Object) -> bytes:
    return json.dumps({"type": event, "object": thing}).encode() + b"\n"
