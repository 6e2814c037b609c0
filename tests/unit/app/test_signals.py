"""Which signals stop a program: the usual three, unless whoever started it wants it to outlive the terminal."""

import os
import signal

import pytest

from autoretrain.app.signals import Stopped, stopping_on_signals


@pytest.fixture
def hangup():
    """What a hang-up does is put back afterwards."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_stops_with_the_exit_code_of_the_shells(name, hangup):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with pytest.raises(Stopped) as stopped, stopping_on_signals():
        os.kill(os.getpid(), getattr(signal, name))
    assert stopped.value.code == 128 + getattr(signal, name)


def test_no_library_can_take_a_stop_for_an_error_of_its_own():
    def session():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except Exception as error:  # as MLflow's sessions do
            raise ValueError("can't be used") from error

    with pytest.raises(Stopped), stopping_on_signals():
        session()


def test_a_hang_up_that_nohup_ignores_stays_ignored(hangup):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stopping_on_signals():
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
