"""The audit sample is labelled one message at a time, and the page says what that does to live accuracy."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from autoretrain.adapters.store.audit import ASK_LEASE
from autoretrain.app.label_queue import DrawnMessage
from autoretrain.dashboard.queries.label import Desk, labels_to_go, margin
from autoretrain.domain.errors import StoreUnavailable, UnknownPrediction
from autoretrain.domain.messages import Label
from autoretrain.ml.performance import wilson
from tests.unit.dashboard.world import NOW, page_of, prediction, put_champion

FIRST, SECOND = (DrawnMessage(prediction_id=name, text=f"message {name}") for name in ("1", "2"))


@dataclass
class Drawn:
    """A queue with messages in it."""

    waiting: list[DrawnMessage] = field(default_factory=lambda: [FIRST, SECOND])
    labels: list[tuple[str, Label]] = field(default_factory=list)
    refuses: Exception | None = None

    def draw(self):
        return self.waiting.pop(0) if self.waiting else None

    def explain_none(self):
        return "none"

    def answer(self, message, label):
        if self.refuses:
            raise self.refuses
        self.labels.append((message.prediction_id, label))


@pytest.fixture
def queue():
    return Drawn()


@pytest.fixture
def desk(queue):
    laid_out = Desk()
    laid_out.next(queue, now=NOW)
    return laid_out


def button(app, key):
    [found] = [each for each in app.button if each.key == key]
    return found


def test_one_message_is_handed_out_at_a_time(desk, queue):
    desk.next(queue, now=NOW + timedelta(minutes=1))
    assert (desk.message, queue.waiting) == (FIRST, [SECOND])
    desk.answer(queue, FIRST, Label.SPAM)
    desk.next(queue, now=NOW)
    assert (desk.message, queue.labels) == (SECOND, [("1", Label.SPAM)])


def test_a_second_press_for_the_same_message_labels_nothing(desk, queue):
    desk.answer(queue, FIRST, Label.SPAM)
    desk.next(queue, now=NOW)
    desk.answer(queue, FIRST, Label.SPAM)
    assert (desk.message, queue.labels) == (SECOND, [("1", Label.SPAM)])


def test_a_message_whose_time_is_over_is_not_kept_from_others(desk, queue):
    desk.next(queue, now=NOW + ASK_LEASE)
    assert desk.message == SECOND


def test_undo_lays_the_last_message_out_again_and_loses_none(desk, queue):
    desk.answer(queue, FIRST, Label.SPAM)
    desk.next(queue, now=NOW)
    desk.undo()
    assert (desk.message, desk.was) == (FIRST, Label.SPAM)
    desk.answer(queue, FIRST, Label.HAM)
    desk.next(queue, now=NOW)
    assert (desk.message, queue.labels) == (SECOND, [("1", Label.SPAM), ("1", Label.HAM)])


def test_a_second_press_of_undo_where_nothing_is_left_changes_nothing(desk, queue):
    desk.answer(queue, FIRST, Label.SPAM)
    desk.undo()
    desk.undo()
    assert (desk.message, desk.was) == (FIRST, Label.SPAM)


def test_what_is_skipped_gets_no_label(desk, queue):
    desk.skip()
    desk.next(queue, now=NOW)
    assert (desk.message, queue.labels) == (SECOND, [])


def test_a_message_stays_while_the_store_is_away_and_goes_where_it_was_deleted(desk, queue):
    queue.refuses = StoreUnavailable("the store is locked")
    desk.answer(queue, FIRST, Label.SPAM)
    assert (desk.message, desk.problem) == (FIRST, "the store is locked")
    queue.refuses = UnknownPrediction("1")
    desk.answer(queue, FIRST, Label.SPAM)
    assert (desk.message, desk.answered) == (None, [])


@pytest.mark.parametrize(("right", "labels"), [(96, 100), (50, 50), (900, 1000)])
def test_as_many_labels_as_are_said_to_go_make_the_margin(right, labels):
    share = right / labels
    more = labels_to_go(wilson(right, labels), labels)
    assert margin(wilson(share * (labels + more), labels + more)) <= 0.01
    assert margin(wilson(share * (labels + more - 2), labels + more - 2)) > 0.01


def test_labels_that_are_worth_half_as_much_must_be_twice_as_many():
    plain = labels_to_go(wilson(96, 100), 100) + 100
    assert labels_to_go(wilson(96, 100), 200) + 200 == pytest.approx(2 * plain, abs=2)


def test_where_the_margin_is_narrow_enough_nothing_is_to_go():
    assert labels_to_go(wilson(9990, 10000), 10000) == 0


def test_a_label_given_on_the_page_is_in_the_store_and_the_next_message_comes(settings, store):
    put_champion(store, settings)
    store.add_predictions([prediction(1), prediction(2)])
    app = page_of("label")
    button(app, "spam-p2").click().run()
    [labelled], waiting = store.audited(version="3", since=None)
    assert (labelled.text, labelled.label, waiting) == ("message number 2", Label.SPAM, 1)
    assert [text.value for text in app.text] == ["message number 1"]
    assert [source.source for source in store.sources()] == ["dashboard"]


def test_the_page_says_what_a_label_did_to_the_margin(settings, store):
    put_champion(store, settings)
    store.add_predictions([prediction(number) for number in range(3)])
    app = page_of("label")
    assert any("not known" in info.value for info in app.info)
    button(app, "ham-p2").click().run()
    button(app, "ham-p1").click().run()
    figures = {metric.label: metric for metric in app.metric}
    assert (figures["Live accuracy"].value, figures["Labelled"].value) == ("100.0%", "2")
    assert figures["Margin"].delta.startswith("-")


def test_keys_of_the_keyboard_answer(settings, store):
    put_champion(store, settings)
    store.add_predictions([prediction(1)])
    app = page_of("label")
    shortcuts = {each.label: each.proto.shortcut.upper() for each in app.button}
    assert shortcuts == {"Spam": "S", "Ham": "H", "Skip": "K", "Undo": "U"}


def test_a_message_to_label_is_shown_as_it_was_sent_and_never_drawn(settings, store):
    put_champion(store, settings)
    sent = "WIN $1000 or $500 ![](http://127.0.0.1/seen.png) *now*"
    store.add_predictions([replace(prediction(1), text=sent)])
    app = page_of("label")
    assert sent in [text.value for text in app.text]
    assert not any("seen.png" in drawn.value for drawn in app.markdown)


def test_what_the_model_said_is_not_on_the_page(settings, store):
    put_champion(store, settings)
    store.add_predictions([replace(prediction(1), label=Label.SPAM, score=0.987)])
    app = page_of("label")
    drawn = " ".join(str(element) for element in app.main)
    assert "0.987" not in drawn
    assert "98.7" not in drawn


def test_without_the_key_no_message_is_handed_out(settings, store, monkeypatch):
    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_KEY", "secret")
    put_champion(store, settings)
    store.add_predictions([prediction(1)])
    app = page_of("label")
    assert [text.value for text in app.text] == []
    assert store.handed_out(now=NOW) == (0, None)
