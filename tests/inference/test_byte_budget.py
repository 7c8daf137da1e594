import threading
import time

from medarch.inference.byte_budget import ByteBudget


def waits(call):
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(0.1)
    return thread if thread.is_alive() else None


def test_a_case_waits_until_it_fits_and_one_that_is_too_large_comes_alone():
    budget = ByteBudget(100)
    assert budget.take(0, 60)
    assert budget.take(1, 40)
    thread = waits(lambda: budget.take(2, 500))
    assert thread is not None
    budget.give_back(60)
    time.sleep(0.05)
    assert thread.is_alive()
    budget.give_back(40)
    thread.join(5)
    assert not thread.is_alive()
    assert budget.used == 500


def test_cases_come_in_their_order():
    budget = ByteBudget(100)
    late = waits(lambda: budget.take(1, 1))
    assert late is not None
    assert budget.take(0, 1)
    late.join(5)
    assert not late.is_alive()


def test_closing_lets_nobody_wait():
    budget = ByteBudget(10)
    assert budget.take(0, 10)
    answers = []
    thread = waits(lambda: answers.append(budget.take(1, 10)))
    assert thread is not None
    budget.close()
    thread.join(5)
    assert answers == [False]
