"""What the monitor exports, and that nothing unmeasured looks measured."""

import math

from autoretrain.app.monitor import MonitorMetrics
from tests.unit.decide.builders import but, label_window, performance

LABELS = {"spammodel": "default.sms", "model_version": "v3"}


def test_live_figures_are_exported_with_the_labels_behind_them():
    metrics = MonitorMetrics()
    metrics.show_performance("default.sms", performance(), now=100.0)
    exported = {
        name: metrics.registry.get_sample_value(f"autoretrain_live_{name}", LABELS)
        for name in ("accuracy_ratio", "f1_ratio", "labels", "measured_timestamp_seconds")
    }
    assert exported == {"accuracy_ratio": 0.98, "f1_ratio": 0.94, "labels": 200, "measured_timestamp_seconds": 100}


def test_f1_of_earlier_does_not_stand_where_no_label_is_spam():
    metrics = MonitorMetrics()
    metrics.show_performance("default.sms", performance(), now=100.0)
    no_spam = performance(but(label_window(), spam_recall=None, f1=None))
    metrics.show_performance("default.sms", no_spam, now=160.0)
    assert math.isnan(metrics.registry.get_sample_value("autoretrain_live_f1_ratio", LABELS))
    assert metrics.registry.get_sample_value("autoretrain_live_accuracy_ratio", LABELS) == 0.98
