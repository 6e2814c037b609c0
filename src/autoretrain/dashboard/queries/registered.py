"""What does the registry say, without a page ever waiting long for it? Asked in a thread, and what was said is kept."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from autoretrain.adapters.registry_login import login_of_variables
from autoretrain.adapters.registry_rest import RestRegistry
from autoretrain.adapters.settings import Settings
from autoretrain.app.fleet import Reach
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.lineage import Lineage

WAIT_SECONDS: Final = 1.0
FRESH_SECONDS: Final = 30.0
AGAIN_SECONDS: Final = 10.0
"""After an answer, and after none, it is not asked again for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What the registry said at `as_of`, None: nothing yet; and why there is nothing newer, '' where this is new."""

    versions: tuple[Lineage, ...] = ()
    as_of: datetime | None = None
    problem: str = ""


@dataclass(slots=True)
class RegistryReader:
    """Asks one question at a time, however many pages want to know; only whoever asked first waits for the answer."""

    ask: Callable[[], tuple[Lineage, ...]]
    clock: Callable[[], float] = time.monotonic
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "registry"))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asked: Future[Registered] | None = None
    _asked_at: float = 0.0
    _again_at: float = 0.0
    _known: Registered = Registered()

    def look(self, *, wait_seconds: float = WAIT_SECONDS) -> Registered:
        """Return what is known after at most `wait_seconds`. Raises nothing: what is wrong is told in the answer."""
        with self._lock:
            if self._asked is None and self.clock() >= self._again_at:
                self._asked, self._asked_at = self._thread.submit(self._read), self.clock()
            asked, known = self._asked, self._known
        if asked is None:
            return known
        try:
            answer, pause = asked.result(max(0.0, self._asked_at + wait_seconds - self.clock())), FRESH_SECONDS
        except TooSlow:
            since = self.clock() - self._asked_at
            return replace(known, problem=f"MLflow was asked {since:.0f} s ago and has not answered yet")
        except AutoRetrainError as error:
            answer, pause = replace(known, problem=str(error)), AGAIN_SECONDS
        with self._lock:
            if self._asked is asked:
                self._asked, self._known, self._again_at = None, answer, self.clock() + pause
        return answer

    def _read(self) -> Registered:
        return Registered(versions=self.ask(), as_of=datetime.now(UTC))


def registry_reader(reach: Reach, settings: Settings) -> RegistryReader:
    """Return the reader of one model's versions; a server is asked by REST, which spares us all of MLflow."""
    address = settings.mlflow_tracking_uri
    if not address.startswith(("http://", "https://")):
        return RegistryReader(reach.registry.lineage)
    login = login_of_variables(
        username=settings.mlflow_tracking_username,
        password=settings.mlflow_tracking_password.get_secret_value(),
        token=settings.mlflow_tracking_token.get_secret_value(),
    )
    return RegistryReader(RestRegistry(address, name=reach.registry.name, login=login).lineage)
