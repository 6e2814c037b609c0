"""PromQL that several panels share. `$namespace` and `$spammodel` are what a person picked."""

from collections.abc import Sequence
from typing import Final

from scripts.dashboards.grafana import Variable

OURS: Final = 'namespace=~"$namespace",spammodel=~"$spammodel"'
"""Series of serving and of the monitor, which are in the namespace of the SpamModel."""
TOLD: Final = 'spammodel=~"$spammodel"'
"""What the operator says of a model; it does so in its own namespace."""
OPERATORS: Final = 'namespace=~"$operator"'
"""Series of the operator, in a namespace that was picked on its own dashboard."""
MEASURED: Final = "autoretrain_evidence_timestamp_seconds"
LATENCY: Final = "autoretrain_prediction_duration_seconds"
CONDITION: Final = "autoretrain_controller_condition_info"


def rate(metric: str, labels: str = OURS, *, by: str) -> str:
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval]))"


def increase(metric: str, labels: str = OURS, *, by: str) -> str:
    return f"sum by ({by}) (increase({metric}{{{labels}}}[$__rate_interval]))"


def quantile(share: float, histogram: str, labels: str = OURS, *, by: str = "") -> str:
    buckets = rate(f"{histogram}_bucket", labels, by=", ".join(filter(None, (by, "le"))))
    return f"histogram_quantile({share}, {buckets})"


def error_ratio(*, by: str) -> str:
    errors = rate("autoretrain_prediction_errors_total", by=by)
    return f"{errors} / ({rate('autoretrain_predictions_total', by=by)} + {errors})"


def newest(metric: str, labels: str = "", *, by: str) -> str:
    """A gauge of the monitor, of the version that is served: it goes on to show those before it."""
    series = f"{metric}{{{','.join(filter(None, (OURS, labels)))}}}"
    served = f'autoretrain_model_info{{{OURS},role="champion"}}'
    return f"max by ({by}) ({series} and on (namespace, spammodel, model_version) {served})"


def evidence(family: str, labels: str, *, by: str) -> str:
    return f"max by ({by}) (autoretrain_evidence_{family}{{{OURS},{labels}}})"


def live(quantity: str, *, by: str) -> str:
    """A figure from all audit labels."""
    return evidence("live", f'window="overall",quantity="{quantity}"', by=by)


def models_with(condition: str, labels: str = TOLD) -> str:
    """How many models have a condition: labels of CONDITION; 0 where none has."""
    return f"count(max by (spammodel) ({CONDITION}{{{labels},{condition}}})) or vector(0)"


def decided(decision: str, labels: str = TOLD) -> str:
    """When a model's last decision of that kind was made, in seconds since 1970."""
    told = f'autoretrain_controller_last_decision_timestamp_seconds{{{labels},decision="{decision}"}}'
    return f"max by (spammodel) ({told})"


EVENTS: Final = {"Promoted": f"1000 * {decided('PROMOTE')}", "Rolled back": f"1000 * {decided('ROLLBACK')}"}


def of_models(*, several: bool) -> Sequence[Variable]:
    return (
        Variable(name="namespace", label="namespace", selector=MEASURED),
        Variable(
            name="spammodel", label="spammodel", selector=f'{MEASURED}{{namespace=~"$namespace"}}', several=several
        ),
    )
