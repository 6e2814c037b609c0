"""Does `make kind-up` give its namespace a role of its own in the store, once? kind and kubectl are stand-ins."""

import base64
import json
import sys
from pathlib import Path

import pytest

from scripts import kind

STAND_IN = """#!{python}
import json, pathlib, sys
place = pathlib.Path({place!r})
asked = [pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]
read = sys.stdin.read() if {{"--stdin", "--filename=-"}} & set(asked) else ""
with (place / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps([asked, read]) + "\\n")
answers = {{"clusters": "autoretrain", "nodes": "node/autoretrain-control-plane", "secret": {secret!r}}}
print(next((answers[word] for word in asked if word in answers), ""), end="")
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Prepare a namespace where the store's Secret is as named; return each command with what it read."""

    def prepare(*, secret: str) -> list[tuple[list[str], str]]:
        for name in ("kind", "kubectl"):
            program = tmp_path / name
            program.write_text(STAND_IN.format(python=sys.executable, place=str(tmp_path), secret=secret))
            program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(kind, "STATE", tmp_path / "state")
        kind.prepare_namespace("spam")
        return [tuple(json.loads(line)) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]

    return prepare


def applied(calls, name):
    documents = [json.loads(read) for asked, read in calls if "apply" in asked]
    return [each for each in documents if each["kind"] == name]


def executed(calls):
    return [(asked, read) for asked, read in calls if "exec" in asked]


def test_the_namespace_gets_a_role_and_the_secret_that_names_it(calls):
    made = calls(secret="")
    [(asked, script)] = executed(made)
    assert asked[asked.index("--") + 1 :][0] == "psql"
    assert "--set=namespace=spam" in asked
    first, _, rest = script.partition("\n")
    assert rest == (kind.ROOT / "manifests/postgresql/namespace.sql").read_text()
    password = first.removeprefix("\\set password ")
    assert len(password) == 32
    [secret, shown] = applied(made, "Secret")
    assert secret["metadata"] == {"name": "autoretrain-store", "namespace": "spam"}
    address = f"postgresql://ns-spam:{password}@postgres.autoretrain-system:5432/autoretrain"
    assert {name: base64.b64decode(value).decode() for name, value in secret["data"].items()} == {"url": address}
    assert shown["metadata"] == {"name": "dashboard-stores", "namespace": "autoretrain-system"}
    assert shown["data"] == {"spam": secret["data"]["url"]}


def test_the_password_is_no_argument_of_any_command(calls):
    made = calls(secret="")
    [(_, script)] = executed(made)
    password = script.split()[2]
    assert [asked for asked, _ in made if any(password in word for word in asked)] == []


def test_a_secret_that_is_there_is_left_with_the_roles_password_and_shown_on_the_dashboard(calls):
    made = calls(secret="cG9zdGdyZXNxbDovL3RoZXJl")
    assert executed(made) == []
    [shown] = applied(made, "Secret")
    assert (shown["metadata"]["name"], shown["data"]) == ("dashboard-stores", {"spam": "cG9zdGdyZXNxbDovL3RoZXJl"})
    assert len(applied(made, "Namespace")) == 1
