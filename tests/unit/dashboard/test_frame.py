"""What every page stands in: the model that the address names, and what the operator's key opens."""

import gc
import importlib
import threading
import tomllib
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from autoretrain.dashboard import entry, frame
from tests.unit.dashboard.cluster_world import seen
from tests.unit.dashboard.world import page_of

ENTRY = Path(entry.__file__).with_name("main.py")


def opened(*, model=None):
    app = AppTest.from_file(str(ENTRY), default_timeout=60)
    if model is not None:
        app.query_params["model"] = model
    app.run()
    assert not app.exception
    return app


def looked_at(app):
    """The model of the page, of the sidebar, and of the address."""
    return app.title[0].value, app.sidebar.selectbox[0].value, app.query_params["model"]


@pytest.fixture
def two(cluster):
    return cluster(seen("mail"), seen("sms"))


def test_what_the_libraries_brought_along_is_no_garbage_to_look_through():
    """Streamlit collects it after each drawing, and the browser waits for that."""
    importlib.import_module("autoretrain.dashboard.page")
    assert gc.get_freeze_count() > 100_000


def test_the_address_names_the_model(two):
    assert looked_at(opened(model="spam.sms")) == ("sms", "spam.sms", "spam.sms")


def test_without_a_model_in_the_address_it_is_the_first_and_the_address_says_so(two):
    assert looked_at(opened()) == ("mail", "spam.mail", "spam.mail")


def test_a_choice_in_the_sidebar_changes_the_address(two):
    app = opened(model="spam.mail")
    app.sidebar.selectbox[0].select("spam.sms").run()
    assert looked_at(app) == ("sms", "spam.sms", "spam.sms")


def test_a_link_followed_within_the_session_changes_the_model(two):
    app = opened(model="spam.mail")
    app.query_params["model"] = "spam.sms"
    app.run()
    assert looked_at(app) == ("sms", "spam.sms", "spam.sms")


def test_another_page_whose_address_names_no_model_is_about_the_same_one(two):
    app = opened(model="spam.sms")
    app.query_params.clear()
    app.run()
    assert looked_at(app) == ("sms", "spam.sms", "spam.sms")


def test_a_model_that_is_not_here_is_said_and_never_drawn(two):
    app = opened(model="![x](http://evil.example)")
    assert "There is no SpamModel" in app.warning[0].value
    assert "](http" not in app.warning[0].value
    assert looked_at(app) == ("mail", "spam.mail", "spam.mail")


def test_where_not_all_models_are_shown_every_page_says_so_and_no_link_is_told_to_be_wrong(cluster):
    cluster(seen("mail"), seen("sms"), cut="There are more than 2 SpamModels.")
    said = [each.value for each in opened(model="spam.zeta").warning]
    assert said[0].replace("\\", "") == "SpamModel spam.zeta is not among those that are shown here."
    assert any("more than 2" in each for each in said[1:])


def test_a_model_that_is_deleted_while_it_is_looked_at_gives_way(two):
    app = opened(model="spam.sms")
    del two.seen["spam.sms"]
    app.run()
    assert app.title[0].value == "mail"


SCRIPT = """
import streamlit as st
from autoretrain.adapters.settings import Settings
from autoretrain.dashboard.frame import ask_for_key, may_act
ask_for_key()
st.text(may_act(Settings()))
"""


def test_only_the_right_key_lets_a_person_act_and_a_wrong_one_takes_it_back(monkeypatch):
    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_KEY", "schlüssel")
    app = AppTest.from_string(SCRIPT).run()
    said = [app.text[0].value]
    for key in ("wrong", "schlüssel", "schlussel", ""):
        app.sidebar.text_input[0].input(key).run()
        said.append(app.text[0].value)
    assert said == ["False", "False", "True", "False", "False"]


def test_after_a_wrong_key_all_sessions_wait_before_the_next_one_is_tried(monkeypatch):
    waiting, over = threading.Event(), threading.Event()

    def wait(_seconds):
        waiting.set()
        assert over.wait(5)

    monkeypatch.setattr(frame.time, "sleep", wait)
    answers = []
    tries = [
        threading.Thread(target=lambda given=given: answers.append(frame.is_key(given, "right")))
        for given in ("wrong", "right")
    ]
    tries[0].start()
    assert waiting.wait(5)
    tries[1].start()
    tries[1].join(0.1)
    assert answers == []
    over.set()
    for each in tries:
        each.join(5)
    assert sorted(answers) == [False, True]


def test_a_key_is_tried_once_however_often_the_page_is_drawn(monkeypatch):
    tried = []
    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_KEY", "right")
    monkeypatch.setattr(frame, "is_key", lambda given, key: tried.append(given) or given == key)
    app = AppTest.from_string(SCRIPT).run()
    app.sidebar.text_input[0].input("wrong").run()
    app.run()
    assert (tried, app.sidebar.error[0].value) == (["wrong"], "That is not the key.")
    app.sidebar.text_input[0].input("right").run()
    app.run()
    assert (tried, app.text[0].value) == (["wrong", "right"], "True")


@pytest.mark.parametrize(("namespaces", "allowed"), [("", "True"), ("spam", "False")])
def test_without_a_key_anybody_may_act_on_one_machine_and_nobody_on_a_cluster(monkeypatch, namespaces, allowed):
    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_NAMESPACES", namespaces)
    app = AppTest.from_string(SCRIPT).run()
    assert (app.text[0].value, len(app.sidebar.text_input)) == (allowed, 0)


def test_one_part_that_fails_leaves_the_others():
    script = """
import streamlit as st
from autoretrain.dashboard.frame import part
from autoretrain.domain.errors import StoreUnavailable
with part():
    raise StoreUnavailable("locked")
st.text("the rest")
"""
    app = AppTest.from_string(script).run()
    assert (app.error[0].value, app.text[0].value) == ("locked", "the rest")


def test_a_link_from_the_fleet_names_its_model(two, settings):
    table = page_of("overview").dataframe[0].value
    assert table["open"].tolist() == ["?model=spam.mail", "?model=spam.sms"]


def options(table, prefix=""):
    for name, value in table.items():
        if isinstance(value, dict):
            yield from options(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_streamlit_knows_every_option_that_lies_beside_the_page():
    given = tomllib.loads(ENTRY.with_name(".streamlit").joinpath("config.toml").read_text())
    names = list(options(given))
    assert "theme.dark.primaryColor" in names
    for name in names:
        st.get_option(name)


def test_streamlit_finds_no_pages_of_its_own_kind_beside_the_script():
    """It would run one of them alone where a link to it is the first visit after a start."""
    assert not ENTRY.with_name("pages").exists()
