"""The environment, the seed's variables and files become addresses and hours; what is wrong is named, never shown."""

import logging

import pytest

from autoretrain.adapters.alert_addresses import AlertSettings, alert_urls, quiet_hours_of
from autoretrain.domain.errors import AutoRetrainError

# Apprise imports a module that Python 3.13 no longer has, and does without it there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.mark.parametrize(
    ("settings", "urls"),
    [
        ({}, ()),
        (
            {"slack_webhook_url": "https://hooks.slack.com/services/T1/B1/abc"},
            ("https://hooks.slack.com/services/T1/B1/abc",),
        ),
        (
            {"slack_webhook_url": "https://chat.example.com/hooks/abc?team=1"},
            ("jsons://chat.example.com/hooks/abc?team=1&:message=text",),
        ),
        (
            {"smtp_server": "mail.example.com", "alert_email": "a@example.com"},
            (
                "mailtos://mail.example.com:587/a%40example.com?smtp=mail.example.com&mode=starttls&from=a%40example.com",
            ),
        ),
        (
            {"smtp_server": "mail.example.com", "smtp_port": 465, "alert_email": "a@example.com", "smtp_username": "u"},
            ("mailtos://u@mail.example.com:465/a%40example.com?smtp=mail.example.com&mode=ssl&from=a%40example.com",),
        ),
        (
            {"smtp_server": "relay", "smtp_port": 25, "alert_email": "a@example.com"},
            ("mailto://relay:25/a%40example.com?smtp=relay&mode=insecure&from=a%40example.com",),
        ),
        (
            {"smtp_server": "relay", "smtp_port": 25, "smtp_starttls": True, "alert_email": "a@example.com"},
            ("mailtos://relay:25/a%40example.com?smtp=relay&mode=starttls&from=a%40example.com",),
        ),
        ({"smtp_server": "mail.example.com"}, ()),
    ],
    ids=range(8),
)
def test_the_environment_becomes_addresses(settings, urls):
    assert alert_urls(AlertSettings(**settings)) == urls


def test_the_seed_s_variables_are_read_and_empty_ones_are_not_set(monkeypatch):
    monkeypatch.setenv("SMTP_SERVER", "mail.example.com")
    monkeypatch.setenv("SMTP_PORT", "")
    monkeypatch.setenv("SMTP_PASSWORD", "x")
    monkeypatch.setenv("ALERT_EMAIL", "a@example.com")
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "")
    settings = AlertSettings()
    assert (settings.smtp_server, settings.smtp_port, settings.slack_webhook_url) == ("mail.example.com", 587, None)


def test_half_of_a_mail_address_is_said_to_be_half(caplog):
    alert_urls(AlertSettings(alert_email="a@example.com"))
    assert "no alert is sent by mail: SMTP_SERVER is not set" in caplog.text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"json://127.0.0.1/\nnot an address with hunter2\n", "urls, line 2: not an address that Apprise knows"),
        (b"\xff", "urls can't be read: it is not UTF-8"),
        (None, "urls can't be read: No such file or directory"),
    ],
    ids=["line", "encoding", "missing"],
)
def test_a_file_that_is_wrong_is_refused_without_showing_it(tmp_path, content, says):
    path = tmp_path / "urls"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AutoRetrainError) as refused:
        alert_urls(AlertSettings(urls_file=path))
    assert str(refused.value).endswith(says)
    assert "hunter2" not in str(refused.value)


def test_a_line_that_is_wrong_is_in_no_log_either(tmp_path, monkeypatch, caplog):
    """Apprise complains with the address in full, and this is the first that it is asked."""
    asked_first = logging.getLogger("apprise")
    monkeypatch.setattr(asked_first, "propagate", True)
    monkeypatch.setattr(asked_first, "handlers", [])
    path = tmp_path / "urls"
    path.write_text("slack://hunter2/x\n")
    with pytest.raises(AutoRetrainError):
        alert_urls(AlertSettings(urls_file=path))
    assert caplog.text == ""


def test_a_webhook_that_is_no_address_is_refused_without_showing_it():
    with pytest.raises(AutoRetrainError) as refused:
        alert_urls(AlertSettings(slack_webhook_url="https://[hunter2"))
    assert str(refused.value) == "SLACK_WEBHOOK_URL is no address"


def test_mail_to_nobody_is_said_to_be_half(caplog):
    assert alert_urls(AlertSettings(smtp_server="mail.example.com", alert_email=" ,")) == ()
    assert "no alert is sent by mail: ALERT_EMAIL is not set" in caplog.text


def test_a_team_s_quiet_hours_lie_beside_its_addresses(tmp_path):
    urls = tmp_path / "urls"
    urls.write_text("json://127.0.0.1/\n")
    assert quiet_hours_of(AlertSettings(urls_file=urls)) is None
    (tmp_path / "quiet-hours").write_text("22:00-07:00 Europe/Berlin\n")
    assert str(quiet_hours_of(AlertSettings(urls_file=urls)).zone) == "Europe/Berlin"


def test_hours_that_can_not_be_understood_keep_nothing_back(caplog, tmp_path):
    """What is not understood may be what belongs into the entry beside it."""
    (tmp_path / "quiet-hours").write_text("slack://hunter2/x")
    caplog.set_level(logging.ERROR)
    assert quiet_hours_of(AlertSettings(urls_file=tmp_path / "urls")) is None
    assert "there are no quiet hours: they are not written as 22:00-07:00 Europe/Berlin" in caplog.text
    assert "hunter2" not in caplog.text
