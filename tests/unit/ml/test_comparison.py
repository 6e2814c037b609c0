"""Paired figures on the same rows, and which rows may be judged on."""

from datetime import UTC, datetime, timedelta

import pytest
from scipy.stats import binomtest

from autoretrain.domain.messages import Label, LabelKind, LabelledMessage
from autoretrain.domain.training import ExpectedLive
from autoretrain.ml.comparison import compare, expect_live, f1_gain_low, mcnemar, split_recent
from autoretrain.ml.evaluation import evaluate
from autoretrain.ml.splits import in_holdout

START = datetime(2026, 11, 1, tzinfo=UTC)
HAM, SPAM = Label.HAM, Label.SPAM


def distinct(number):
    """A message that shares no pair of words with the others."""
    letters = "".join(chr(97 + int(digit)) for digit in str(number))
    return f"{letters}x {letters}y {letters}z"


TRAINABLE = [text for text in map(distinct, range(3000)) if not in_holdout(text)]
HELD_OUT = [text for text in map(distinct, range(3000)) if in_holdout(text)]


def message(number, label=HAM, text=None, at=True):
    return LabelledMessage(
        text=TRAINABLE[number] if text is None else text,
        label=label,
        predicted_at=START + timedelta(minutes=number) if at else None,
        source="desk",
        kind=LabelKind.AUDIT,
        sequence=number + 1,
    )


def compared(rows, ours, theirs, *, seed=0):
    """Scores given as labels: s or h a row."""

    def scores(letters):
        return [0.9 if letter == "s" else 0.1 for letter in letters]

    return compare(rows, scores(ours), scores(theirs), candidate_threshold=0.5, champion_threshold=0.5, seed=seed)


def test_the_comparison_counts_what_was_fixed_and_what_was_broken():
    rows = [message(n, SPAM if n < 20 else HAM) for n in range(100)]
    ours, theirs = "s" * 19 + "h" + "s" + "h" * 79, "s" * 10 + "h" * 90
    found = compared(rows, ours, theirs)
    labels = [row.label for row in rows]
    as_labels = {"s": SPAM, "h": HAM}
    assert (found.rows, found.spam_rows, found.clusters) == (100, 20, 100)
    assert (found.fixed, found.broken) == (9, 1)
    assert found.p_value == binomtest(9, 10, 0.5, alternative="greater").pvalue
    assert found.candidate == evaluate(
        labels, [as_labels[letter] for letter in ours], scores=[0.9 if letter == "s" else 0.1 for letter in ours]
    )
    assert found.accuracy_gain == pytest.approx(0.98 - 0.90)
    assert found.f1_gain == pytest.approx(2 * 19 / (2 * 19 + 2) - 2 * 10 / (2 * 10 + 10))
    assert 0 < found.f1_gain_low < found.f1_gain
    assert found.ham_false_positive_increase == pytest.approx(1 / 80)
    assert found.largest_cluster_share == pytest.approx(1 / 9)


def test_each_model_is_read_at_its_own_threshold_and_the_threshold_itself_is_spam():
    rows = [message(0, SPAM), message(1)]
    found = compare(rows, [0.3, 0.29], [0.3, 0.29], candidate_threshold=0.3, champion_threshold=0.31, seed=0)
    assert (found.candidate.accuracy, found.champion.accuracy, found.fixed) == (1.0, 0.5, 1)


def test_a_campaign_counts_three_rows_and_its_share_of_the_gain_is_told():
    campaign = [
        message(n, SPAM, text=f"You won {n} pounds in our draw! Call 0900{n} before midnight to claim your prize")
        for n in range(40)
    ]
    others = [message(n, SPAM if n == 50 else HAM) for n in range(50, 150)]
    found = compared([*campaign, *others], "s" * 41 + "h" * 99, "h" * 140)
    assert (found.rows, found.spam_rows, found.clusters, found.fixed) == (103, 4, 101, 4)
    assert found.largest_cluster_share == 0.75
    # Forty copies would be overwhelming evidence; three and one other are not.
    assert found.p_value == 1 / 16


