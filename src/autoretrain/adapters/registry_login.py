"""How do we log in to a registry? As MLflow's own variables say, or as a netrc file, a list of hosts and logins, does.

Both answer with the value of an Authorization header. They are asked anew for each use, so that a login that was
changed in the file holds without a restart. No message holds anything of a login.
"""

import netrc
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from autoretrain.domain.errors import AutoRetrainError

Login: TypeAlias = Callable[[str], str]
"""Host, without its port -> value of the Authorization header, '' for no login. Raises BadLogin."""


class BadLogin(AutoRetrainError):  # noqa: N818 - named for what it reports
    """There is a login, but it can't be used or read; the message says why."""


def no_login(_host: str) -> str:
    """The login where there is none."""
    return ""


def login_of_variables(*, username: str = "", password: str = "", token: str = "") -> Login:
    """What MLflow makes of MLFLOW_TRACKING_USERNAME, _PASSWORD and _TOKEN: the first two where both are there."""

    def login(_host: str) -> str:
        return _basic(username, password) if username and password else _bearer(token)

    return login


def login_of_netrc(file: Path) -> Login:
    """What `file` has for the host, or else as `default`. An entry with a password and no login is a token."""

    def login(host: str) -> str:
        entries = {name.lower(): entry for name, entry in read_netrc(file).items()}
        user, _account, password = entries.get(host) or entries.get("default") or ("", "", "")
        return _basic(user, password) if user and password else _bearer(password)

    return login


def read_netrc(file: Path) -> dict[str, tuple[str, str, str]]:
    """Return host -> (login, account, password). Raises BadLogin where the file is not there or not of that format."""
    try:
        hosts = netrc.netrc(file).hosts
    except OSError as error:
        raise BadLogin(f"{file} can't be read ({error.strerror})") from None
    except (netrc.NetrcParseError, ValueError):
        # Their own texts quote what was not understood, which may be a password.
        raise BadLogin(f"{file} is not in the netrc format") from None
    return {host: (user or "", account or "", password or "") for host, (user, account, password) in hosts.items()}


def _basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def _bearer(token: str) -> str:
    if not token:
        return ""
    if not (token.isascii() and token.isprintable()):
        raise BadLogin("the registry's token holds characters that no header may have")
    return f"Bearer {token}"
