"""From a fresh clone to a running program: check the machine, make .venv from the lock, become `autoretrain VERB`.

Standard library only. Called by the Makefile; without make: `python scripts/bootstrap.py run`.
"""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
# What running needs, and that with the tools of who changes the project: tests, types, docs, a cluster's operator.
RUN, DEV = "trainer", "dev"
LOCKS = ROOT / "requirements"
STAMP = VENV / "autoretrain-lock.sha256"
INSTALL_SECONDS = 900
VERBS_WITH_PORTS = {"run"}
NEED_EVERYTHING = {"install", "test"}
ONLY_INSTALL = {"install", "install-to-run"}
OWN_STEPS = 2
LATER_STEPS = {"run": 4, "demo": 8}

if sys.version_info < (3, 11):  # noqa: UP036 - this file is what an older Python meets first
    found = ".".join(map(str, sys.version_info[:2]))
    sys.exit("AutoRetrain needs Python 3.11 or later, this is " + found + ". Name another: make run PYTHON=python3.12")

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no trace from a Ctrl-C before `main` takes the signals
sys.path.insert(0, str(ROOT / "src"))
from autoretrain.app import preflight, steps  # noqa: E402 - the path is known only now


def venv_python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def lock_file(name: str) -> Path:
    return LOCKS / f"{name}.txt"


def wanted_stamp(lock: str) -> str:
    text = lock_file(lock).read_bytes() + (ROOT / "pyproject.toml").read_bytes()
    return f"{lock} {hashlib.sha256(text).hexdigest()}"


def wanted_lock(verb: str) -> str:
    """Return the lock for `verb`: what is there already is never made less."""
    had = STAMP.read_text().partition(" ")[0] if STAMP.exists() else ""
    return DEV if verb in NEED_EVERYTHING or had == DEV else RUN


def installed(lock: str) -> bool:
    return venv_python().exists() and STAMP.exists() and STAMP.read_text() == wanted_stamp(lock)


def run_quietly(command: list[str], *, what: str) -> None:
    """Run one step of the installation. Exits with one sentence where it fails; its output stays in a log."""
    log = ROOT / ".autoretrain" / "logs" / "install.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        before = out.tell()
        child = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=ROOT)
        try:
            code = child.wait(timeout=INSTALL_SECONDS)
        except BaseException as error:
            child.terminate()
            child.wait(timeout=10)
            if isinstance(error, subprocess.TimeoutExpired):
                sys.exit(f"\n{what} took more than {INSTALL_SECONDS} s; start again, it goes on with what was fetched.")
            raise
    if code != 0:
        text = log.read_bytes()[before:].decode(errors="replace").lower()
        unreachable = (
            "temporary failure",
            "failed to resolve",
            "connection refused",
            "newconnectionerror",
            "timed out",
            "name or service not known",
            "no matching distribution",
            "network is unreachable",
        )
        if any(sign in text for sign in unreachable):
            sys.exit(
                f"\n{what} failed: no package registry could be reached; check the network or your proxy settings."
            )
        sys.exit(f"\n{what} failed; the last lines of {log.relative_to(ROOT)} say why.")


def has_pip() -> bool:
    """Say whether .venv can install anything: one that was interrupted while it was made has Python and no pip."""
    if not venv_python().exists():
        return False
    asked = subprocess.run([str(venv_python()), "-m", "pip", "--version"], capture_output=True, timeout=60, check=False)
    return asked.returncode == 0


def install(lock: str) -> None:
    """Make the virtual environment and put exactly the packages of `lock` into it, checked by hash."""
    if not has_pip():
        run_quietly([sys.executable, "-m", "venv", "--clear", str(VENV)], what="Making .venv")
    pip = [str(venv_python()), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    uv_lock = VENV / "uv.txt"
    uv_lock.write_text("".join(lock_entry("uv")))
    run_quietly([*pip, "install", "-q", "--require-hashes", "-r", str(uv_lock)], what="Installing uv")
    uv = [str(venv_python()), "-m", "uv", "pip"]
    options = ["-q", "--compile-bytecode", "--python", str(venv_python()), "--require-hashes"]
    run_quietly([*uv, "sync", *options, str(lock_file(lock))], what="Installing the locked packages")
    run_quietly(
        [*uv, "install", "-q", "--python", str(venv_python()), "--no-deps", "-e", str(ROOT)],
        what="Installing AutoRetrain",
    )
    STAMP.write_text(wanted_stamp(lock))


def lock_entry(name: str) -> list[str]:
    """Return the lines that pin `name`, its hashes included; the lock of everything has it."""
    lines, inside = [], False
    for line in lock_file(DEV).read_text().splitlines(keepends=True):
        inside = line.startswith(f"{name}==") or (inside and line.startswith(" "))
        if inside:
            lines.append(line)
    return lines


def stop(signum: int, _frame: object) -> None:
    raise SystemExit(128 + signum)


def stop_signals() -> list[signal.Signals]:
    """Return the signals that stop us. Under `nohup` a hang-up is not one of them."""
    known = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    return [s for s in known if s.name != "SIGHUP" or signal.getsignal(s) is not signal.SIG_IGN]


def main(arguments: list[str]) -> int:
    verb = arguments[0] if arguments else "run"
    lock = wanted_lock(verb)
    signals = stop_signals()
    for signum in signals:
        signal.signal(signum, stop)
    counter = steps.Steps(own=OWN_STEPS)
    counter.total += LATER_STEPS.get(verb, 0)
    with counter.step("Check Python, disk and ports"):
        try:
            ports = preflight.ports_from_environment() if verb in VERBS_WITH_PORTS else {}
        except ValueError as error:
            sys.exit(f"\n{error}")
        if verb in VERBS_WITH_PORTS and (running := preflight.running_controller(preflight.state_directory(ROOT))):
            sys.exit(f"\n{running}")
        needed = preflight.BYTES_TO_RUN if verb in VERBS_WITH_PORTS else 0
        problems = preflight.check_machine(
            ROOT,
            ports=ports,
            own_pids=preflight.leftover_pids(preflight.state_directory(ROOT)),
            needed_bytes=needed if installed(lock) else preflight.BYTES_TO_INSTALL,
        )
        if problems:
            sys.exit("\n" + "\n".join(problems))
    with counter.step("Install the locked packages into .venv") as notes:
        if installed(lock):
            notes.append("already there")
        else:
            install(lock)
    if verb in ONLY_INSTALL:
        return 0
    counter.hand_over()
    for signum in signals:
        signal.signal(signum, signal.SIG_DFL)
    command = [str(venv_python()), "-m", "autoretrain", *(arguments or ["run"])]
    if os.name != "nt":
        os.execv(command[0], command)  # noqa: S606 - this process becomes the program, so that signals reach it
    return subprocess.call(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