def test_copies_are_drawn_together_by_the_bootstrap():
    triples = [(SPAM, SPAM, HAM)] * 9 + [(SPAM, SPAM, SPAM)] * 9 + [(HAM, HAM, HAM)] * 50
    alone = list(range(68))
    in_threes = [n // 3 for n in range(18)] + list(range(18, 68))
    assert 0 <= f1_gain_low(triples, in_threes, seed=1) < f1_gain_low(triples, alone, seed=1)
    # Every row of a cluster counts, not one of them: a third of each of these clusters was fixed.
    one_of_three = [(SPAM, SPAM, HAM), (SPAM, SPAM, SPAM), (SPAM, SPAM, SPAM)] * 6
    assert f1_gain_low(one_of_three, [n // 3 for n in range(18)], seed=1) == pytest.approx(0.2)


def test_equal_answers_are_no_gain_at_all():
    rows = [message(n, SPAM if n < 20 else HAM) for n in range(60)]
    found = compared(rows, "s" * 15 + "h" * 45, "s" * 15 + "h" * 45)
    assert (found.p_value, found.accuracy_gain, found.f1_gain, found.f1_gain_low) == (1.0, 0.0, 0.0, 0.0)
    assert (found.fixed, found.broken, found.largest_cluster_share) == (0, 0, 0.0)


def test_the_same_seed_gives_the_same_figures():
    rows = [message(n, SPAM if n < 20 else HAM) for n in range(60)]
    ours, theirs = "s" * 18 + "h" * 42, "s" * 10 + "h" * 50
    assert compared(rows, ours, theirs, seed=4) == compared(rows, ours, theirs, seed=4)


def test_rows_of_one_class_are_compared_too():
    found = compared([message(n) for n in range(30)], "h" * 30, "s" * 4 + "h" * 26)
    assert (found.spam_rows, found.fixed, found.f1_gain, found.f1_gain_low) == (0, 4, 0.0, 0.0)


@pytest.mark.parametrize(("rows", "ours", "theirs"), [(0, "", ""), (2, "s", "ss"), (2, "ss", "s")])
def test_scores_that_do_not_belong_to_the_rows_are_refused(rows, ours, theirs):
    with pytest.raises(ValueError, match=r"rows, \d+ candidate scores"):
        compared([message(n) for n in range(rows)], ours, theirs)


@pytest.mark.parametrize(
    ("fixed", "broken", "significant"),
    [(0, 0, False), (4, 0, False), (5, 0, True), (8, 2, False), (9, 2, True), (12, 5, False), (13, 5, True)],
)
def test_the_exact_test_needs_so_many_fixes(fixed, broken, significant):
    assert (mcnemar(fixed, broken) <= 0.05) is significant


def test_what_to_expect_of_live_traffic_is_what_the_candidate_said():
    found = expect_live(
        [0.0, 0.05, 0.55, 0.95, 1.0], [0.0, 0.5, 0.1, 0.9, 0.1], candidate_threshold=0.6, champion_threshold=0.5
    )
    assert found == ExpectedLive(
        messages=5,
        spam_share=0.4,
        score_histogram=(0.4, 0.0, 0.0, 0.0, 0.0, 0.2, 0.0, 0.0, 0.0, 0.4),
        disagreement=0.4,
    )


def test_copies_are_capped_in_what_is_expected():
    texts = [f"Claim your {n} pounds at win{n}.example right now" for n in range(7)] + ["hello there", "see you soon"]
    found = expect_live([0.9] * 7 + [0.1] * 2, [0.1] * 9, candidate_threshold=0.5, champion_threshold=0.5, texts=texts)
    assert (found.messages, found.spam_share, found.disagreement) == (5, 0.6, 0.6)


def test_nothing_is_expected_of_an_empty_window():
    with pytest.raises(ValueError, match="without messages"):
        expect_live([], [], candidate_threshold=0.5, champion_threshold=0.5)


def test_the_newest_two_fifths_judge_and_the_rest_trains():
    rows = [message(n, SPAM if n % 5 == 0 else HAM) for n in range(1000)]
    split = split_recent(rows[::-1], min_rows=150, min_spam=20)
    assert split.training == tuple(rows[:600])
    assert split.evaluation == tuple(rows[600:])
    assert (split.cutoff, split.enough) == (rows[599].predicted_at, True)


def test_the_share_grows_to_reach_the_minima_where_they_can_be_met():
    rows = [message(n, SPAM if n % 5 == 0 else HAM) for n in range(330)]
    assert len(split_recent(rows, min_rows=150, min_spam=20).evaluation) == 150
    rare = [message(n, SPAM if n % 25 == 0 else HAM) for n in range(1000)]
    assert len(split_recent(rare, min_rows=150, min_spam=20).evaluation) == 500
    few = split_recent(rows[:100], min_rows=150, min_spam=20)
    assert (len(few.training), len(few.evaluation), few.enough) == (60, 40, False)


def test_of_a_change_most_is_learnt_and_the_rest_judges_however_much_came_before():
    rows = [message(n, SPAM if n % 5 == 0 else HAM) for n in range(1000)]
    split = split_recent(rows, min_rows=150, min_spam=20, changed_at=rows[500].predicted_at)
    assert (split.training, split.evaluation) == (tuple(rows[:800]), tuple(rows[800:]))
    short = split_recent(rows, min_rows=150, min_spam=20, changed_at=rows[740].predicted_at)
    assert (short.training, short.evaluation) == (tuple(rows[:850]), tuple(rows[850:]))


def test_a_flood_of_copies_does_not_fill_the_minima():
    flood = [message(n, SPAM, text=f"You won {n} pounds, call 0900{n} to claim your prize") for n in range(700, 900)]
    split = split_recent([*(message(n) for n in range(700)), *flood], min_rows=150, min_spam=20)
    assert len(split.evaluation) >= 360
    assert not split.enough


def test_rows_are_judged_on_only_after_the_cut_off_of_both_models():
    rows = [message(n, SPAM if n % 5 == 0 else HAM) for n in range(1000)]
    known = split_recent(rows, min_rows=150, min_spam=20, after=rows[899].predicted_at)
    assert (known.training, known.evaluation) == (tuple(rows[:900]), tuple(rows[900:]))
    assert (known.cutoff, known.enough) == (rows[899].predicted_at, False)
    newer = split_recent(rows, min_rows=150, min_spam=20, after=rows[200].predicted_at)
    assert (newer.training, newer.evaluation) == (tuple(rows[:680]), tuple(rows[680:]))


def test_rows_of_one_moment_stay_on_one_side():
    rows = [message(n) for n in range(100)]
    tied = [LabelledMessage(text=row.text, label=HAM, predicted_at=START) for row in rows[:70]] + rows[70:]
    split = split_recent(tied, min_rows=10, min_spam=0)
    assert split.evaluation == tuple(rows[70:])


def test_rows_without_a_time_train_and_never_judge():
    imported = [message(n, at=False) for n in range(50)]
    split = split_recent(imported, min_rows=10, min_spam=1)
    assert (split.training, split.evaluation, split.cutoff, split.enough) == (tuple(imported), (), None, False)


def test_what_hashes_into_the_frozen_holdout_never_trains_but_judges():
    held = [message(n, text=HELD_OUT[n]) for n in range(0, 100, 2)]
    free = [message(n) for n in range(1, 100, 2)]
    split = split_recent([*held, *free], min_rows=10, min_spam=0)
    assert split.training == tuple(free[:30])
    assert set(split.evaluation) == {*held[30:], *free[30:]}


def test_a_message_that_was_trained_on_is_not_judged_on():
    rows = [message(n) for n in range(100)]
    repeated = message(95, text=f"  {rows[3].text.upper()} ")
    known = message(96, text=TRAINABLE[500])
    split = split_recent(
        [*rows[:95], repeated, known, *rows[97:]],
        min_rows=10,
        min_spam=0,
        base=[LabelledMessage(text=TRAINABLE[500], label=HAM)],
    )
    assert split.training == tuple(rows[:60])
    assert split.evaluation == (*rows[60:95], *rows[97:])


def test_a_campaign_under_way_stays_in_training_and_its_next_variant_judges():
    def variant(n):
        return message(n, SPAM, text=f"You won {n} pounds in our draw! Call 0900{n} tonight to claim your prize")

    campaign = {n: variant(n) for n in range(0, 100, 10) if not in_holdout(variant(n).text)}
    rows = [campaign.get(n, message(n)) for n in range(100)]
    split = split_recent(rows, min_rows=10, min_spam=1)
    assert any(row in split.training for row in campaign.values())
    assert any(row in split.evaluation for row in campaign.values())


def test_no_labels_give_nothing_to_train_or_judge_on():
    split = split_recent([], min_rows=150, min_spam=20)
    assert (split.training, split.evaluation, split.cutoff, split.enough) == ((), (), None, False)
