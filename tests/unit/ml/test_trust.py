"""Which labels train: nobody's reports may take over, contradictions wait, and a source can be taken out again."""

import random

import pytest

from autoretrain.domain.messages import Label, LabelKind, LabelledMessage
from autoretrain.ml.trust import Exclusion, TrustedLabels, prior_weights, select_trusted

HAM, SPAM = Label.HAM, Label.SPAM
NONE = dict.fromkeys(Exclusion, 0)


def distinct(number):
    letters = "".join(chr(97 + int(digit)) for digit in str(number))
    return f"{letters}x {letters}y {letters}z"


def label(sequence, *, of=HAM, text=None, source="ann", kind=LabelKind.REPORT):
    return LabelledMessage(
        text=distinct(sequence) if text is None else text, label=of, source=source, kind=kind, sequence=sequence
    )


def campaign(n):
    return f"You won {n} pounds in our draw! Call 0900{n} before midnight to claim your prize"


def trusted(labels, *, share=1.0, base_rows=0):
    return select_trusted(labels, max_source_share=share, base_rows=base_rows)


def test_no_labels_are_no_rows():
    assert trusted([]) == TrustedLabels(rows=(), excluded=NONE, clusters=0)


def test_labels_that_nothing_speaks_against_all_train_in_the_order_of_arrival():
    labels = [label(n, source=f"s{n % 4}") for n in range(1, 30)]
    shuffled = random.Random(1).sample(labels, len(labels))
    assert trusted(shuffled) == TrustedLabels(rows=tuple(labels), excluded=NONE, clusters=29)


def test_the_latest_label_of_a_source_replaces_its_earlier_ones_for_the_same_message():
    labels = [label(1, text="Call me, please"), label(2, text="call  me, PLEASE", of=SPAM), label(3)]
    found = trusted(labels[::-1])
    assert found.rows == (labels[1], labels[2])
    assert found.excluded == {**NONE, Exclusion.SUPERSEDED: 1}


def test_two_sources_that_agree_on_a_message_both_count():
    labels = [label(1, text="call me"), label(2, text="call me", source="bob")]
    assert trusted(labels) == TrustedLabels(rows=tuple(labels), excluded=NONE, clusters=1)


def test_a_campaign_that_reporters_contradict_each_other_on_does_not_train_at_all():
    labels = [
        label(1, text=campaign(1), of=SPAM),
        label(2, text=campaign(2), of=HAM, source="bob"),
        label(3, text=campaign(3), of=SPAM, source="cem"),
        label(4),
    ]
    found = trusted(labels)
    assert found == TrustedLabels(rows=(labels[3],), excluded={**NONE, Exclusion.CONTRADICTED: 3}, clusters=1)


@pytest.mark.parametrize("kind", [LabelKind.AUDIT, LabelKind.IMPORT])
def test_the_operators_labels_overrule_reports_so_that_no_reporter_can_keep_a_campaign_out(kind):
    labels = [
        label(1, text=campaign(1), of=SPAM, source="desk", kind=kind),
        label(2, text=campaign(2), of=HAM, source="mallory"),
        label(3, text=campaign(3), of=SPAM),
    ]
    found = trusted(labels)
    assert found.rows == (labels[0], labels[2])
    assert found.excluded == {**NONE, Exclusion.OVERRULED: 1}


def test_operators_who_disagree_quarantine_the_campaign():
    labels = [
        label(1, text=campaign(1), of=SPAM, source="desk", kind=LabelKind.AUDIT),
        label(2, text=campaign(2), of=HAM, source="file", kind=LabelKind.IMPORT),
        label(3, text=campaign(3), of=SPAM),
    ]
    assert trusted(labels).excluded == {**NONE, Exclusion.CONTRADICTED: 3}


def test_three_copies_of_a_campaign_train_the_operators_before_the_newest():
    reports = [label(n, text=campaign(n), of=SPAM, source=f"s{n}") for n in range(2, 40)]
    audit = label(1, text=campaign(1), of=SPAM, source="desk", kind=LabelKind.AUDIT)
    found = trusted([audit, *reports])
    assert found == TrustedLabels(rows=(audit, *reports[-2:]), excluded={**NONE, Exclusion.COPIES: 36}, clusters=1)


