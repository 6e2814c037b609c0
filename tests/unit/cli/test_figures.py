"""What the terminal shows of live quality, and of what could not be measured."""

from autoretrain.cli.check import live_lines
from autoretrain.cli.inspect import render_status
from autoretrain.domain.status import PerformanceStatus, Status
from tests.unit.decide.builders import but, label_window, performance


def test_what_needs_spam_is_not_measured_where_no_label_is_spam():
    [line] = live_lines(performance(but(label_window(), spam_recall=None, f1=None)))
    assert line == (
        "live accuracy 0.980 [0.970, 0.990], spam recall not measured (no label is spam), "
        "F1 not measured (no label is spam), 200 labels, 90% of the audit sample labelled"
    )
    status = Status(performance=PerformanceStatus(accuracy=0.98, spam_recall=None, f1=None, labels=200))
    assert "accuracy 0.980, spam recall not measured, 200 labels" in render_status("default.sms", status)


def test_without_a_label_that_counts_it_says_of_which_version_and_since_when():
    assert live_lines(but(performance(), labels=0, overall=None)) == [
        "live accuracy: no audit label of v3 since its promotion (label some: autoretrain label)"
    ]


def test_without_a_champion_there_is_no_live_accuracy():
    assert live_lines(None) == ["live accuracy: not measured"]
