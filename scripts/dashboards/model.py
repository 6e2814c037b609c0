"""Is one model well: what it serves, how fast, on what traffic, how rightly, and what it learns from?"""

from typing import Final

from scripts.dashboards.grafana import Dashboard, Panel
from scripts.dashboards.queries import (
    CONDITION,
    EVENTS,
    LATENCY,
    MEASURED,
    OURS,
    TOLD,
    decided,
    error_ratio,
    evidence,
    increase,
    live,
    newest,
    of_models,
    quantile,
    rate,
)

STATE: Final = (
    Panel(
        "Champion",
        "The version that is served. Two are shown while one takes the other's place.",
        {"{{model_version}}": f'max by (model_version) (autoretrain_model_info{{{OURS},role="champion"}})'},
        kind="stat",
        width=4,
        names=True,
    ),
    Panel(
        "Promoted",
        "When a version was last promoted.",
        {"promoted": f"1000 * {decided('PROMOTE')}"},
        kind="stat",
        width=4,
        unit="dateTimeFromNow",
    ),
    Panel(
        "Rolled back",
        "When a version was last taken back, if the status still remembers it.",
        {"rolled back": f"1000 * {decided('ROLLBACK')}"},
        kind="stat",
        width=4,
        unit="dateTimeFromNow",
        alerts=["AutoRetrainRolledBack"],
    ),
    Panel(
        "Failed runs",
        "Training runs that failed in a row; 0 after one that ended well.",
        {"failed": f"max by (spammodel) (autoretrain_controller_failed_runs{{{TOLD}}})"},
        kind="stat",
        width=4,
        bad_above=0,
        alerts=["AutoRetrainTrainingFails"],
    ),
    Panel(
        "Age of evidence",
        "Time since the monitor measured. Older than three intervals and a minute, nothing is decided on it.",
        {"age": f"time() - max({MEASURED}{{{OURS}}})"},
        kind="stat",
        width=4,
        unit="s",
        alerts=["AutoRetrainEvidenceMissing"],
    ),
    Panel(
        "Not ready",
        "1 while the champion is not served by all replicas, as during a rollout.",
        {"not ready": f'count({CONDITION}{{{TOLD},condition="Ready",status!="True"}}) or vector(0)'},
        kind="stat",
        width=4,
        bad_above=0,
        alerts=["AutoRetrainModelNotReady"],
    ),
    Panel(
        "Conditions",
        "What its status says, with the reason: docs/reference/reasons.md has each.",
        {"": f"max by (condition, status, reason) ({CONDITION}{{{TOLD}}})"},
        kind="table",
        width=12,
    ),
    Panel(
        "Concerns",
        "What people were told and still holds, as new labels that are needed. Empty: nothing.",
        {"": f"max by (event, reason) (autoretrain_controller_notice_info{{{TOLD}}})"},
        kind="table",
        width=12,
        alerts=["AutoRetrainLiveQualityLow"],
    ),
)

TRAFFIC: Final = (
    Panel(
        "Messages",
        "Answered messages a second, by the label that they were given.",
        {"{{label}}": rate("autoretrain_predictions_total", by="label")},
        unit="reqps",
    ),
    Panel(
        "Versions",
        "Answered messages a second, by the version that answered.",
        {"{{model_version}}": rate("autoretrain_predictions_total", by="model_version")},
        unit="reqps",
    ),
    Panel(
        "Server errors",
        "Share of messages that ended in a server error. The budget of a month is 0.1 %.",
        {"{{model_version}}": error_ratio(by="model_version")},
        unit="percentunit",
        alerts=["AutoRetrainErrorBudgetBurnsFast", "AutoRetrainErrorBudgetBurns"],
    ),
    Panel(
        "Latency",
        "Time to score and answer, which so many of the messages don't exceed.",
        {
            "half": quantile(0.5, LATENCY),
            "95 %": quantile(0.95, LATENCY),
            "99 %": quantile(0.99, LATENCY),
        },
        unit="s",
    ),
    Panel(
        "Waiting to be stored",
        "Predictions in the queues of all Pods. A queue that is full drops what comes.",
        {"waiting": f"sum(autoretrain_prediction_queue_messages{{{OURS}}})"},
        alerts=["AutoRetrainPredictionsDropped"],
    ),
    Panel(
        "Not stored",
        "Predictions that were answered and lost to drift, audit and labels, a second, by reason.",
        {"{{reason}}": rate("autoretrain_predictions_dropped_total", by="reason")},
        unit="reqps",
        alerts=["AutoRetrainPredictionsDropped"],
    ),
)

