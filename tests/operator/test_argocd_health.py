"""Does the script of the how-to tell Argo CD the health of a SpamModel, from what the operator really writes?"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lupa import lua51

from controller.cluster import Object
from tests.operator.operator_world import KEY, OperatorWorld, settled

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "helm.md"
KNOWN = {"Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"}


@pytest.fixture(scope="module")
def health() -> Callable[[Object], tuple[str, str]]:
    """Answers status and message; the interpreter is of Argo CD's version of Lua, with a table as the global `obj`."""
    [script] = re.findall(r"^```lua\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)

    def ask(resource: Object) -> tuple[str, str]:
        lua = lua51.LuaRuntime(register_eval=False, register_builtins=False)
        # As a cluster's JSON: nothing that only Python knows gets in, and null is not there.
        lua.globals().obj = lua.table_from(_without_null(json.loads(json.dumps(resource))), recursive=True)
        answer = lua.execute(script)
        assert set(answer) == {"status", "message"}
        assert answer["status"] in KNOWN
        assert isinstance(answer["message"], str)
        return answer["status"], answer["message"]

    return ask


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_null(each) for key, each in value.items() if each is not None}
    return [_without_null(each) for each in value] if isinstance(value, list) else value


@pytest.fixture
def world() -> OperatorWorld:
    made = OperatorWorld()
    made.create_model()
    return made


def suspend(thing: Object) -> None:
    thing["spec"]["suspend"] = True


def test_a_model_that_nobody_looked_at_is_progressing(world, health):
    assert "status" not in world.resource
    assert health(world.resource) == ("Progressing", "the operator has not looked at it yet")


def test_the_first_training_run_is_progress(world, health):
    world.make_pass()
    assert health(world.resource) == ("Progressing", world.condition("Ready")[2])


def test_a_served_model_is_healthy(world, health):
    settled(world)
    assert health(world.resource) == ("Healthy", world.condition("Ready")[2])


def test_evidence_that_is_missing_does_not_make_it_ill(world, health):
    settled(world)
    world.problem = "Prometheus can't be reached"
    world.wait(60)
    world.make_pass()
    assert world.condition("MetricsAvailable")[0] == "False"
    assert health(world.resource)[0] == "Healthy"


def test_a_change_that_was_not_looked_at_is_progress_whatever_was_before(world, health):
    settled(world)
    world.change(lambda thing: thing["spec"]["training"].update(backoffLimit=2))
    assert health(world.resource)[0] == "Progressing"
    world.make_pass()
    assert health(world.resource)[0] == "Healthy"


def test_what_a_person_must_mend_is_degraded_with_its_reason(health):
    world = OperatorWorld()
    theirs = {"name": "sms-spam-serving", "namespace": KEY[0]}
    pods = {"metadata": {}, "spec": {"containers": []}}
    spec = {"replicas": 1, "template": pods}
    world.cluster.put({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": theirs, "spec": spec})
    world.create_model()
    settled(world)
    assert world.condition("Stalled")[:2] == ("True", "NameConflict")
    assert health(world.resource) == ("Degraded", world.condition("Stalled")[2])


def test_what_is_wrong_is_told_of_a_suspended_model_too(world, health):
    settled(world)
    wrong = {"mode": "Act", "cron": "every now and then"}
    world.change(lambda thing: thing["spec"].update(suspend=True, triggers={"schedule": wrong}))
    world.make_pass()
    assert world.condition("Stalled")[:2] == ("True", "InvalidSpec")
    assert health(world.resource) == ("Degraded", world.condition("Stalled")[2])


def test_a_suspended_model_is_suspended_once_the_operator_knows(world, health):
    settled(world)
    world.change(suspend)
    assert health(world.resource)[0] == "Progressing"
    world.make_pass()
    assert health(world.resource) == ("Suspended", f"spec.suspend is set; {world.condition('Ready')[2]}")
