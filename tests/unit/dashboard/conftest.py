"""A machine with a document and a store, whose dashboard keeps nothing from one test to the next."""

import pytest
import streamlit as st

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.dashboard import frame
from tests.spec_cases import VALID_TEXT
from tests.unit.dashboard.cluster_world import Cluster


@pytest.fixture(autouse=True)
def nothing_is_kept():
    """Pages keep what they read for a while, for all sessions."""
    st.cache_resource.clear()
    st.cache_data.clear()
    yield
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def settings(tmp_path, monkeypatch):
    document = tmp_path / "model.yaml"
    document.write_text(VALID_TEXT)
    monkeypatch.setenv("AUTORETRAIN_SPEC", str(document))
    monkeypatch.setenv("AUTORETRAIN_STATE_DIR", str(tmp_path / "state"))
    return Settings()


@pytest.fixture
def store(settings):
    settings.state_dir.mkdir(exist_ok=True)
    with Store(settings.resolved_store_url(), model="default.sms-spam") as opened:
        opened.migrate()
        yield opened


@pytest.fixture
def cluster(monkeypatch):
    """Lets the dashboard stand on a cluster of the given models."""

    def use(*models, **options):
        fleet = Cluster(*models, **options)
        monkeypatch.setattr(frame, "open_fleet", lambda: fleet)
        return fleet

    return use
