"""One run of the local controller, in a process of its own: what a Job's Pod is on a cluster."""

from pathlib import Path

import filelock

from autoretrain.app.trainer import RunDirectory
from autoretrain.cli import train
from autoretrain.domain.training import ExitCode


def run(path: Path, arguments: list[str]) -> int:
    """Train into the run's directory. A second process for the same run ends at once: the first one is at it."""
    directory = RunDirectory(path)
    try:
        with directory.lock():
            code = train.main([*arguments, "--summary-file", str(directory.summary)])
            if code != ExitCode.OK and not directory.summary.exists():
                directory.record_failure(code, last_line(directory.log))
            return code
    except filelock.Timeout:
        return ExitCode.OK


def last_line(log: Path) -> str:
    """Return what the trainer said last: its message for a person."""
    lines = (
        [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.exists() else []
    )
    return lines[-1] if lines else "the trainer said nothing"
