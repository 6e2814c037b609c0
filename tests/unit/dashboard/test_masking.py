"""Who may not read a message sees only the words of it that many messages share."""

from types import SimpleNamespace

import pytest

from autoretrain.dashboard.masking import HIDDEN, common_parts, known_words, mask, words_of
from autoretrain.domain.deployment import ModelArtefact
from autoretrain.ml.artefact import LinearParts, TermBlock, render_artefact
from autoretrain.ml.linear import LinearModel

KNOWN = frozenset({"call", "now", "to", "claim", "your", "00000", "the", "café", "£", "000"})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Call now to claim, Miriam!", f"Call now to claim, {HIDDEN}!"),
        ("call 07911 123456 now", f"call {HIDDEN} {HIDDEN} now"),
        ("claim £250 now", f"claim £{HIDDEN} now"),
        ("CALL the Café", "CALL the Café"),
        ("the cafe\u0301", "the café"),
        ("call josefine.o@mail.example", f"call {HIDDEN}.{HIDDEN}@{HIDDEN}.{HIDDEN}"),
        ("now ➊ ٣ Ⅷ", f"now {HIDDEN} {HIDDEN} {HIDDEN}"),
        ("call मीरा", f"call {HIDDEN}"),
        ("", ""),
    ],
    ids=[
        "a name is hidden and capitals stay",
        "numbers are hidden though the model knows numbers of as many digits",
        "an amount is hidden, its currency stays",
        "another case is the same word",
        "an accent that stands for itself belongs to its letter",
        "an address is hidden part by part",
        "digits of other scripts are digits",
        "marks of another script say nothing of a hidden word",
        "an empty message",
    ],
)
def test_only_known_words_without_digits_are_shown(text, shown):
    assert mask(text, KNOWN) == shown


def test_the_length_of_a_hidden_word_is_not_told():
    assert mask("Bo", KNOWN) == mask("Maximiliane", KNOWN) == HIDDEN


def test_known_are_words_of_several_rows_and_what_the_model_stems_to_one_or_leaves_out():
    learned = parts(("claim prize", "winner"), stems={"winners": "winner", "wins": "win"})
    assert known_words(learned) == {"claim prize", "winner", "winners", "the"}


def test_a_word_of_one_or_two_messages_that_the_model_learned_from_is_not_known():
    learned = parts(("miriam", "winner", "rare"), rows=(1, 3, 2))
    assert known_words(learned) == {"winner", "the"}


NAME, STRANGER = "miriam", "zoe"


@pytest.mark.parametrize("context", ["{}", "claim your prize {}", "{} winner", "{0} {0} prize"])
def test_what_a_common_model_says_does_not_tell_whether_a_word_was_in_a_message_that_it_learned_from(context):
    """The attack on a model: ask for the word, and for one that nobody wrote, and compare every figure."""
    learned = parts((NAME, "prize", f"prize {NAME}", "winner"), rows=(2, 9, 1, 3), character=(" mir", " pri"))
    whole, common = LinearModel(learned), LinearModel(common_parts(learned))
    asked, control = context.format(NAME), context.format(STRANGER)
    assert whole.score(asked) != whole.score(control)
    assert common.score(asked) == common.score(control)
    assert sorted(common.contributions(asked).values()) == sorted(common.contributions(control).values())


def test_a_common_model_says_of_common_words_what_the_whole_one_does():
    learned = parts((NAME, "prize", "winner"), rows=(1, 9, 3))
    assert LinearModel(common_parts(learned)).score("prize winner") == LinearModel(learned).score("prize winner")


def test_a_model_that_has_nothing_in_common_can_still_be_asked():
    learned = parts((NAME,), rows=(1,))
    assert LinearModel(common_parts(learned)).contributions(NAME) == {}


def test_words_are_those_of_the_version_that_is_asked_for():
    store = {"sha256:1": artefact(("first",)), "sha256:2": artefact(("second",))}
    reach = reach_of(store)
    assert (mask("first second", words_of(reach, "sha256:1")), mask("first second", words_of(reach, "sha256:2"))) == (
        f"first {HIDDEN}",
        f"{HIDDEN} second",
    )


def test_everything_is_hidden_until_the_store_has_the_artefact():
    store = {}
    reach = reach_of(store)
    assert mask("first", words_of(reach, "sha256:1")) == HIDDEN
    store["sha256:1"] = artefact(("first",))
    assert mask("first", words_of(reach, "sha256:1")) == "first"


def test_everything_is_hidden_where_the_artefact_is_of_somebody_elses_trainer_or_the_store_is_out_of_reach():
    foreign = ModelArtefact(version="1", digest="sha256:1", run_id="r", model=b"pickle", reference=b"", card="{}")
    without_store = SimpleNamespace(key="default.sms-spam", store=None)
    for reach in (reach_of({"sha256:1": foreign}), without_store):
        assert mask("first", words_of(reach, "sha256:1")) == HIDDEN


def reach_of(artefacts):
    return SimpleNamespace(key="default.sms-spam", store=SimpleNamespace(artefact=artefacts.get))


def artefact(terms):
    model = render_artefact(parts(terms))
    return ModelArtefact(version="1", digest="sha256:1", run_id="r", model=model, reference=b"", card="{}")


def parts(terms, *, rows=None, stems=None, character=()):
    """A model of these terms; its n-grams of `character` are each of two messages, the last one of nine."""
    counts = rows or [3] * len(terms)
    grams = TermBlock(
        lengths=(4, 4),
        terms=character,
        document_counts=[*[2] * (len(character) - 1), 9][: len(character)],
        weights=[1.0] * len(character),
    )
    block = TermBlock(lengths=(1, 2), terms=terms, document_counts=counts, weights=[1.0] * len(terms))
    return LinearParts(
        algorithm="LogisticRegression",
        profile="Word",
        rows=10,
        threshold=0.5,
        slope=1.0,
        offset=0.0,
        word=block,
        character=grams if character else None,
        stems=stems or {},
        stop_words=frozenset({"the"}),
    )
