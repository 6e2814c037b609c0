"""Start the loop, show it, test it, empty it: run, demo, test, reset."""

import argparse
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from autoretrain.adapters.settings import Settings
from autoretrain.app.state import StateDirectory
from autoretrain.domain.errors import AutoRetrainError


def add_commands(commands: Any) -> None:
    run = commands.add_parser("run", help="serve, monitor and retrain on this machine until Ctrl-C")
    run.add_argument("-f", "--file", type=Path, help="SpamModel document (default: examples/sms-spam.yaml)")
    run.add_argument("--data", type=Path, help="local file of labelled messages")
    without = run.add_mutually_exclusive_group()
    without.add_argument("--no-dashboard", action="store_true", help="do without the dashboard")
    without.add_argument(
        "--only-loop", action="store_true", help="measure, decide and train; serving and MLflow run elsewhere"
    )
    run.set_defaults(run=run_loop)

    demo = commands.add_parser("demo", help="play traffic and a wave of new spam, show what happens; about 5 minutes")
    demo.add_argument("--keep", action="store_true", help="keep the demo's state in .autoretrain/demo")
    demo.set_defaults(run=run_demo)

    test = commands.add_parser("test", help="run the project's tests; what follows is pytest's")
    test.set_defaults(run=run_tests, takes_more=True)

    migrate = commands.add_parser("migrate", help="bring the store's tables up to date")
    migrate.set_defaults(run=migrate_store)

    reset = commands.add_parser("reset", help="empty this machine's state after asking")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    reset.set_defaults(run=reset_state)


def run_loop(arguments: argparse.Namespace) -> int:
    from autoretrain.app.runner import LocalController

    settings = settings_with_data(arguments.data)
    state = StateDirectory(settings.state_dir)
    return LocalController(
        settings, state, with_dashboard=not arguments.no_dashboard, only_loop=arguments.only_loop
    ).run()


def settings_with_data(data: Path | None) -> Settings:
    """Return the settings; a file given on the command line also holds for the children."""
    if data is not None:
        import os

        if not data.is_file():
            raise AutoRetrainError(f"{data}: no such file")
        os.environ["AUTORETRAIN_DATA"] = str(data.resolve())
    return Settings()


def run_demo(arguments: argparse.Namespace) -> int:
    from autoretrain.app.demo import run

    return run(keep=arguments.keep)


def run_tests(arguments: argparse.Namespace) -> int:
    if not Path("tests").is_dir():
        raise AutoRetrainError("the tests are in the repository; run this in its root")
    if importlib.util.find_spec("pytest") is None:
        raise AutoRetrainError("pytest is not installed; `make setup` or `pip install -r requirements/dev.txt` does it")
    return subprocess.call([sys.executable, "-m", "pytest", *arguments.more])


def migrate_store(_arguments: argparse.Namespace) -> int:
    from autoretrain.adapters.store import Store

    settings = Settings()
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    with Store(settings.resolved_store_url(), model=settings.model) as store:
        store.migrate()
    sys.stdout.write("The store's tables are up to date.\n")
    return 0


def reset_state(arguments: argparse.Namespace) -> int:
    """Remove what runs wrote: the state directory, and MLflow's database and artefacts where they are local files."""
    settings = Settings()
    state = StateDirectory(settings.state_dir)
    targets = [path for path in (settings.state_dir, *local_mlflow(settings)) if path.exists()]
    if not targets:
        sys.stdout.write("There is nothing to remove.\n")
        return 0
    with state.lock(purpose="reset"):
        names = ", ".join(map(str, targets))
        if not arguments.yes and not is_confirmed(f"Remove {names}? All models, labels and decisions are lost."):
            sys.stdout.write("Nothing was removed.\n")
            return 1
    for target in targets:
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    sys.stdout.write(f"Removed {names}.\n")
    return 0


def is_confirmed(question: str) -> bool:
    try:
        return input(f"{question} [y/N] ").lower() == "y"
    except EOFError:
        sys.stdout.write("\nNobody is here to answer; --yes does not ask. ")
        return False


def local_mlflow(settings: Settings) -> list[Path]:
    prefix = "sqlite:///"
    if not settings.mlflow_tracking_uri.startswith(prefix):
        return []
    database = Path(settings.mlflow_tracking_uri.removeprefix(prefix))
    beside = [database.with_name(database.name + suffix) for suffix in ("", "-wal", "-shm")]
    return [*beside, database.with_name("mlartifacts")]
