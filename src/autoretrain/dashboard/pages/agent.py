"""What the agent advised, what the rules did, and how often they agree."""

import pandas as pd
import streamlit as st

from autoretrain.dashboard.drawing import plain
from autoretrain.dashboard.frame import REFRESH_SECONDS, Visit, part, visit
from autoretrain.dashboard.queries import agent as queries
from autoretrain.dashboard.queries.agent import Advised
from autoretrain.domain.advice import AdviceTotals
from autoretrain.domain.spec import AgentSpec, TriggerMode

MODES = {
    TriggerMode.ACT: "What it advises counts as a trigger does, where the rules allow it.",
    TriggerMode.ADVISE: "What it advises is written down and does nothing.",
    TriggerMode.DISABLED: "It is not asked now.",
}
SWITCH_ON = """\
No agent advises here. One is a chat model, asked about figures and never shown a message; the rules decide with or
without it. Switch it on in the document:

```yaml
spec:
  agent: {mode: Advise, model: "ollama:qwen3"}   # or openai:…, anthropic:…
```

On one machine `python src/agent.py` then asks it, on a cluster a Pod of the model's own, with the key that `secretRef`
names. With `mode: Act` its advice to retrain counts where the rules allow a run. Questions such as “why was version 12
rolled back?” are answered without one: `python src/agent.py --ask "…"`.
"""


def show() -> None:
    st.title("Agent")
    show_live()


@st.fragment(run_every=REFRESH_SECONDS)
def show_live() -> None:
    asked = visit()
    agent, store = asked.seen.model.spec.agent, asked.reach.store
    show_state(asked, agent)
    if store is None:
        st.info("This dashboard was not given the store of this namespace, where advice is kept.")
        return
    with part():
        show_advice(agent, queries.read_advised(store, now=asked.now))


def show_advice(agent: AgentSpec, advised: Advised) -> None:
    if not advised.advice:
        st.markdown(SWITCH_ON if agent.mode is TriggerMode.DISABLED else "Nothing was advised yet.")
        return
    show_totals(advised.totals)
    columns = {
        "seconds": st.column_config.NumberColumn(format="%.1f"),
        "dollars": st.column_config.NumberColumn(format="%.4f"),
        "why, in its words": st.column_config.TextColumn(width="large"),
    }
    rows = pd.DataFrame(queries.advice_rows(advised.advice))
    st.dataframe(rows, hide_index=True, width="stretch", column_config=columns)
    st.caption(f"The newest {len(advised.advice):,}. The rules decided each of these without waiting for the agent.")


def show_state(asked: Visit, agent: AgentSpec) -> None:
    if agent.mode is not TriggerMode.DISABLED:
        st.markdown(f"**{agent.mode.value}** by {plain(agent.model)}. {MODES[agent.mode]}")
    available = queries.availability(asked.seen)
    if available is not None and available.status is False:
        st.warning(f"It does not answer: {plain(available.message)}.")


def show_totals(totals: AdviceTotals) -> None:
    agree = queries.agreement(totals)
    questions, answers, together, illegal, cost = st.columns(5)
    questions.metric("Asked", f"{totals.asked:,}", help=f"Within {queries.PERIOD.days} days.")
    share = f"{totals.answered / totals.asked:.0%}" if totals.asked else "none"
    answers.metric("Answered", share, help="Where it did not answer, the rules decided alone.")
    if agree is None:
        together.metric("Agrees with the rules", "not known")
    else:
        interval = f"{totals.agreed:,} of {totals.compared:,}; 95 % interval {agree.low:.0%} to {agree.high:.0%}."
        together.metric("Agrees with the rules", f"{agree.value:.0%}", help=interval)
    illegal.metric("Not allowed", f"{totals.illegal:,}", help="Proposed what the rules forbid; nothing came of it.")
    tokens = totals.input_tokens + totals.output_tokens
    cost.metric("Cost", f"${totals.cost:,.2f}", help=f"{tokens:,} tokens in {totals.calls:,} calls.")
