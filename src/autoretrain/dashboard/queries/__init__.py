"""One module a page: what it shows, read from store, status, decisions and registry; no Streamlit here."""
