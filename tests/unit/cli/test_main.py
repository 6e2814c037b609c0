"""The command line says what is wrong in a sentence, and its exit code says whose fault it was."""

import argparse

import pytest

from autoretrain.cli import verbs
from autoretrain.cli.main import build_parser, main
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.messages import Label
from autoretrain.domain.status import Status
from autoretrain.ml.sample_corpus import generate_corpus
from tests.spec_cases import VALID_TEXT


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    document = tmp_path / "model.yaml"
    document.write_text(VALID_TEXT)
    monkeypatch.setenv("AUTORETRAIN_SPEC", str(document))
    monkeypatch.setenv("AUTORETRAIN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("AUTORETRAIN_MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_setting_that_is_wrong_is_named_by_its_variable(monkeypatch, capsys):
    monkeypatch.setenv("AUTORETRAIN_SERVING_PORT", "http")
    assert main(["status"]) == 64
    assert capsys.readouterr().err.startswith("AUTORETRAIN_SERVING_PORT=http: ")


def test_a_document_that_is_wrong_is_named_by_its_field(machine, capsys):
    (machine / "model.yaml").write_text(VALID_TEXT + "  triggers: {drift: {threshold: 0.15}}\n")
    assert main(["status"]) == 64
    assert "spec.triggers.drift.threshold" in capsys.readouterr().err


def test_a_fresh_machine_has_a_status_that_says_so(capsys):
    assert main(["status"]) == 0
    assert "champion   none" in capsys.readouterr().out


def test_suspend_and_resume_are_recorded_for_the_next_pass(machine, capsys):
    assert main(["suspend"]) == 0
    assert main(["resume", "sms-spam"]) == 0
    assert "resume of default.sms-spam is requested." in capsys.readouterr().out


def test_a_verb_for_another_model_than_the_documents_is_refused(capsys):
    assert main(["retrain", "mail"]) == 1
    assert "describes sms-spam, not mail" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"force": False, "reason": "why"}, "--force"),
        ({"force": True, "reason": ""}, "--reason"),
    ],
    ids=["without force", "without a reason"],
)
def test_a_promotion_round_the_gates_needs_force_and_a_reason(changes, message):
    arguments = argparse.Namespace(command="promote", version="v3", **changes)
    with pytest.raises(AutoRetrainError, match=message):
        verbs.requested(arguments, status=Status())


def test_a_forced_promotion_carries_actor_reason_version_and_a_token_of_its_own():
    arguments = argparse.Namespace(command="promote", version="v3", force=True, reason="the new one is blind")
    first, second = (verbs.requested(arguments, status=Status()) for _ in range(2))
    assert (first["promote_version"], first["reason"]) == ("3", "the new one is blind")
    assert first["actor"]
    assert first["promote_token"] != second["promote_token"]


def test_approving_where_nothing_waits_says_so():
    arguments = argparse.Namespace(command="approve", version="", reason="")
    with pytest.raises(AutoRetrainError, match="no candidate waits"):
        verbs.requested(arguments, status=Status())


def test_reset_asks_and_leaves_everything_where_the_answer_is_no(machine, monkeypatch, capsys):
    (machine / "state").mkdir()
    monkeypatch.setattr("builtins.input", lambda _prompt: "")
    assert main(["reset"]) == 1
    assert (machine / "state").is_dir()
    assert "Nothing was removed" in capsys.readouterr().out


def test_reset_removes_the_state_and_mlflows_files(machine):
    (machine / "state").mkdir()
    (machine / "mlflow.db").write_text("")
    (machine / "mlartifacts").mkdir()
    assert main(["reset", "--yes"]) == 0
    assert not any((machine / name).exists() for name in ("state", "mlflow.db", "mlartifacts"))


def test_data_check_goes_by_the_floors_and_the_labels_of_the_document(machine, capsys):
    names = {Label.HAM: "legit", Label.SPAM: "junk"}
    rows = [f"{names[row.label]}\t{row.text}" for row in generate_corpus(seed=0, messages=500)]
    (machine / "mine.tsv").write_text("\n".join(rows))
    (machine / "strict.yaml").write_text(VALID_TEXT + '  promotion: {minF1: "0.97"}\n')
    assert main(["data", "check", "mine.tsv"]) == 64
    assert "the label 'legit'" in capsys.readouterr().err
    assert main(["data", "check", "mine.tsv", "-f", "strict.yaml", "--spam-label", "junk"]) == 1
    assert "under spec.promotion.minF1 0.97" in capsys.readouterr().out
    assert main(["data", "check", "mine.tsv", "-f", "model.yaml", "--spam-label", "junk"]) == 0
    assert "in spec.data: labelMap: {junk: spam, YOUR HAM LABEL: ham}" in capsys.readouterr().out


def test_reset_without_anybody_to_ask_removes_nothing(machine, monkeypatch, capsys):
    (machine / "state").mkdir()

    def nobody(_prompt):
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    assert main(["reset"]) == 1
    assert (machine / "state").is_dir()
    assert "--yes does not ask. Nothing was removed." in capsys.readouterr().out


def test_data_check_of_a_file_that_is_not_there_is_bad_input_with_its_name(machine, capsys):
    assert main(["data", "check", "absent.tsv"]) == 64
    assert "absent.tsv" in capsys.readouterr().err


def test_a_rollback_with_nothing_to_go_back_to_says_so_and_has_failed(capsys):
    from autoretrain.adapters.settings import Settings
    from autoretrain.app.local import LocalWorld, utc_now
    from autoretrain.domain.deployment import Deployment, ModelArtefact
    from autoretrain.domain.status import ModelRef

    world = LocalWorld.open(Settings(), expect_serving=False)
    world.store.put_artefact(
        ModelArtefact(version="1", digest="sha256:1", run_id="r", model=b"m", reference=b"r", card="{}")
    )
    world.store.deploy(Deployment(version="1", digest="sha256:1"))
    world.write_status(Status(champion=ModelRef(version="1", digest="sha256:1", promoted_at=utc_now())))
    world.close()
    assert main(["rollback"]) == 1
    assert "NothingToRollBackTo" in capsys.readouterr().out


def test_train_takes_its_options_in_any_order():
    arguments = build_parser().parse_args(["train", "--file", "a.yaml", "--run-name", "r-1", "--quiet"])
    assert (str(arguments.file), arguments.run_name, arguments.quiet) == ("a.yaml", "r-1", True)


def test_what_follows_test_is_pytests_and_after_another_command_it_is_refused(monkeypatch, tmp_path, capsys):
    (tmp_path / "tests").mkdir()
    monkeypatch.chdir(tmp_path)
    called = []
    monkeypatch.setattr("autoretrain.cli.operate.subprocess.call", lambda command: called.append(command[3:]) or 0)
    assert main(["test", "-q", "-k", "drift or label", "tests/unit"]) == 0
    assert called == [["-q", "-k", "drift or label", "tests/unit"]]
    with pytest.raises(SystemExit):
        main(["status", "--quietly"])
    assert "unrecognized arguments: --quietly" in capsys.readouterr().err
