"""Signals that end a process come as one exception, and are left as they were."""

import os
import signal
import threading

import pytest

from micrograd_mlp.signals import ENDS, Stopped, stoppable

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of Unix")


@pytest.fixture(autouse=True)
def _as_usual():
    """SIGHUP acts as it usually does, also where the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", ENDS)
def test_the_first_signal_raises_and_the_next_does_nothing(number):
    with pytest.raises(Stopped, match=rf"^stopped by {signal.Signals(number).name}$") as caught, stoppable():
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.code == 128 + number
    assert all(signal.getsignal(each) is signal.SIG_DFL for each in ENDS)


def test_a_signal_that_is_ignored_or_handled_stays_so():
    for before in (signal.SIG_IGN, lambda *_: None):
        old = signal.signal(signal.SIGHUP, before)
        try:
            with stoppable():
                os.kill(os.getpid(), signal.SIGHUP)
                assert signal.getsignal(signal.SIGHUP) is before
            assert signal.getsignal(signal.SIGHUP) is before
        finally:
            signal.signal(signal.SIGHUP, old)


def test_other_threads_leave_signals_alone():
    done = []

    def work():
        with stoppable():
            done.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.SIG_DFL]
