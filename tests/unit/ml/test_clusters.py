"""Copies of one campaign are found, and nothing else is taken for one."""

import random
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from autoretrain.ml.clusters import cap_per_cluster, cluster_ids

NAMES = ("Ann", "Bob", "Cem", "Dora", "Eva", "Finn", "Gus", "Hal")


def parcel(index: int) -> str:
    name = NAMES[index % len(NAMES)]
    return (
        f"Hi {name}, your parcel {7000 + index} is held at our depot because of an unpaid fee of £{index % 5}.99. "
        f"Pay today at https://post-{index}.example/{index} or it goes back to {NAMES[(index * 3) % len(NAMES)]}"
    )


def lottery(index: int) -> str:
    return f"WINNER!! You have been selected for a £{100 * index} cash prize. To claim call 0906170146{index} now"


def test_copies_that_differ_in_digits_links_names_and_case_share_a_cluster():
    texts = [parcel(0), lottery(1), parcel(1).upper(), "see you at eight then", lottery(2), parcel(2)]
    assert cluster_ids(texts) == [0, 1, 0, 2, 1, 0]


def test_short_replies_that_only_begin_alike_stay_apart():
    texts = ["call me now", "call me later", "i am home", "i am here", "ok", "ok lar", "no", "", "yes please"]
    assert cluster_ids(texts) == list(range(len(texts)))


def test_a_copy_that_was_cut_short_still_belongs_to_its_campaign():
    whole = parcel(3)
    assert cluster_ids([whole[: len(whole) * 2 // 3], whole]) == [0, 0]


def test_similarity_does_not_chain_from_one_message_to_the_next():
    words = [f"word{chr(97 + index)}" for index in range(16)]
    sliding = [" ".join(words[start : start + 8]) for start in range(6)]
    assert cluster_ids(sliding) == [0, 0, 1, 1, 2, 2]


def test_the_longest_form_leads_so_that_both_of_its_halves_belong_to_it():
    for campaign in "abcdefghij":
        words = [f"{campaign}{letter}" for letter in "abcdefghijkl"]
        whole, head, tail = " ".join(words), " ".join(words[:8]), " ".join(words[4:])
        assert cluster_ids([head, tail]) == [0, 1]
        assert cluster_ids([head, tail, whole]) == [0, 0, 0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="abc 1", max_size=25), max_size=12), st.randoms(use_true_random=False))
def test_which_messages_share_a_cluster_does_not_depend_on_their_order(texts, rng):
    order = list(range(len(texts)))
    rng.shuffle(order)
    before = cluster_ids(texts)
    shuffled = cluster_ids([texts[index] for index in order])
    after = {index: shuffled[position] for position, index in enumerate(order)}
    pairs = [(a, b) for a in range(len(texts)) for b in range(a)]
    assert [before[a] == before[b] for a, b in pairs] == [after[a] == after[b] for a, b in pairs]


def test_clusters_are_numbered_by_first_appearance():
    assert cluster_ids(["bye now", lottery(1), "bye now", lottery(5)]) == [0, 1, 0, 1]


def test_no_messages_have_no_clusters():
    assert cluster_ids([]) == []
    assert cap_per_cluster([]) == []


def test_the_first_rows_of_each_cluster_are_kept_in_order():
    assert cap_per_cluster([0, 1, 0, 0, 2, 0, 1, 0]) == [0, 1, 2, 3, 4, 6]
    assert cap_per_cluster([5, 5, 4], limit=1) == [0, 2]


def test_a_flood_of_one_campaign_costs_no_more_than_its_size():
    rng = random.Random(5)
    flood = [parcel(rng.randrange(10**6)) for _ in range(10_000)]
    started = time.process_time()
    assert set(cluster_ids(flood)) == {0}
    assert time.process_time() - started < 5


def test_hostile_texts_of_few_words_are_bounded_as_well():
    rng = random.Random(6)
    words = [f"w{letter}" for letter in "abcdefghijklmnop"]
    texts = [" ".join(rng.choices(words, k=rng.randint(3, 20))) for _ in range(1500)]
    started = time.process_time()
    cluster_ids(texts)
    assert time.process_time() - started < 5
