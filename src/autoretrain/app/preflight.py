"""Can this machine run the loop at all? Answered before any work, with the standard library only.

`scripts/bootstrap.py` imports this before the virtual environment exists, so nothing here may need a package.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

MINIMUM_PYTHON = (3, 11)
BYTES_TO_INSTALL = 3 * 1024**3
BYTES_TO_RUN = 1024**3 // 2
DEFAULT_PORTS = {
    "AUTORETRAIN_MLFLOW_PORT": 5000,
    "AUTORETRAIN_SERVING_PORT": 8000,
    "AUTORETRAIN_MONITOR_PORT": 8002,
    "AUTORETRAIN_DASHBOARD_PORT": 8501,
}


def check_machine(
    directory: Path,
    *,
    ports: dict[str, int],
    own_pids: frozenset[int] = frozenset(),
    needed_bytes: int = BYTES_TO_RUN,
) -> list[str]:
    """Return what stands in the way, a sentence each; an empty list means: go.

    `ports` maps the environment variable that moves a port to the port; a port held by one of `own_pids` is free.
    """
    problems = []
    if sys.version_info < MINIMUM_PYTHON:
        found = ".".join(map(str, sys.version_info[:3]))
        problems.append(f"Python 3.11 or later is needed, this is {found}. Name another: make run PYTHON=python3.12")
    free = shutil.disk_usage(directory).free
    if free < needed_bytes:
        needed = f"{needed_bytes / 1024**3:.1f} GiB are needed"
        problems.append(f"{free / 1024**3:.1f} GiB are free in {directory}; {needed}.")
    owners: dict[int, str] = {}
    for variable, port in ports.items():
        if owners.setdefault(port, variable) != variable:
            problems.append(f"{owners[port]} and {variable} both say {port}. Give each a port of its own.")
            continue
        if is_free(port):
            continue
        pid, name = holder_of(port)
        if pid is not None and _session_of(pid) in own_pids:
            continue
        who = f"{name} (pid {pid})" if pid else "another process"
        problems.append(
            f"Port {port} is taken by {who}. Move ours: {variable}={free_port_after(port, ports.values())} make run"
        )
    return problems


def ports_from_environment() -> dict[str, int]:
    """Return the ports in force. Raises ValueError naming the variable whose value is not a port."""
    ports = {}
    for variable, default in DEFAULT_PORTS.items():
        text = os.environ.get(variable, "") or str(default)
        if not text.isdecimal() or not 1 <= int(text) <= 65535:
            raise ValueError(f"{variable}={text} is not a port: a number from 1 to 65535 is needed.")
        ports[variable] = int(text)
    return ports


def leftover_pids(state: Path) -> frozenset[int]:
    """Return the processes that an earlier run of ours did not live to stop; `run` takes their ports back."""
    children = state / "children.json"
    try:
        return frozenset(int(child["pid"]) for child in json.loads(children.read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def running_controller(state: Path) -> str:
    """Return a sentence that names the controller that runs on this state, or '' where none does."""
    path = state / "controller.json"
    try:
        known = json.loads(path.read_text())
        command = Path(f"/proc/{known['pid']}/cmdline")
        if command.exists() and b"autoretrain" not in command.read_bytes():
            return ""  # the number belongs to somebody else by now
        os.kill(known["pid"], 0)
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f"`autoretrain {known['purpose']}` (pid {known['pid']}) already runs on {path.parent}. Stop it first."


def state_directory(root: Path) -> Path:
    return root / os.environ.get("AUTORETRAIN_STATE_DIR", ".autoretrain")


def _session_of(pid: int) -> int:
    """Children of ours lead a session each, so that their own children are known by it."""
    try:
        return os.getsid(pid)
    except (OSError, AttributeError):
        return pid


def is_free(port: int, *, host: str = "127.0.0.1") -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port_after(port: int, others: Collection[int] = ()) -> int:
    """Return a port above `port` that could be bound just now and is none of `others`."""
    return next((p for p in range(port + 1, min(port + 200, 65536)) if p not in others and is_free(p)), 0)


def holder_of(port: int) -> tuple[int | None, str]:
    """Return pid and name of the process that listens on `port`, (None, '') where the system does not tell."""
    if Path("/proc/net/tcp").exists():
        return _holder_by_proc(port)
    lsof = shutil.which("lsof")
    if lsof is None:
        return None, ""
    command = [lsof, "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout
    except subprocess.TimeoutExpired:
        return None, ""
    fields = {line[0]: line[1:] for line in shown.splitlines() if line}
    return (int(fields["p"]), fields.get("c", "")) if "p" in fields else (None, "")


def _holder_by_proc(port: int) -> tuple[int | None, str]:
    """Linux: the socket's inode by the kernel's table, then the process that has it open."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            continue
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        try:
            if any(str(entry.readlink()) in inodes for entry in (process / "fd").iterdir()):
                return int(process.name), (process / "comm").read_text().strip()
        except OSError:
            continue  # the process ended meanwhile, or is not ours to look at
    return None, ""
