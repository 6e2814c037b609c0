"""Where do alerts go? Addresses of Apprise, from a file and from the environment. They are secrets.

The seed's variables for mail and Slack are mapped onto such addresses. An error says where one stands, not what it is.
"""

import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import apprise
from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from autoretrain.adapters.alert_delivery import keep_addresses_out_of_logs
from autoretrain.adapters.alert_hours import QuietHours
from autoretrain.domain.errors import AutoRetrainError

log = logging.getLogger(__name__)

SOCKET_SECONDS = 8
QUIET_HOURS_FILE = "quiet-hours"
"""The entry of a Secret, beside the addresses, so that each team has its own."""


class AlertSettings(BaseSettings):
    """Where alerts go, from the environment. Each field is a variable of its name in capitals."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True, populate_by_name=True)

    urls_file: Path | None = Field(
        None,
        validation_alias=AliasChoices("AUTORETRAIN_ALERT_URLS_FILE", "urls_file"),
        description="File of Apprise addresses, one a line, # for comments.",
    )
    slack_webhook_url: SecretStr | None = Field(
        None, description="Incoming webhook of Slack, or of what speaks like it."
    )
    smtp_server: str | None = Field(None, description="Host of the mail server.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Port of the mail server.")
    smtp_username: str | None = Field(None, description="Name to log in with.")
    smtp_password: SecretStr | None = Field(None, description="Password to log in with.")
    smtp_starttls: bool | None = Field(None, description="Encrypt by STARTTLS; default: unless the port is 25 or 465.")
    alert_email: str | None = Field(None, description="Who gets the mail; several with commas.")
    quiet_hours: str | None = Field(
        None,
        validation_alias=AliasChoices("AUTORETRAIN_ALERT_QUIET_HOURS", "quiet_hours"),
        description="When only Degraded and RolledBack are told at once, as 22:00-07:00 Europe/Berlin.",
    )
    dashboard_url: str = Field(
        "",
        validation_alias=AliasChoices("AUTORETRAIN_DASHBOARD_URL", "dashboard_url"),
        description="Address of the dashboard, for links to decisions; empty: alerts name a command instead.",
    )


def alert_urls(settings: AlertSettings) -> tuple[str, ...]:
    """Return the Apprise addresses that `settings` name. They are secrets."""
    urls = _read_urls(settings.urls_file) if settings.urls_file else []
    if settings.slack_webhook_url:
        urls.append(_slack_url(settings.slack_webhook_url.get_secret_value()))
    receivers = [address.strip() for address in (settings.alert_email or "").split(",") if address.strip()]
    if settings.smtp_server and receivers:
        # An address each: where the server does not have one of them, the others are told all the same, and once.
        urls += [
            _mail_url(settings, server=settings.smtp_server, sender=receivers[0], receiver=each) for each in receivers
        ]
    elif settings.smtp_server or receivers:
        missing = "ALERT_EMAIL" if settings.smtp_server else "SMTP_SERVER"
        log.warning("no alert is sent by mail: %s is not set", missing)
    return tuple(urls)


def quiet_hours_of(settings: AlertSettings) -> QuietHours | None:
    """Return the quiet hours that `settings` name, or else the file `quiet-hours` beside the file of addresses.

    What can't be understood is logged, and nothing is held back: people would rather be woken than not be told.
    """
    text = settings.quiet_hours or ""
    beside = settings.urls_file.with_name(QUIET_HOURS_FILE) if settings.urls_file else None
    try:
        if not text and beside is not None and beside.exists():
            text = beside.read_text(encoding="utf-8").strip()
        return QuietHours.parse(text) if text else None
    except (OSError, UnicodeDecodeError, AutoRetrainError) as error:
        log.error("there are no quiet hours: %s", error)
        return None


def _read_urls(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise AutoRetrainError(f"the alert addresses in {path} can't be read: {reason}") from None
    stripped = [(number, line.strip()) for number, line in enumerate(lines, start=1)]
    named = [(number, line) for number, line in stripped if line and not line.startswith("#")]
    for number, line in named:
        open_service(line, place=f"{path}, line {number}")
    return [line for _number, line in named]


def _slack_url(webhook: str) -> str:
    """Return Slack's own webhooks as they are, and any other as JSON with the one field that speakers of Slack read."""
    try:
        parts = urlsplit(webhook)
    except ValueError:
        raise AutoRetrainError("SLACK_WEBHOOK_URL is no address") from None
    if parts.hostname in {"hooks.slack.com", "hooks.slack-gov.com"} or parts.scheme not in {"http", "https"}:
        return webhook
    renamed = "&".join(part for part in (parts.query, ":message=text") if part)
    scheme = "jsons" if parts.scheme == "https" else "json"
    return f"{scheme}://{parts.netloc}{parts.path}?{renamed}"


def _mail_url(settings: AlertSettings, *, server: str, sender: str, receiver: str) -> str:
    """Return the address of `receiver`. It comes from `sender`, where the login is not an address itself."""
    starttls = settings.smtp_port not in {25, 465} if settings.smtp_starttls is None else settings.smtp_starttls
    mode = "starttls" if starttls else "ssl" if settings.smtp_port == 465 else "insecure"
    user, password = settings.smtp_username or "", settings.smtp_password
    login = quote(user, safe="") + (f":{quote(password.get_secret_value(), safe='')}" if password else "")
    query = urlencode({"smtp": server, "mode": mode, "from": user if "@" in user else sender})
    scheme = "mailto" if mode == "insecure" else "mailtos"
    return f"{scheme}://{login}{'@' if login else ''}{server}:{settings.smtp_port}/{quote(receiver, safe='')}?{query}"


def open_service(url: str, *, place: str) -> Any:
    """Return Apprise's object for `url`. Raises AutoRetrainError, which says its place and not what it is."""
    keep_addresses_out_of_logs()
    # Without a limit of Apprise's own, it works in the thread that asks: by that its complaints are told apart.
    asset = apprise.AppriseAsset(async_mode=False, service_timeout=0)
    service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if service is None:
        raise AutoRetrainError(f"{place}: not an address that Apprise knows")
    if service.overflow_mode == apprise.OverflowMode.UPSTREAM:
        service.overflow_mode = apprise.OverflowMode.SPLIT  # Most services take nothing of what is too long.
    service.socket_connect_timeout = service.socket_read_timeout = SOCKET_SECONDS
    if getattr(service, "payload_extras", {}).get("message") == "text":
        service.title_maxlen = 0  # Apprise then puts the title above the text; readers of `text` see nothing else.
    return service
