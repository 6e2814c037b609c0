"""The document is checked where it changed, and what is handed out of it is the caller's own."""

import pytest

from autoretrain.adapters import spammodel
from autoretrain.app.document_in_force import DocumentInForce
from autoretrain.domain.errors import InvalidSpec
from tests.spec_cases import VALID_TEXT


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.yaml"
    path.write_text(VALID_TEXT)
    return path


def test_a_document_is_checked_once_for_each_text_that_it_has(path, monkeypatch):
    checked = []
    check = spammodel.parse_spam_model
    monkeypatch.setattr(spammodel, "parse_spam_model", lambda *a, **k: checked.append(1) or check(*a, **k))
    held = DocumentInForce(path)
    assert held.read() == held.read()
    assert len(checked) == 1
    path.write_text(VALID_TEXT + "  triggers: {cooldownSeconds: 60}\n")
    assert held.read()[1].spec.triggers.cooldown_seconds == 60
    assert len(checked) == 2


def test_a_broken_text_is_told_each_time_and_the_one_before_is_good_again(path):
    held = DocumentInForce(path)
    good = held.read()
    for _ in range(2):
        path.write_text("spec: [")
        with pytest.raises(InvalidSpec, match="line 1"):
            held.read()
    path.write_text(VALID_TEXT)
    assert held.read() == good


def test_whoever_changes_the_document_changes_their_own(path):
    held = DocumentInForce(path)
    held.read()[0]["spec"].clear()
    assert held.read()[0]["spec"]
