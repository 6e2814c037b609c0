"""Does the operator do its work, and what does it do?"""

from typing import Final

from scripts.dashboards.grafana import Dashboard, Panel, Variable
from scripts.dashboards.queries import CONDITION, OPERATORS, TOLD, decided, increase, quantile, rate

LEADER: Final = "autoretrain_controller_leader"
BOTH: Final = f"{OPERATORS},{TOLD}"
DURATION: Final = "autoretrain_controller_pass_duration_seconds"

STATE: Final = (
    Panel(
        "Leaders",
        "Operators that decide: one in each release.",
        {"leaders": f"sum({LEADER}{{{OPERATORS}}})"},
        kind="stat",
        width=4,
        alerts=["AutoRetrainNobodyLeads"],
    ),
    Panel(
        "Models",
        "SpamModels that it looks after.",
        {"models": f"sum(max by (namespace) (autoretrain_controller_models{{{OPERATORS}}}))"},
        kind="stat",
        width=4,
    ),
    Panel(
        "Last pass",
        "Time since a pass last went through.",
        {"ago": f"time() - max(autoretrain_controller_last_successful_pass_timestamp_seconds{{{OPERATORS}}})"},
        kind="stat",
        width=4,
        unit="s",
        bad_above=1800,
        alerts=["AutoRetrainNoPassGoesThrough"],
    ),
    Panel(
        "Runs in flight",
        "Training runs.",
        {"runs": f"sum(autoretrain_controller_active_runs{{{OPERATORS}}})"},
        kind="stat",
        width=4,
    ),
    Panel(
        "Failed runs",
        "Models whose last training run failed.",
        {"models": f"count(max by (spammodel) (autoretrain_controller_failed_runs{{{BOTH}}}) > 0) or vector(0)"},
        kind="stat",
        width=4,
        bad_above=0,
        alerts=["AutoRetrainTrainingFails"],
    ),
    Panel(
        "Rolled back",
        "Models that were rolled back within a day.",
        {"models": f"count(time() - {decided('ROLLBACK', BOTH)} < 86400) or vector(0)"},
        kind="stat",
        width=4,
        bad_above=0,
        alerts=["AutoRetrainRolledBack"],
    ),
)

WORK: Final = (
    Panel(
        "Passes",
        "Passes a second by how they ended.",
        {"{{result}}": rate("autoretrain_controller_passes_total", OPERATORS, by="result")},
        unit="ops",
        alerts=["AutoRetrainPassesFail"],
    ),
    Panel(
        "Time of a pass",
        "Which half, 95 % and 99 % of the passes don't exceed.",
        {
            "half": quantile(0.5, DURATION, OPERATORS),
            "95 %": quantile(0.95, DURATION, OPERATORS),
            "99 %": quantile(0.99, DURATION, OPERATORS),
        },
        unit="s",
    ),
    Panel(
        "Queue",
        "Models that are due and wait for a worker.",
        {"{{namespace}}": f"max by (namespace) (autoretrain_controller_queue_length{{{OPERATORS}}})"},
        alerts=["AutoRetrainNoPassGoesThrough"],
    ),
    Panel(
        "Calls of the API server",
        "Calls a second by verb. Passes at rest make none.",
        {"{{verb}}": rate("autoretrain_controller_api_calls_total", OPERATORS, by="verb")},
        unit="ops",
    ),
    Panel(
        "Actions",
        "What it carried out, and what it could not.",
        {"{{action}}, {{result}}": increase("autoretrain_controller_actions_total", OPERATORS, by="action, result")},
    ),
    Panel(
        "Decisions",
        "Decisions that changed a status.",
        {"{{decision}}": increase("autoretrain_controller_decisions_total", OPERATORS, by="decision")},
    ),
    Panel(
        "Alerts handed over",
        "Alerts by what became of them on their way to a monitor, which sends them.",
        {"{{outcome}}": increase("autoretrain_controller_alerts_total", OPERATORS, by="outcome")},
    ),
    Panel(
        "Upgrade",
        "Models by state in an upgrade of the operator. As many failed ones as may be rolled at once stop it.",
        {"{{state}}": f"sum by (state) (autoretrain_controller_upgrades{{{OPERATORS}}})"},
    ),
    Panel(
        "Conditions",
        "Models by condition, of those that are True.",
        {
            "{{condition}}": f"count by (condition) (max by (spammodel, condition) ({CONDITION}"
            f'{{{BOTH},status="True"}}))'
        },
    ),
)

OPERATOR: Final = Dashboard(
    name="controller",
    title="AutoRetrain / Operator",
    description="The operator: whether it works, and what it does.",
    variables=(
        # Not called `namespace`: the other dashboards have the models' in a variable of that name, and links keep it.
        Variable(name="operator", label="namespace", selector=LEADER),
        Variable(name="spammodel", label="spammodel", selector=f"{CONDITION}{{{OPERATORS}}}"),
    ),
    events={
        "Promoted": f"1000 * {decided('PROMOTE', BOTH)}",
        "Rolled back": f"1000 * {decided('ROLLBACK', BOTH)}",
    },
    rows={"State": STATE, "Work": WORK},
)
