import os
import signal
import subprocess
import sys
import time

import pytest

from medarch.core.errors import VolumeError, WorkerError
from medarch.core.parallel import run_parallel


def square(number):
    if number == 3:
        raise VolumeError("three is damaged", expected="another", found="3", fix="take two")
    if number == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 5:
        raise ZeroDivisionError("five")
    return number * number


def pause(number):
    time.sleep(0.01 * number)
    return number


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_item_gets_an_outcome_and_a_dead_worker_costs_only_its_own(workers):
    outcomes = {outcome.item: outcome for outcome in run_parallel(square, range(8), workers=workers)}
    assert sorted(outcomes) == list(range(8))
    assert {item: outcome.value for item, outcome in outcomes.items() if outcome.error is None} == {
        0: 0, 1: 1, 2: 4, 6: 36, 7: 49,
    }  # fmt: skip
    assert outcomes[3].error.fix == "take two"
    assert isinstance(outcomes[4].error, WorkerError)
    assert "SIGKILL" in str(outcomes[4].error)
    assert "ZeroDivisionError" in str(outcomes[5].error)


def test_many_items_over_many_workers_end():
    for _ in range(20):
        assert sorted(outcome.value for outcome in run_parallel(pause, range(5), workers=3)) == list(range(5))


def test_workers_end_when_their_parent_is_killed():
    code = (
        "import sys, time, os; sys.path.insert(0, 'tests/core')\n"
        "from medarch.core.parallel import run_parallel\n"
        "import test_parallel\n"
        "for outcome in run_parallel(test_parallel.pause, [0, 0, 0, 500], workers=3): print(os.getpid(), flush=True)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    parent.stdout.readline()
    time.sleep(0.3)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 15
    while _members(parent.pid) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not _members(parent.pid)


def _members(session):
    found = subprocess.run(
        ["ps", "-o", "stat=", "-s", str(session)], capture_output=True, text=True, check=False
    ).stdout
    return [line for line in found.split("\n") if line and not line.startswith("Z")]
