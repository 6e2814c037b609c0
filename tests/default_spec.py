"""What is the specification of a document that says where its data is and nothing more? Field by field, as promised."""

from autoretrain.domain.spec import (
    AlertsSpec,
    AlgorithmSpec,
    Approval,
    DataFormat,
    DataSpec,
    DriftTrigger,
    ExperimentMode,
    ExperimentSpec,
    FeedbackSpec,
    GuardSpec,
    MonitoringSpec,
    PerformanceTrigger,
    PromotionSpec,
    ScheduleTrigger,
    ServingSpec,
    SpamModelSpec,
    TrainingSpec,
    TriggerMode,
    TriggersSpec,
)


def default_spec() -> SpamModelSpec:
    """The defaults of the contract, for the document `VALID` of `spec_cases`."""
    return SpamModelSpec(
        suspend=False,
        data=DataSpec(
            url=None,
            path="messages.tsv",
            s3=None,
            sha256=None,
            format=DataFormat.TSV,
            text_field="text",
            label_field="label",
            label_map={"ham": "ham", "spam": "spam"},
        ),
        training=TrainingSpec(
            profile="WordAndCharacter",
            seed=0,
            algorithms=tuple(
                AlgorithmSpec(name=name, parameters={}) for name in ("NaiveBayes", "LogisticRegression", "LinearSVM")
            ),
            active_deadline_seconds=900,
            backoff_limit=1,
        ),
        serving=ServingSpec(
            pinned_version="",
            experiment=ExperimentSpec(mode=ExperimentMode.DISABLED, version="", percent=0),
        ),
        registered_model_name="",
        monitoring=MonitoringSpec(
            interval_seconds=60, window_size=500, min_samples=200, max_age_seconds=86400, audit_rate=0.01
        ),
        triggers=TriggersSpec(
            drift=DriftTrigger(mode=TriggerMode.ACT, threshold=0.15, clear_threshold=0.1, consecutive_breaches=2),
            performance=PerformanceTrigger(
                mode=TriggerMode.ACT, min_accuracy=0.93, min_spam_recall=0.8, min_f1=None, min_labels=100
            ),
            schedule=ScheduleTrigger(
                mode=TriggerMode.ACT, cron="0 3 * * 1", time_zone="Etc/UTC", starting_deadline_seconds=3600
            ),
            cooldown_seconds=3600,
            max_runs_per_day=4,
            min_new_labels=100,
            min_new_spam_labels=15,
            breaker_max_consecutive=3,
        ),
        promotion=PromotionSpec(
            approval=Approval.AUTOMATIC,
            min_accuracy=0.95,
            min_f1=0.9,
            min_accuracy_gain=0.01,
            min_f1_gain=0.02,
            max_accuracy_loss=0.005,
            max_ham_false_positive_increase=0.003,
            min_evaluation_rows=150,
            min_evaluation_spam=20,
            alpha=0.05,
        ),
        guard=GuardSpec(
            duration_seconds=1800,
            min_messages=500,
            max_duration_seconds=86400,
            max_spam_share=0.6,
            max_spam_share_delta=0.05,
            max_score_shift=0.1,
            max_disagreement_delta=0.05,
            max_error_ratio=0.01,
            max_latency_ratio=2.0,
        ),
        feedback=FeedbackSpec(max_source_share=0.2, retention_seconds=7776000),
        alerts=AlertsSpec(
            on=frozenset(
                {
                    *("Retraining", "Promoted", "Held", "Rejected", "RolledBack", "Degraded"),
                    *("DriftDetected", "PerformanceLow", "NoNewData"),
                }
            )
        ),
    )