def test_a_reporter_gives_at_most_its_share_of_all_training_rows_and_its_newest():
    loud = [label(n, source="loud") for n in range(1, 501)]
    others = [label(n, source=f"s{n % 20}") for n in range(501, 601)]
    found = trusted([*loud, *others], share=0.2, base_rows=300)
    # 100 of 100 + 100 + 300: one more would be more than a fifth.
    assert found.rows == (*loud[-100:], *others)
    assert found.excluded == {**NONE, Exclusion.SOURCE_SHARE: 400}


@pytest.mark.parametrize(("counts", "base_rows"), [((900, 40, 30), 0), ((50, 50, 50), 100), ((7,), 3), ((300, 299), 5)])
def test_the_share_holds_in_what_is_left_whatever_the_sources_send(counts, base_rows):
    labels = []
    for source, count in enumerate(counts):
        labels += [label(len(labels) + n + 1, source=f"s{source}") for n in range(count)]
    rows = trusted(labels, share=0.2, base_rows=base_rows).rows
    largest = max((sum(row.source == f"s{n}" for row in rows) for n in range(len(counts))), default=0)
    assert largest <= 0.2 * (len(rows) + base_rows)


@pytest.mark.parametrize("kind", [LabelKind.AUDIT, LabelKind.IMPORT])
def test_audit_and_imported_labels_are_not_capped(kind):
    labels = [label(n, source="desk", kind=kind) for n in range(1, 200)]
    assert len(trusted(labels, share=0.2).rows) == 199


def test_without_a_source_the_rows_are_those_that_would_have_been_without_it():
    """The other world is built apart: the same people send the same labels, and the store numbers them without gaps."""
    rng = random.Random(7)

    def world(*, with_mallory):
        labels = []
        for event, draw in enumerate(draws):
            source = ("ann", "bob", "desk", "mallory")[draw[0]]
            if source == "mallory" and not with_mallory:
                continue
            text = campaign(draw[1]) if draw[2] < 0.3 else distinct(event if draw[2] < 0.8 else draw[1])
            kind = LabelKind.AUDIT if source == "desk" else LabelKind.REPORT
            labels.append(
                LabelledMessage(
                    text=text,
                    label=SPAM if draw[3] < 0.4 else HAM,
                    source=source,
                    kind=kind,
                    sequence=len(labels) + 1,
                )
            )
        return labels

    draws = [(rng.randrange(4), rng.randrange(40), rng.random(), rng.random()) for _ in range(400)]

    def data_set(labels):
        return [
            (row.text, row.label, row.source)
            for row in select_trusted(labels, max_source_share=0.2, base_rows=100).rows
        ]

    dropped = [row for row in world(with_mallory=True) if row.source != "mallory"]
    assert data_set(dropped) == data_set(world(with_mallory=False))
    assert data_set(dropped) != [row for row in data_set(world(with_mallory=True)) if row[2] != "mallory"]


def test_weights_restore_the_share_of_spam_in_traffic():
    labels = [SPAM] * 40 + [HAM] * 60
    weights = prior_weights(labels, spam_share=0.15)
    assert sum(weights) == pytest.approx(100)
    assert sum(weights[:40]) == pytest.approx(15)
    assert len(set(weights[:40])) == len(set(weights[40:])) == 1


@pytest.mark.parametrize(("claimed", "restored"), [(0.0, 0.02), (0.001, 0.02), (0.9, 0.5), (1.0, 0.5)])
def test_an_estimate_outside_its_bounds_is_brought_within_them(claimed, restored):
    weights = prior_weights([SPAM] * 30 + [HAM] * 70, spam_share=claimed)
    assert sum(weights[:30]) == pytest.approx(100 * restored)


@pytest.mark.parametrize(("spam", "share"), [(2, 0.5), (98, 0.3)])
def test_no_row_weighs_more_than_five(spam, share):
    weights = prior_weights([SPAM] * spam + [HAM] * (100 - spam), spam_share=share)
    assert max(weights) == pytest.approx(5.0)
    assert sum(weights) == pytest.approx(100)


@pytest.mark.parametrize("labels", [[], [SPAM] * 3, [HAM] * 3])
def test_one_class_alone_weighs_one(labels):
    assert prior_weights(labels, spam_share=0.2) == [1.0] * len(labels)
