"""A Prometheus for tests: it answers `build_query`'s queries with what `answer` says, over HTTP."""

import asyncio
import re
from contextlib import asynccontextmanager
from types import SimpleNamespace

from aiohttp import web

from autoretrain.adapters.evidence_metrics import Evidence, render_evidence
from controller.prometheus import PROBE, QUERIES


def rows(evidence: Evidence, *, namespace: str, key: str, pod: str = "sms-monitor-1") -> list[dict]:
    """The instant vector that the evidence's series make."""
    return [
        {
            # Prometheus knows no empty labels.
            "metric": {
                "__name__": sample.name,
                "namespace": namespace,
                "pod": pod,
                **{name: value for name, value in sample.labels.items() if value},
            },
            "value": [evidence.measured_at.timestamp(), repr(sample.value)],
        }
        for sample in render_evidence(key, evidence)
    ]


def vector(result: list[dict], **more) -> web.Response:
    return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}, **more})


def name_of(query: str) -> str:
    """Which of QUERIES is this?"""
    parts = {name: text.split("MODELS") for name, text in QUERIES.items()}
    return next(
        (name for name, (begin, end) in parts.items() if query.startswith(begin) and query.endswith(end)), query
    )


def namespaces_in(query: str) -> list[str]:
    named = re.search(r'namespace=~"([^"]*)"', query)
    return named[1].split("|") if named else []


def select(found: list[dict], query: str) -> list[dict]:
    """Those of the series that the query's selector names."""
    wanted = dict(re.findall(r'(namespace|spammodel)=~"([^"]*)"', query))
    return [
        row
        for row in found
        if not row.get("metric")
        or all(re.fullmatch(pattern, row["metric"].get(label, "")) for label, pattern in wanted.items())
    ]


@asynccontextmanager
async def prometheus(answer):
    """A server whose `answer(name, query)` is a list for a vector, or a response; the probe is always answered.

    Yields its address, what was asked and by how many connections.
    """
    asked, connections = [], set()

    async def query(request: web.Request) -> web.StreamResponse:
        text = (await request.post())["query"]
        asked.append(text)
        connections.add(request.transport.get_extra_info("peername"))
        said = vector([]) if text == PROBE else answer(name_of(text), text)
        said = await said if asyncio.iscoroutine(said) else said
        return vector(select(said, text)) if isinstance(said, list) else said

    app = web.Application()
    app.router.add_post("/api/v1/query", query)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    try:
        yield SimpleNamespace(url=f"http://127.0.0.1:{port}", asked=asked, connections=connections)
    finally:
        await runner.cleanup()
