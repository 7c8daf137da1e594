"""A clock that other programs do not drive on."""

import threading
import time

import pytest

from medarch.core.stopwatch import Stopwatch

BUSY_S = 20


def work(seconds):
    """So many seconds of a core, however long that takes."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_what_other_programs_take_is_not_counted(busy_core):
    watch, started = Stopwatch(), time.perf_counter()
    work(0.3)
    seconds, wall = watch.seconds, time.perf_counter() - started
    assert wall > 0.6
    assert seconds == pytest.approx(0.3, rel=0.15)
    assert watch.disturbed


def test_work_of_a_thread_that_this_one_waits_for_is_counted_as_its_own(busy_core):
    done, leave = threading.Event(), threading.Event()

    def pool_thread():
        work(0.3)
        done.set()
        leave.wait(BUSY_S)  # threads of numerical libraries live on, too

    worker = threading.Thread(target=pool_thread)
    watch, started = Stopwatch(), time.perf_counter()
    worker.start()
    done.wait(BUSY_S)
    seconds, wall = watch.seconds, time.perf_counter() - started
    leave.set()
    worker.join()
    assert wall > 0.6
    assert seconds == pytest.approx(0.3, rel=0.15)


def test_sleeping_and_reading_are_counted():
    watch = Stopwatch()
    time.sleep(0.1)
    assert 0.09 < watch.seconds < 5
