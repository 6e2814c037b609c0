"""What a first start meets: an installation that is cut off is mended by the next, and each failure is one sentence."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "bootstrap.py"


@pytest.fixture
def bootstrap(tmp_path, monkeypatch):
    """The script as a module, on a root of its own."""
    spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.syspath_prepend(str(SCRIPT.parents[1] / "src"))
    spec.loader.exec_module(module)
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "requirements").mkdir()
    for lock in ("dev", "trainer"):
        (tmp_path / "requirements" / f"{lock}.txt").write_text(f"# {lock}\nuv==0.9 \\\n    --hash=sha256:00\n")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "LOCKS", tmp_path / "requirements")
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "STAMP", tmp_path / ".venv" / "stamp")
    return module


def steps_of(bootstrap, monkeypatch):
    """The commands of an installation, none of which is carried out."""
    commands = []
    monkeypatch.setattr(bootstrap, "run_quietly", lambda command, *, what: commands.append(command))
    bootstrap.VENV.mkdir(exist_ok=True)
    bootstrap.install(bootstrap.DEV)
    return commands


def test_an_environment_that_was_cut_off_before_it_had_pip_is_made_anew(bootstrap, monkeypatch):
    python = bootstrap.venv_python()
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 'No module named pip' >&2\nexit 1\n")
    python.chmod(0o755)
    assert steps_of(bootstrap, monkeypatch)[0] == [sys.executable, "-m", "venv", "--clear", str(bootstrap.VENV)]


def test_an_environment_with_pip_is_kept(bootstrap, monkeypatch):
    python = bootstrap.venv_python()
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 'pip 25.0'\n")
    python.chmod(0o755)
    assert not any("venv" in command for command in steps_of(bootstrap, monkeypatch))


def locks_of(commands):
    """The locks that were installed; that of uv alone comes before each."""
    named = [Path(word) for command in commands for word in command if word.endswith(".txt")]
    return [path.stem for path in named if path.name != "uv.txt"]


def test_to_run_takes_less_than_to_change_the_project(bootstrap, monkeypatch):
    commands = []
    monkeypatch.setattr(bootstrap, "run_quietly", lambda command, *, what: commands.append(command))
    monkeypatch.setattr(bootstrap, "has_pip", lambda: True)
    bootstrap.venv_python().parent.mkdir(parents=True)
    bootstrap.venv_python().touch()
    for verb in ("install-to-run", "install-to-run", "install", "install-to-run"):
        assert bootstrap.main([verb]) == 0
    # The second finds all there, and so does the fourth: nobody's tools are taken away.
    assert locks_of(commands) == ["trainer", "dev"]


def test_a_changed_lock_is_installed_anew_with_the_tools_that_were_there(bootstrap, monkeypatch):
    commands = []
    monkeypatch.setattr(bootstrap, "run_quietly", lambda command, *, what: commands.append(command))
    monkeypatch.setattr(bootstrap, "has_pip", lambda: True)
    bootstrap.venv_python().parent.mkdir(parents=True)
    bootstrap.venv_python().touch()
    bootstrap.main(["install"])
    bootstrap.lock_file("dev").write_text("uv==1.0 --hash=sha256:11\n")
    bootstrap.main(["install-to-run"])
    assert locks_of(commands) == ["dev", "dev"]


def test_a_registry_that_does_not_answer_is_said_and_not_blamed_for_the_next_failure(bootstrap):
    with pytest.raises(SystemExit, match="no package registry could be reached"):
        bootstrap.run_quietly(["sh", "-c", "echo Connection refused; exit 1"], what="Installing uv")
    with pytest.raises(SystemExit, match=r"Installing uv failed; the last lines of .*install\.log say why"):
        bootstrap.run_quietly(["sh", "-c", "echo No space left; exit 1"], what="Installing uv")


def test_a_step_that_never_ends_is_ended_with_one_sentence(bootstrap, monkeypatch):
    monkeypatch.setattr(bootstrap, "INSTALL_SECONDS", 0.1)
    with pytest.raises(SystemExit, match="Installing uv took more than"):
        bootstrap.run_quietly(["sleep", "30"], what="Installing uv")


def test_disk_for_an_installation_is_asked_for_only_where_there_is_none_yet(bootstrap, monkeypatch):
    monkeypatch.setattr(bootstrap.preflight, "BYTES_TO_INSTALL", 2**60)
    monkeypatch.setattr(bootstrap, "installed", lambda _lock: True)
    assert bootstrap.main(["install"]) == 0
    monkeypatch.setattr(bootstrap, "installed", lambda _lock: False)
    with pytest.raises(SystemExit, match="GiB are needed"):
        bootstrap.main(["install"])


def test_the_script_needs_the_standard_library_only():
    command = [sys.executable, "-S", "-c", f"import runpy; runpy.run_path({str(SCRIPT)!r}, run_name='looked at')"]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr == ""
