"""How long does the store take for what each page of the dashboard asks it, and does it read all of a large table?

The store of `dashboard.py`, on SQLite or on PostgreSQL: each page is drawn once in this process, in a session of its
own and with nothing kept; every statement that it sends is then asked again by itself, to its last row. PostgreSQL
also says how: `EXPLAIN (ANALYZE, BUFFERS)`, of a statement that writes in a transaction that is taken back.

    python benchmarks/dashboard_queries.py [--predictions 1000000] [--decisions 1000] [--rounds 3] [--plans]
        [--keep DIRECTORY] [--store ADDRESS]
"""

import argparse
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import sqlalchemy as sa
import streamlit as st
from bounds import Bounds
from dashboard_store import add_options, filled
from streamlit.testing.v1 import AppTest

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store.schema import METADATA

PAGES = ("overview", "drift", "decisions", "candidate", "versions", "try_it", "label", "performance", "agent")
LONGEST = "performance, 30 days"
LARGE = "predictions"
EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS"
MOST_SECONDS = 1.5
NOBODY = "http://127.0.0.1:1"  # no registry; nobody listens there, and nobody without privileges can


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement as a page sent it: text and parameters in the driver's words."""

    text: str
    parameters: Any

    @property
    def verb(self) -> str:
        return self.text.split(maxsplit=1)[0]

    @property
    def tables(self) -> list[str]:
        """Those of ours; none where the driver speaks of itself."""
        return [name for name in METADATA.tables if re.search(rf"\b{name}\b", self.text)]


@dataclass(slots=True)
class Asked:
    """What a page's statements of one text took together: how many, seconds, rows of the answers, and how it was done.

    `blocks` of 8 KiB and `plan` are of PostgreSQL; `scanned` says that all of LARGE was read.
    """

    statement: Statement
    count: int = 0
    seconds: float = 0.0
    rows: int = 0
    blocks: int = 0
    scanned: bool = False
    plan: str = ""

    def __str__(self) -> str:
        of = f"{self.statement.verb} {', '.join(self.statement.tables)}"
        mark = f"   reads all of {LARGE}" if self.scanned else ""
        figures = f"{1000 * self.seconds:>9.1f} ms{self.count:>5} times{self.rows:>7} rows{self.blocks:>8} blocks"
        return f"{figures}  {of}{mark}"


@contextmanager
def listening(found: list[Statement]) -> Iterator[None]:
    """Collect what any engine of this process executes."""

    def hear(_connection: Any, _cursor: Any, text: str, parameters: Any, _context: Any, _many: bool) -> None:
        found.append(Statement(text=text, parameters=parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", hear)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", hear)


def statements_of(page: str, *, period: str = "") -> list[Statement]:
    """What a first visit to `page` asks the store; with `period` what its choice asks besides."""
    st.cache_resource.clear()
    st.cache_data.clear()
    found: list[Statement] = []
    app = AppTest.from_string(f"from autoretrain.dashboard.pages import {page}\n{page}.show()\n", default_timeout=300)
    with listening(found):
        app.run()
        if period:
            found.clear()
            app.session_state["period"] = period
            app.run()
    if app.exception:
        raise SystemExit(f"{page} failed: {app.exception[0].value}")
    return [each for each in found if each.tables]


def ask(engine: sa.Engine, statements: Iterable[Statement], *, rounds: int) -> list[Asked]:
    """Ask each of `statements` again, and what nobody asked before of PostgreSQL: how it finds the answer."""
    found: dict[str, Asked] = {}
    with engine.connect() as connection:
        for statement in statements:
            asked = found.setdefault(statement.text, Asked(statement=statement))
            taken = []
            for _ in range(rounds):
                began = time.perf_counter()
                answer = connection.exec_driver_sql(statement.text, statement.parameters)
                rows = len(answer.fetchall()) if answer.returns_rows else 0
                taken.append(time.perf_counter() - began)
                connection.rollback()
            asked.count, asked.rows = asked.count + 1, asked.rows + rows
            asked.seconds += median(taken)
            if engine.dialect.name == "postgresql":
                explain(connection, asked, statement)
    return sorted(found.values(), key=lambda each: -each.seconds)


def explain(connection: sa.Connection, asked: Asked, statement: Statement) -> None:
    [found] = connection.exec_driver_sql(f"{EXPLAIN}, FORMAT JSON) {statement.text}", statement.parameters).scalar_one()
    asked.blocks += found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"]
    scans = [node["Relation Name"] for node in nodes(found["Plan"]) if node["Node Type"] == "Seq Scan"]
    asked.scanned |= LARGE in scans
    asked.plan = "\n".join(connection.exec_driver_sql(f"{EXPLAIN}) {statement.text}", statement.parameters).scalars())
    connection.rollback()


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def report(name: str, found: Sequence[Asked], *, plans: bool) -> float:
    """Print what a page asks and return the seconds that all of it takes."""
    total = sum(each.seconds for each in found)
    print(f"\n{name}: {sum(each.count for each in found)} statements, {1000 * total:.1f} ms")
    for each in found:
        print(each)
        if plans:
            print(f"\n{each.statement.text}\n{each.plan}\n")
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plans", action="store_true", help="print every statement and its plan")
    options = parser.parse_args()
    with filled(options) as environment:
        os.environ.update(environment)
        os.environ["AUTORETRAIN_MLFLOW_TRACKING_URI"] = os.environ["AUTORETRAIN_SERVING_URL"] = NOBODY
        return measure(rounds=options.rounds, plans=options.plans)


def measure(*, rounds: int, plans: bool) -> int:
    url = sa.make_url(Settings().resolved_store_url())
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    asked = {page: statements_of(page) for page in PAGES}
    asked[LONGEST] = statements_of("performance", period="30 days")
    engine = sa.create_engine(url)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM (ANALYZE)")
    measured = {name: ask(engine, found, rounds=rounds) for name, found in asked.items()}
    totals = {name: report(name, found, plans=plans) for name, found in measured.items()}
    print(f"\n{engine.dialect.name}, n = {rounds}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    slowest = max(totals, key=totals.__getitem__)
    scanned = [name for name, found in measured.items() if any(each.scanned for each in found)]
    bounds = Bounds()
    told = f"{slowest}, {totals[slowest]:.2f} s"
    bounds.must(f"all that a page asks < {MOST_SECONDS} s", told, met=totals[slowest] < MOST_SECONDS)
    if engine.dialect.name == "postgresql":
        bounds.must(f"no page reads all of {LARGE}", ", ".join(scanned) or "none", met=not scanned)
    return bounds.report()


if __name__ == "__main__":
    raise SystemExit(main())
