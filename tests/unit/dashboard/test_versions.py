"""The page of versions says what each came from, and asks for what the rules allow and a person confirmed."""

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from autoretrain.app.state import StateDirectory
from autoretrain.dashboard.pages import versions as page
from autoretrain.dashboard.queries.registered import AGAIN_SECONDS, FRESH_SECONDS, Registered, RegistryReader
from autoretrain.dashboard.queries.versions import differing_aliases, lineage_rows, read_versions, table_rows
from autoretrain.domain.errors import Waiting
from autoretrain.domain.lineage import Lineage
from autoretrain.domain.plan import Decision
from autoretrain.domain.status import CandidateState, HandledRequests, HistoryEntry, ModelRef, Status
from tests.unit.dashboard.world import CHAMPION, NOW, page_of, put_champion, write_status
from tests.unit.decide import builders

KEY = "default.sms-spam"
PREVIOUS = ModelRef(version="2", digest="sha256:2", metrics=builders.metrics())
WITH_PREVIOUS = Status(champion=CHAMPION, previous=PREVIOUS)


def registered(version, **changes):
    summary = replace(builders.summary(version), champion_version=str(int(version) - 1))
    known = Lineage(
        version=version,
        digest=f"sha256:{version}",
        alias="",
        registered_at=NOW,
        trigger="drift",
        data_source="file sms.csv",
        data_hash="0" * 64,
        code_version="1.0.0",
        summary=summary,
    )
    return replace(known, **changes)


def nothing(_digest):
    return {}


# What is read.


def test_the_status_says_who_has_which_role_and_what_was_rolled_back():
    status = replace(WITH_PREVIOUS, quarantined=("sha256:4",))
    read = read_versions(status, [registered(number) for number in "1234"], card_of=nothing)
    assert [(version.number, version.role) for version in read] == [
        ("4", "quarantined"),
        ("3", "champion"),
        ("2", "previous"),
        ("1", ""),
    ]


def test_a_row_tells_trigger_data_figures_and_parent():
    [row] = table_rows(read_versions(Status(), [registered("3")], card_of=nothing))
    assert (row["trigger"], row["trained on"], row["compared with"]) == ("drift", "file sms.csv", "v2")
    assert (row["accuracy"], row["rows"]) == (0.985, 4000)


def test_without_the_registry_status_and_store_tell_what_they_know():
    card = {"data_source": "file a.tsv", "algorithm": "LinearSVM", "training_rows": 12, "run_name": "r"}
    read = read_versions(WITH_PREVIOUS, (), card_of={"sha256:3": card, "sha256:2": {}}.__getitem__)
    assert [(version.number, version.role, version.lineage.data_source) for version in read] == [
        ("3", "champion", "file a.tsv"),
        ("2", "previous", ""),
    ]
    assert read[1].metrics == PREVIOUS.metrics
    assert {"what": "run", "is": "r"} in lineage_rows(read[0])


def test_a_card_of_somebody_elses_trainer_hides_no_version():
    card = {"metrics": {"quality": "high"}, "training_rows": "many"}
    [version] = read_versions(Status(champion=CHAMPION), (), card_of=lambda _digest: card)
    assert (version.metrics, version.training_rows) == (None, None)


def test_an_alias_that_differs_from_the_status_is_said():
    known = [registered("2", alias="champion"), registered("3")]
    assert differing_aliases(WITH_PREVIOUS, known).startswith("The registry calls v2 the champion, but v3 is.")
    assert differing_aliases(WITH_PREVIOUS, [registered("3", alias="champion")]) == ""


# A registry that is slow, away, or back.


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_slow_registry_holds_no_page_up_and_its_answer_is_there_later():
    answers = threading.Event()
    reader = RegistryReader(lambda: answers.wait(20) and (registered("1"),))
    slow = reader.look(wait_seconds=0.01)
    assert (slow.versions, slow.as_of) == ((), None)
    assert "has not answered yet" in slow.problem
    answers.set()
    assert reader.look(wait_seconds=20).versions == (registered("1"),)


