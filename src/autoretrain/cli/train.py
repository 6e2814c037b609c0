"""`autoretrain train` and `python src/train.py`: one training run for a person, or for a controller that reads JSON.

The trainer contract: arguments and `AUTORETRAIN_*` in; an MLflow run and a registered candidate out; one JSON summary;
exit codes as in `domain.training.ExitCode`. Everything heavy is imported after the signals are taken care of.
"""

import argparse
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeAlias

from autoretrain.domain.errors import AutoRetrainError, BadData, InvalidSpec
from autoretrain.domain.training import ExitCode, TrainingSummary

if TYPE_CHECKING:
    from autoretrain.adapters.settings import Settings
    from autoretrain.app.data import PreparedData
    from autoretrain.domain.spec import SpamModel

FinishWithAPass: TypeAlias = Callable[[TrainingSummary, "Settings"], None]


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="autoretrain train", description="Train a candidate and register it.")
    parser.add_argument("--experiment-name", help="MLflow experiment (default: the registered model's name)")
    parser.add_argument("-f", "--file", type=Path, help="SpamModel document (default: AUTORETRAIN_SPEC)")
    parser.add_argument("--data", type=Path, help="file of labelled messages to use instead of spec.data")
    parser.add_argument(
        "--run-name", type=_run_name, help="name of the run; the same name trains once (default: a new one)"
    )
    parser.add_argument("--trigger", default="Manual", help="why the run was started; kept with it")
    parser.add_argument("--label-cutoff", type=int, help="highest label sequence to use (default: the newest)")
    parser.add_argument("--summary-file", type=Path, help="write the JSON summary there, for a controller")
    parser.add_argument("--json", action="store_true", help="print the JSON summary, and nothing else, on stdout")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    return parser


def _run_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", text):
        raise argparse.ArgumentTypeError("takes letters, digits, dots, hyphens and underscores, at most 128")
    return text


def main(argv: Sequence[str] | None = None, *, finish_with_a_pass: FinishWithAPass | None = None) -> int:
    """Run the command and return its exit code.

    A run for a person ends with a pass of the decision core, made by `finish_with_a_pass`. A run whose summary a
    program reads (`--json`, `--summary-file`) does not: that program decides.
    """
    arguments = build_parser().parse_args(argv)
    try:
        with _interrupted_by_any_signal():
            return _train(arguments, finish_with_a_pass or _pass_on_this_machine)
    except (BadData, InvalidSpec) as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.BAD_INPUT
    except AutoRetrainError as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.FAILED
    except KeyboardInterrupt:
        sys.stderr.write("Training was stopped.\n")
        return ExitCode.INTERRUPTED


def _train(arguments: argparse.Namespace, finish_with_a_pass: FinishWithAPass) -> int:
    from autoretrain.adapters import spammodel
    from autoretrain.app.data import prepare_data
    from autoretrain.app.state import StateDirectory, write_atomically
    from autoretrain.cli.training_report import render_summary, report_text, watching

    settings = _settings(arguments)
    document = spammodel.load_document(settings.spec)
    key = spammodel.parse_spam_model(document, uid="", generation=0).key
    uid, generation = StateDirectory(settings.state_dir).identity(key, document=document)
    model = spammodel.parse_spam_model(document, uid=uid, generation=generation)
    prepared = prepare_data(settings)
    with watching(quiet=arguments.quiet) as progress:
        summary = _run(arguments, settings=settings, model=model, prepared=prepared, progress=progress)
    text = render_summary(summary)
    if arguments.summary_file:
        write_atomically(arguments.summary_file, text)
    if arguments.json:
        sys.stdout.write(text + "\n")
        return ExitCode.OK
    sys.stdout.write(report_text(summary, source_note=prepared.source_note))
    sys.stdout.flush()
    if not arguments.summary_file:
        finish_with_a_pass(summary, settings)
    return ExitCode.OK


def _run(
    arguments: argparse.Namespace, *, settings: "Settings", model: "SpamModel", prepared: "PreparedData", progress: Any
) -> TrainingSummary:
    from autoretrain.adapters.registry_mlflow import MlflowRegistry
    from autoretrain.adapters.store import Store
    from autoretrain.app.training import TrainingRequest, run_training

    now = datetime.now(UTC)
    name = model.spec.registered_model_name or model.key
    registry = MlflowRegistry(settings.mlflow_tracking_uri, name=name)
    with Store(settings.resolved_store_url(), model=model.key) as store:
        store.migrate()
        cutoff = arguments.label_cutoff
        request = TrainingRequest(
            run_name=arguments.run_name or f"{model.name}-train-{now:%Y%m%d-%H%M%S}",
            experiment=arguments.experiment_name or name,
            trigger=arguments.trigger,
            uid=model.uid,
            label_cutoff=store.count_new_labels(0)[2] if cutoff is None else cutoff,
            data_source=prepared.source_note,
            generated_sample=prepared.generated_sample,
        )
        return run_training(
            request,
            store=store,
            registry=registry,
            base=prepared.rows,
            spec=model.spec,
            now=now,
            progress=progress,
        )


def _settings(arguments: argparse.Namespace) -> "Settings":
    from autoretrain.adapters.settings import Settings

    settings = Settings()
    chosen = {"spec": arguments.file, "data": arguments.data}
    settings = settings.model_copy(update={name: value for name, value in chosen.items() if value is not None})
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    return settings


def _pass_on_this_machine(summary: TrainingSummary, settings: "Settings") -> None:
    """The call site of the pass; it is made where all passes of one machine are made."""
    from autoretrain.app.first_model import finish_with_a_pass

    finish_with_a_pass(summary, settings)


@contextmanager
def _interrupted_by_any_signal() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the run like Ctrl-C does: cleaned up, one sentence, no trace."""

    def interrupt(_signum: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    try:
        before = {name: signal.signal(getattr(signal, name), interrupt) for name in names}
    except ValueError:
        before = {}  # not the main thread: whoever called us owns the signals
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
