import json

import pytest

from autoretrain.domain.errors import ArtefactRejected, BadData
from autoretrain.domain.messages import Label, LabelledMessage
from autoretrain.ml.drift import reference, references
from autoretrain.ml.drift.references import GOLDEN_HAM, LabelledCounts, build_references, parse_references


@pytest.fixture(autouse=True)
def few_resamplings(monkeypatch):
    """Nothing here hangs on how well the floors are known."""
    monkeypatch.setattr(reference, "RESAMPLINGS", 100)
    monkeypatch.setattr(references, "RESAMPLINGS", 100)


@pytest.fixture
def rows(traffic):
    return traffic().draw(150, seed=4)


def names(data):
    return [item["name"] for item in json.loads(data)["sets"]]


def test_the_same_rows_and_seed_give_the_same_bytes_and_another_seed_others(model, rows):
    first = build_references(model, rows, seed=0)
    assert build_references(model, rows, seed=0) == first
    assert build_references(model, rows, seed=1) != first


def test_the_artefact_survives_reading(model, reference_bytes):
    read = parse_references(reference_bytes, threshold=model.threshold)
    document = json.loads(reference_bytes)
    (base,) = read.sets
    assert (base.name, list(base.texts), list(base.scores)) == tuple(
        document["sets"][0][key] for key in ("name", "texts", "scores")
    )
    assert {name: floor.as_json() for name, floor in base.floors.items()} == document["sets"][0]["floors"]
    assert sum(counts.rows for counts in read.labelled.values()) == len(base.texts)


def test_errors_are_counted_by_stratum_of_the_audit(traffic):
    class OneMind:
        """Finds one message unsure ham, one sure ham and one spam, and all of them are wrong; right about the rest."""

        threshold = 0.5

        def __init__(self, rows):
            self._scores = {row.text: 0.99 if row.label is Label.SPAM else 0.01 for row in rows}
            spam, ham = ([row.text for row in rows if row.label is label] for label in (Label.SPAM, Label.HAM))
            self._scores |= {spam[0]: 0.3, spam[1]: 0.02, ham[0]: 0.8}

        def scores(self, texts):
            return [self._scores[text] for text in texts]

    rows = traffic().draw(150, seed=4)
    spam = sum(row.label is Label.SPAM for row in rows)
    assert parse_references(build_references(OneMind(rows), rows, seed=0), threshold=0.5).labelled == {
        Label.SPAM: LabelledCounts(rows=spam - 1, boosted_errors=1, plain_errors=0),
        Label.HAM: LabelledCounts(rows=151 - spam, boosted_errors=1, plain_errors=1),
    }


def test_an_artefact_that_does_not_tell_the_strata_apart_takes_every_error_for_either(model, reference_bytes):
    document = json.loads(reference_bytes)
    del document["boosted_errors"]
    read = parse_references(json.dumps(document).encode(), threshold=model.threshold)
    for label, counts in document["labelled"].items():
        rows, errors = counts.pop("rows"), counts.pop("errors")
        assert read.labelled[label] == LabelledCounts(rows=rows, boosted_errors=errors, plain_errors=errors)
        assert counts == {}  # versions before read nothing else here


def test_at_most_three_copies_of_a_campaign_are_in_a_reference(model, rows):
    copies = [LabelledMessage(text=f"claim prize number {n} today or lose it", label=Label.SPAM) for n in range(40)]
    (plain,), (padded,) = (
        parse_references(build_references(model, given, seed=0), threshold=model.threshold).sets
        for given in (rows, [*rows, *copies])
    )
    assert len(padded.texts) == len(plain.texts) + 3


def test_the_newest_four_regimes_are_kept_and_tiny_ones_left_out(model, rows, traffic):
    window = traffic().texts(150, seed=9)
    regimes = [(f"r{n}", window) for n in range(6)]
    assert names(build_references(model, rows, regimes=regimes, seed=0)) == ["base", "r2", "r3", "r4", "r5"]
    assert names(build_references(model, rows, regimes=[("small", window[:50])], seed=0)) == ["base"]


def test_too_few_held_out_rows_are_an_error_that_says_so(model, rows):
    with pytest.raises(BadData, match="held-out messages; at least 100 are needed"):
        build_references(model, rows[:60], seed=0)


def test_the_golden_ham_is_bounded_held_out_ham_in_an_order_of_its_own(model, traffic):
    rows = traffic().draw(400, seed=5)
    golden = [
        parse_references(build_references(model, given, seed=0), threshold=model.threshold).golden_ham
        for given in (rows, rows[::-1])
    ]
    assert golden[0] == golden[1]
    assert len(golden[0].texts) == GOLDEN_HAM
    assert set(golden[0].texts) <= {row.text for row in rows if row.label is Label.HAM}
    flagged = sum(score >= model.threshold for score in model.scores(golden[0].texts))
    assert golden[0].flagged == pytest.approx(flagged / GOLDEN_HAM)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b"[]", b"{}", b'{"format": 2}', b'{"format": 1, "sets": [{"name": "base"}]}'],
    ids=["empty", "not text", "a list", "no format", "another format", "half a set"],
)
def test_anything_else_is_rejected(model, data):
    with pytest.raises(ArtefactRejected):
        parse_references(data, threshold=model.threshold)


def test_a_set_whose_columns_do_not_match_is_rejected(model, reference_bytes):
    document = json.loads(reference_bytes)
    document["sets"][0]["scores"].pop()
    with pytest.raises(ArtefactRejected):
        parse_references(json.dumps(document).encode(), threshold=model.threshold)
