"""`autoretrain train` and `python src/train.py`: one training run for a person, or for a controller that reads JSON.

The trainer contract: arguments and `AUTORETRAIN_*` in; an MLflow run and a registered candidate out; one JSON summary;
exit codes as in `domain.training.ExitCode`. Everything heavy is imported after the signals are taken care of.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from autoretrain.app.signals import handling
from autoretrain.domain.deployment import Deployment
from autoretrain.domain.errors import AutoRetrainError, BadData, InvalidSpec
from autoretrain.domain.training import ExitCode, TrainingSummary

if TYPE_CHECKING:
    from autoretrain.adapters.settings import Settings
    from autoretrain.app.data import PreparedData
    from autoretrain.domain.spec import SpamModel

FinishWithAPass: TypeAlias = Callable[[TrainingSummary, "Settings"], None]

REASON_CHARACTERS: Final = 900
"""A termination message has 4096 bytes, and a character up to four."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--experiment-name", help="MLflow experiment (default: the registered model's name)")
    parser.add_argument("-f", "--file", type=Path, help="SpamModel document (default: AUTORETRAIN_SPEC)")
    parser.add_argument("--data", type=Path, help="file of labelled messages to use instead of spec.data")
    parser.add_argument(
        "--run-name", type=_run_name, help="name of the run; the same name trains once (default: a new one)"
    )
    parser.add_argument("--trigger", default="Manual", help="why the run was started; kept with it")
    parser.add_argument("--label-cutoff", type=int, help="highest label sequence to use (default: the newest)")
    parser.add_argument(
        "--changed-at",
        type=_moment,
        help="since when traffic has changed, in ISO 8601 (default: it is not known to have)",
    )
    parser.add_argument(
        "--uid", help="uid of the resource that the run is for: what it says then holds, not this machine's state"
    )
    parser.add_argument("--champion-version", help="version to compare with (default: what the store says is served)")
    parser.add_argument("--champion-digest", help="digest of that version's artefact")
    parser.add_argument(
        "--summary-file",
        type=Path,
        help="write the JSON summary there, for a controller; a file that is there already, as a Pod's termination log,"
        ' is written in place, and holds {"error": ...} where the run fails',
    )
    parser.add_argument("--json", action="store_true", help="print the JSON summary, and nothing else, on stdout")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def _run_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", text):
        raise argparse.ArgumentTypeError("takes letters, digits, dots, hyphens and underscores, at most 128")
    return text


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time in ISO 8601") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no time zone; write +00:00 for UTC")
    return moment


def main(argv: Sequence[str] | None = None, *, finish_with_a_pass: FinishWithAPass | None = None) -> int:
    """Parse the arguments, run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="autoretrain train", description="Train a candidate and register it.")
    add_arguments(parser)
    return run(parser.parse_args(argv), finish_with_a_pass=finish_with_a_pass)


def run(arguments: argparse.Namespace, *, finish_with_a_pass: FinishWithAPass | None = None) -> int:
    """Train, and return the exit code.

    A run for a person ends with a pass of the decision core, made by `finish_with_a_pass`. A run whose summary a
    program reads (`--json`, `--summary-file`) does not: that program decides.
    """
    if (arguments.champion_version is None) != (arguments.champion_digest is None):
        return _failed(arguments, ExitCode.BAD_INPUT, "--champion-version and --champion-digest go together")
    try:
        with handling(_interrupt):
            return _train(arguments, finish_with_a_pass or _pass_on_this_machine)
    except (BadData, InvalidSpec) as error:
        return _failed(arguments, ExitCode.BAD_INPUT, str(error))
    except AutoRetrainError as error:
        return _failed(arguments, ExitCode.FAILED, str(error))
    except KeyboardInterrupt:
        return _failed(arguments, ExitCode.INTERRUPTED, "Training was stopped.")
    except Exception as error:
        # Its trace goes to the log; who reads only the termination log gets to know what kind it was.
        _report_failure(arguments.summary_file, f"the run failed by an error of its own ({type(error).__name__})")
        raise


def _failed(arguments: argparse.Namespace, code: ExitCode, reason: str) -> ExitCode:
    sys.stderr.write(f"{reason}\n")
    _report_failure(arguments.summary_file, reason)
    return code


def _report_failure(termination_log: Path | None, reason: str) -> None:
    """Say why in a termination log. Any other summary file stays away: without it the run has none."""
    if termination_log is None or not termination_log.exists():
        return
    sentence = " ".join(reason.split())[:REASON_CHARACTERS]
    termination_log.write_text(json.dumps({"error": sentence}, ensure_ascii=False), encoding="utf-8")


def _write_summary(path: Path, text: str) -> None:
    from autoretrain.app.state import write_atomically

    if path.exists():
        # The kubelet reads the file that it mounted: another one in its place would be lost, and can't be put there.
        path.write_text(text, encoding="utf-8")
    else:
        write_atomically(path, text)


def _train(arguments: argparse.Namespace, finish_with_a_pass: FinishWithAPass) -> int:
    from autoretrain.adapters import spammodel
    from autoretrain.app.data import prepare_data
    from autoretrain.app.state import StateDirectory
    from autoretrain.cli.training_report import render_summary, report_text, watching

    settings = _settings(arguments)
    document = spammodel.load_document(settings.spec)
    model = spammodel.parse_spam_model(document, uid=arguments.uid or "", generation=0)
    if arguments.uid:
        # On a cluster nobody sees the warning that comes with the sample, and only the state directory is writable.
        prepared = prepare_data(settings, directory=settings.state_dir / "data", may_generate=False)
    else:
        uid, generation = StateDirectory(settings.state_dir).identity(model.key, document=document)
        model = replace(model, uid=uid, generation=generation)
        prepared = prepare_data(settings)
    with watching(quiet=arguments.quiet) as progress:
        summary = _run(arguments, settings=settings, model=model, prepared=prepared, progress=progress)
    text = render_summary(summary)
    if arguments.summary_file:
        _write_summary(arguments.summary_file, text)
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
    champion = None
    if arguments.champion_version is not None:
        champion = Deployment(version=arguments.champion_version, digest=arguments.champion_digest)
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
            changed_at=arguments.changed_at,
            champion=champion,
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


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    """Let SIGTERM and SIGHUP end the run like Ctrl-C does: cleaned up, one sentence, no trace."""
    raise KeyboardInterrupt
