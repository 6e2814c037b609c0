"""Who needs a person, and how do the models compare?"""

from typing import Final

from scripts.dashboards.grafana import Dashboard, Panel
from scripts.dashboards.queries import (
    EVENTS,
    LATENCY,
    OURS,
    decided,
    error_ratio,
    live,
    models_with,
    newest,
    of_models,
    quantile,
    rate,
)

AT_A_GLANCE: Final = (
    Panel(
        "Ready",
        "Models whose champion is served by all replicas.",
        {"ready": models_with('condition="Ready",status="True"')},
        kind="stat",
        width=4,
    ),
    Panel(
        "Not ready",
        "Models whose condition Ready is False or Unknown. During a rollout it is False.",
        {"not ready": models_with('condition="Ready",status!="True"')},
        kind="stat",
        width=4,
        bad_above=0,
        alerts=["AutoRetrainModelNotReady"],
    ),
    Panel(
        "Drifted",
        "Models with drift above the threshold of their document, in as many windows as it asks for.",
        {"drifted": models_with('condition="DriftDetected",status="True"')},
        kind="stat",
        width=4,
        bad_above=0,
        alerts=["AutoRetrainDriftNotActedOn"],
    ),
    Panel(
        "Without evidence",
        "Models of which drift, labels or serving can't be read. Nothing is decided meanwhile.",
        {"without": models_with('condition="MetricsAvailable",status!="True",reason="EvidenceMissing"')},
        kind="stat",
        width=4,
        bad_above=0,
        alerts=["AutoRetrainEvidenceMissing"],
    ),
    Panel(
        "Training",
        "Models with a run in flight.",
        {"training": models_with('condition="Retraining",status="True"')},
        kind="stat",
        width=4,
    ),
    Panel(
        "Alerts",
        "Alerts of AutoRetrain that fire, by the rules that this Prometheus has.",
        {"firing": 'count(ALERTS{alertname=~"AutoRetrain.+",alertstate="firing"}) or vector(0)'},
        kind="stat",
        width=4,
        bad_above=0,
    ),
    Panel(
        "Models",
        "What each model serves, and how well. Live accuracy is from audit labels: without any it is empty.",
        {
            "": f'max by (spammodel, version) (autoretrain_model_info{{{OURS},role="champion"}})',
            "Messages": rate("autoretrain_predictions_total", by="spammodel"),
            "Server errors": error_ratio(by="spammodel"),
            "p95": quantile(0.95, LATENCY, by="spammodel"),
            "Drift": newest("autoretrain_drift_ratio", 'metric="overall"', by="spammodel"),
            "Live accuracy": live("accuracy_value", by="spammodel"),
            "Promoted": f"1000 * {decided('PROMOTE')}",
        },
        kind="table",
        width=24,
        columns={
            "Messages": "reqps",
            "Server errors": "percentunit",
            "p95": "s",
            "Live accuracy": "percentunit",
            "Promoted": "dateTimeFromNow",
        },
    ),
)

COMPARED: Final = (
    Panel(
        "Messages",
        "Answered messages a second.",
        {"{{spammodel}}": rate("autoretrain_predictions_total", by="spammodel")},
        unit="reqps",
    ),
    Panel(
        "Server errors",
        "Share of messages that ended in a server error. The budget of a month is 0.1 %.",
        {"{{spammodel}}": error_ratio(by="spammodel")},
        unit="percentunit",
        alerts=["AutoRetrainErrorBudgetBurnsFast", "AutoRetrainErrorBudgetBurns"],
    ),
    Panel(
        "Latency, p95",
        "Time to score and answer, which 95 % of messages don't exceed.",
        {"{{spammodel}}": quantile(0.95, LATENCY, by="spammodel")},
        unit="s",
    ),
    Panel(
        "Drift",
        "Calibrated score of the last window: 0.15 is as rare as one window in 200 without drift.",
        {"{{spammodel}}": newest("autoretrain_drift_ratio", 'metric="overall"', by="spammodel")},
        alerts=["AutoRetrainDriftNotActedOn"],
    ),
    Panel(
        "Live accuracy",
        "From audit labels of the champion, weighted by how likely each message was to be drawn.",
        {"{{spammodel}}": live("accuracy_value", by="spammodel")},
        unit="percentunit",
        alerts=["AutoRetrainLiveQualityLow"],
    ),
    Panel(
        "Predictions not stored",
        "Answered, and lost to drift, audit and labels: a second.",
        {"{{spammodel}}": rate("autoretrain_predictions_dropped_total", by="spammodel")},
        unit="reqps",
        alerts=["AutoRetrainPredictionsDropped"],
    ),
)

FLEET: Final = Dashboard(
    name="fleet",
    title="AutoRetrain / Fleet",
    description="All SpamModels: who needs a person, and how they compare.",
    variables=of_models(several=True),
    events=EVENTS,
    rows={"At a glance": AT_A_GLANCE, "Side by side": COMPARED},
)