DRIFT: Final = (
    Panel(
        "Drift",
        "Calibrated score of the last window: 0.15 is as rare as one window in 200 without drift. The threshold is "
        "triggers.drift.threshold of its document.",
        {"{{metric}}": newest("autoretrain_drift_ratio", by="metric")},
        alerts=["AutoRetrainDriftNotActedOn"],
    ),
    Panel(
        "Noise floor",
        "What each raw metric reaches without drift, at the size of that window.",
        {"{{metric}}": newest("autoretrain_drift_noise_floor_ratio", by="metric")},
    ),
    Panel(
        "Windows",
        "Messages in the last window, and in the one that fills.",
        {
            "last": newest("autoretrain_window_messages", by="spammodel"),
            "open": f"max(autoretrain_evidence_pending_messages{{{OURS}}})",
        },
    ),
)

QUALITY: Final = (
    Panel(
        "Live accuracy",
        "From audit labels of the champion, with the interval in which it surely lies.",
        {
            "accuracy": live("accuracy_value", by="spammodel"),
            "at least": live("accuracy_low", by="spammodel"),
            "at most": live("accuracy_high", by="spammodel"),
        },
        unit="percentunit",
        alerts=["AutoRetrainLiveQualityLow"],
    ),
    Panel(
        "Live recall and F1 of spam",
        "From the same labels. Nothing is shown while none of them is spam.",
        {
            "recall": live("spam_recall_value", by="spammodel"),
            "F1": live("f1_value", by="spammodel"),
        },
        unit="percentunit",
        alerts=["AutoRetrainLiveQualityLow"],
    ),
    Panel(
        "Labels",
        "Audit labels behind these figures, and labels that a run could learn from.",
        {
            "audit": newest("autoretrain_live_labels", by="spammodel"),
            "new": evidence("supply", 'quantity="new_labels"', by="spammodel"),
            "new, spam": evidence("supply", 'quantity="new_spam_labels"', by="spammodel"),
        },
    ),
    Panel(
        "Labels that came",
        "Labels kept, by who sent them.",
        {"{{source}}": increase("autoretrain_labels_total", by="source")},
    ),
    Panel(
        "Guard",
        "How a fresh champion differs from what was expected of it. There only while it is watched.",
        {
            "share of spam": evidence("guard", 'quantity="spam_share_value"', by="spammodel"),
            "disagreement": evidence("guard", 'quantity="disagreement_value"', by="spammodel"),
            "shift of scores": evidence("guard", 'quantity="score_shift"', by="spammodel"),
        },
        unit="percentunit",
        alerts=["AutoRetrainRolledBack"],
    ),
    Panel(
        "Alerts sent",
        "What became of the alerts, by the kind of service.",
        {"{{channel}}, {{outcome}}": increase("autoretrain_alerts_total", by="channel, outcome")},
    ),
)

MODEL: Final = Dashboard(
    name="model",
    title="AutoRetrain / Model",
    description="One SpamModel: state, traffic, drift, live quality, labels.",
    variables=of_models(several=False),
    events=EVENTS,
    rows={"State": STATE, "Traffic": TRAFFIC, "Drift": DRIFT, "Quality and labels": QUALITY},
)