def test_a_registry_that_went_away_leaves_what_it_said_and_is_asked_again_later():
    clock, asked = Clock(), []

    def ask():
        asked.append(1)
        if len(asked) == 2:
            raise Waiting("MLflow can't be used", delay_seconds=15)
        return (registered(str(len(asked))),)

    reader = RegistryReader(ask, clock)
    first = reader.look(wait_seconds=20)
    assert reader.look(wait_seconds=20) == first
    clock.now += FRESH_SECONDS
    away = reader.look(wait_seconds=20)
    assert away == Registered(versions=first.versions, as_of=first.as_of, problem="MLflow can't be used")
    assert reader.look(wait_seconds=20) == away
    clock.now += AGAIN_SECONDS
    assert reader.look(wait_seconds=20).versions == (registered("3"),)


# The page.


@pytest.fixture
def registry(monkeypatch):
    """What the registry says to the page."""
    known = [registered("2"), registered("3", alias="champion")]
    monkeypatch.setattr(page, "registry_reader", lambda *_: RegistryReader(lambda: tuple(known)))
    return known


def keys(app):
    return {button.key for button in app.button}


def press(app, key):
    [button] = [each for each in app.button if each.key == key]
    app = button.click().run()
    assert not app.exception
    return app


def requests_of(settings):
    return StateDirectory(settings.state_dir).read_requests(KEY)


def test_the_page_draws_without_the_registry_and_says_so(settings, store, monkeypatch):
    def away():
        raise Waiting("MLflow can't be reached", delay_seconds=15)

    monkeypatch.setattr(page, "registry_reader", lambda *_: RegistryReader(away))
    put_champion(store, settings, card=json.dumps({"data_source": "file a.tsv"}))
    app = page_of("versions")
    assert any("can't be reached" in each.value.replace("\\", "") for each in app.warning)
    table = app.dataframe[0]
    assert list(table.value["version"]) == ["v3"]
    assert list(table.value["trained on"]) == ["file a.tsv"]


def test_an_empty_machine_says_how_a_version_comes_about(settings, store, registry):
    registry.clear()
    assert any("No version is registered yet" in info.value for info in page_of("versions").info)


def test_only_what_the_rules_allow_has_a_button(settings, store, registry):
    put_champion(store, settings)
    app = page_of("versions")
    assert keys(app) == {"open-retrain", "open-suspend"}
    [why] = [each.value.replace("\\", "") for each in app.caption if "Not possible now" in each.value]
    assert "there is no good previous version" in why
    assert "no candidate waits" in why


def test_a_rollback_is_asked_for_once_it_is_confirmed_and_never_before(settings, store, registry):
    write_status(settings, WITH_PREVIOUS)
    app = press(page_of("versions"), "open-rollback")
    assert any("Going back from version 3 to version 2" in each.value.replace("\\", "") for each in app.markdown)
    assert requests_of(settings)[0].rollback == ""
    [reason] = app.text_input
    app = press(reason.input("too many complaints").run(), "agreed")
    asked, _ = requests_of(settings)
    assert (asked.actor, asked.reason) == ("dashboard", "too many complaints")
    assert asked.rollback
    assert any("the next pass acts on it" in info.value for info in app.info)


def test_what_was_asked_for_is_answered_on_the_page(settings, store, registry):
    write_status(settings, WITH_PREVIOUS)
    app = press(press(page_of("versions"), "open-rollback"), "agreed")
    done = HistoryEntry(at=datetime.now(UTC), decision="ROLLBACK", reason="RollbackRequested", message="to version 2")
    token = requests_of(settings)[0].rollback
    write_status(settings, replace(WITH_PREVIOUS, handled=HandledRequests(rollback=token), history=(done,)))
    [answer] = [each.value for each in app.run().success]
    assert "ROLLBACK" in answer
    assert "to version 2" in answer


def test_what_was_cancelled_is_not_asked_for(settings, store, registry):
    write_status(settings, WITH_PREVIOUS)
    press(press(page_of("versions"), "open-rollback"), "cancelled")
    assert requests_of(settings)[0].rollback == ""


