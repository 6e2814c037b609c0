"""How a long-running command ends: the first signal stops it in order, a second one kills what is left."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import psutil


class Stopped(BaseException):
    """A signal arrived. `code` is what the process then exits with.

    Like KeyboardInterrupt it is no Exception: libraries that make another error of every Exception must let it through.
    """

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


def stop_signals() -> list[signal.Signals]:
    """Return the signals that stop us. Under `nohup` a hang-up is not one of them."""
    known = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    return [s for s in known if s.name != "SIGHUP" or signal.getsignal(s) is not signal.SIG_IGN]


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Turn the first signal into `Stopped` in the main thread; exit codes are the shell's, 128 + signal."""

    def stop(signum: int, _frame: FrameType | None) -> None:
        raise Stopped(128 + signum)

    with handling(stop):
        yield


@contextmanager
def second_signal_kills() -> Iterator[None]:
    """While everything is being stopped, another signal ends it hard."""

    def kill(signum: int, _frame: FrameType | None) -> None:
        for child in psutil.Process().children(recursive=True):
            child.kill()
        os._exit(128 + signum)

    with handling(kill):
        yield


@contextmanager
def handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {signum: signal.signal(signum, handler) for signum in stop_signals()}
    try:
        yield
    finally:
        for signum, old in before.items():
            signal.signal(signum, old)
