"""The script that Streamlit runs, in a directory of its own.

Streamlit would take a directory `pages` beside its script for pages of its own kind, and run one of them alone where a
link to it is the first visit after a start.
"""
