"""`streamlit run src/dashboard.py`: the dashboard's page."""

from autoretrain.dashboard.page import show

show()
