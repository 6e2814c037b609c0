"""What `autoretrain dashboard` lets Streamlit run."""

from autoretrain.dashboard.page import show

show()
