"""What stands in the way of a start is said before any work, with what to do about it."""

import json
import os
import socket
import subprocess
import sys

import pytest

from autoretrain.app import preflight


def test_a_taken_port_names_its_process_and_the_variable_that_moves_it(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        [problem] = preflight.check_machine(tmp_path, ports={"AUTORETRAIN_SERVING_PORT": port})
    assert f"Port {port} is taken by" in problem
    assert f"(pid {os.getpid()})" in problem
    assert "AUTORETRAIN_SERVING_PORT=" in problem


def test_the_port_proposed_instead_is_free(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        [problem] = preflight.check_machine(tmp_path, ports={"AUTORETRAIN_SERVING_PORT": taken.getsockname()[1]})
        proposed = int(problem.split("AUTORETRAIN_SERVING_PORT=")[1].split()[0])
        assert preflight.is_free(proposed)


def test_a_port_held_by_a_process_that_an_earlier_run_left_is_no_problem(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = {"AUTORETRAIN_SERVING_PORT": taken.getsockname()[1]}
        assert preflight.check_machine(tmp_path, ports=ports, own_pids=frozenset({os.getsid(0)})) == []


def test_a_port_that_is_no_number_is_refused_by_its_variable(monkeypatch):
    monkeypatch.setenv("AUTORETRAIN_MLFLOW_PORT", "http")
    with pytest.raises(ValueError, match=r"^AUTORETRAIN_MLFLOW_PORT=http is not a port"):
        preflight.ports_from_environment()


def test_two_services_on_one_port_are_named_by_both_variables(tmp_path):
    ports = {"AUTORETRAIN_MLFLOW_PORT": 18765, "AUTORETRAIN_SERVING_PORT": 18765}
    [problem] = preflight.check_machine(tmp_path, ports=ports)
    assert problem.startswith("AUTORETRAIN_MLFLOW_PORT and AUTORETRAIN_SERVING_PORT both say 18765.")


def test_the_port_proposed_instead_is_none_that_another_service_of_ours_wants(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = {"AUTORETRAIN_SERVING_PORT": port, "AUTORETRAIN_MONITOR_PORT": preflight.free_port_after(port)}
        [problem] = preflight.check_machine(tmp_path, ports=ports)
    assert f"AUTORETRAIN_SERVING_PORT={ports['AUTORETRAIN_MONITOR_PORT']} " not in problem


def test_too_little_disk_is_said_with_the_figure(tmp_path):
    [problem] = preflight.check_machine(tmp_path, ports={}, needed_bytes=2**60)
    assert "GiB are free" in problem


def test_leftovers_are_read_from_the_children_file_and_a_broken_file_means_none(tmp_path):
    children = tmp_path / "children.json"
    assert preflight.leftover_pids(tmp_path) == frozenset()
    children.write_text('[{"pid": 7, "created": 1.0}]')
    assert preflight.leftover_pids(tmp_path) == frozenset({7})
    children.write_text("{half")
    assert preflight.leftover_pids(tmp_path) == frozenset()


def test_a_controller_that_runs_is_named_and_one_that_ended_is_not(tmp_path):
    owner = tmp_path / "controller.json"
    command = [sys.executable, "-c", "print(flush=True); input()", "autoretrain"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as controller:
        controller.stdout.readline()  # before that the system may not know its command yet
        owner.write_text(json.dumps({"pid": controller.pid, "purpose": "run"}))
        assert preflight.running_controller(tmp_path).startswith(f"`autoretrain run` (pid {controller.pid})")
    assert preflight.running_controller(tmp_path) == ""
