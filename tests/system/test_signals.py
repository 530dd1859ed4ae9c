"""Signals that ask to end: one interrupt for those that come together, none while saving."""

import os
import signal

import pytest

from fewfire.system.signals import ENDING, interrupting, uninterrupted


@pytest.mark.parametrize("number", ENDING)
def test_signals_that_come_together_interrupt_once_and_handlers_come_back(number):
    before = [signal.getsignal(each) for each in ENDING]
    with interrupting():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)  # the same wish
        os.kill(os.getpid(), signal.SIGINT)
    assert [signal.getsignal(each) for each in ENDING] == before


def test_nothing_interrupts_a_save():
    with interrupting(), uninterrupted():
        for number in ENDING:
            os.kill(os.getpid(), number)


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupting():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