def test_what_became_impossible_meanwhile_is_refused(settings, store, registry):
    write_status(settings, WITH_PREVIOUS)
    app = press(page_of("versions"), "open-rollback")
    write_status(settings, Status(champion=CHAMPION))
    app = press(app, "agreed")
    assert any("not possible now" in error.value for error in app.error)
    assert requests_of(settings)[0].rollback == ""


def test_a_promotion_goes_round_the_comparison_only_with_a_reason(settings, store, registry):
    write_status(settings, WITH_PREVIOUS)
    app = page_of("versions")
    assert "open-promote" not in keys(app)  # v3, the champion, comes first
    app = press(app.selectbox[0].select("v2").run(), "open-promote")
    assert any("without a comparison" in each.value for each in app.markdown)
    app = press(app, "agreed")
    assert any("say why" in error.value for error in app.error)
    [reason] = app.text_input
    press(reason.input("the new one is blind").run(), "agreed")
    asked, _ = requests_of(settings)
    assert (asked.promote_version, asked.reason, asked.actor) == ("2", "the new one is blind", "dashboard")


def waiting(version):
    return CandidateState(
        summary=builders.summary(version),
        decision=Decision.HOLD,
        reason="AwaitingApproval",
        message="",
        decided_at=NOW,
        expires_at=NOW + builders.minutes(60),
    )


def test_another_candidate_than_the_dialog_told_of_is_not_approved_before_it_is_told(settings, store, registry):
    write_status(settings, replace(WITH_PREVIOUS, candidate=waiting("4")))
    app = press(page_of("versions"), "open-approve")
    write_status(settings, replace(WITH_PREVIOUS, candidate=waiting("5")))
    app = press(app, "agreed")
    assert requests_of(settings)[0].approve_version == ""
    assert any("Version 5" in each.value for each in app.markdown)
    assert any("has changed" in each.value for each in app.warning)
    press(app, "agreed")
    assert requests_of(settings)[0].approve_version == "5"


def test_a_candidate_that_waits_is_approved(settings, store, registry):
    write_status(settings, replace(WITH_PREVIOUS, candidate=waiting("4")))
    press(press(page_of("versions"), "open-approve"), "agreed")
    assert requests_of(settings)[0].approve_version == "4"


def test_suspending_asks_for_no_reason_and_then_resuming_is_offered(settings, store, registry):
    put_champion(store, settings)
    app = press(page_of("versions"), "open-suspend")
    assert not app.text_input
    app = press(app, "agreed")
    assert requests_of(settings)[1] is True
    assert {"open-resume"} == keys(app)


def test_a_state_that_can_not_be_written_is_said_and_the_dialog_stays(settings, store, registry):
    write_status(settings, WITH_PREVIOUS)
    (settings.state_dir / "requests").write_text("a file where the directory should be")
    app = press(press(page_of("versions"), "open-rollback"), "agreed")
    assert any("be written" in error.value.replace("\\", "") for error in app.error)
    assert "agreed" in keys(app)


def test_without_the_key_nothing_can_be_asked_for(settings, store, registry, monkeypatch):
    monkeypatch.setenv("AUTORETRAIN_DASHBOARD_KEY", "secret")
    write_status(settings, WITH_PREVIOUS)
    app = page_of("versions")
    assert keys(app) == set()
    assert any("operator's key" in each.value for each in app.caption)


def test_what_others_wrote_of_a_version_is_shown_and_never_drawn(settings, store, registry):
    picture, link = "![x](http://evil.example/x.png)", "[win](http://evil.example)"
    registry[1] = registered("3", data_source=picture, trigger=link)
    put_champion(store, settings)
    app = page_of("versions")
    shown = {str(value) for table in app.dataframe for value in table.value.to_numpy().flat}
    assert {picture, link} <= shown  # these tables take text as it is; what follows draws Markdown
    drawn = [*app.markdown, *app.caption, *app.info, *app.button, *app.table]
    assert not any("evil" in str(element.value) for element in drawn)
