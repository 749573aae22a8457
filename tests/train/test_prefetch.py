"""Prefetched inputs are in order and at most `depth` ahead, and no thread is left however the loop ends."""

import contextlib
import itertools
import signal
import threading
import time

import pytest

from itt_jax.train.prefetch import prefetched


@pytest.fixture(autouse=True)
def no_thread_left():
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def until(condition):
    """Wait up to ten seconds for another thread."""
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited in vain")


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_results_are_in_order_and_from_another_thread(depth):
    found = list(prefetched(lambda n: (n * n, threading.get_ident()), range(3, 12), depth))
    assert [value for value, _ in found] == [n * n for n in range(3, 12)]
    assert len({thread for _, thread in found} | {threading.get_ident()}) == 2


def test_nothing_to_make():
    assert list(prefetched(lambda n: n, [])) == []


@pytest.mark.parametrize("depth", [1, 3])
def test_it_runs_ahead_by_the_depth_and_no_further(depth):
    made = []
    with contextlib.closing(prefetched(made.append, itertools.count(), depth)) as inputs:
        assert not made  # nothing starts before the first step
        for taken in range(1, 6):
            next(inputs)
            until(lambda expected=taken + depth: len(made) == expected)
            time.sleep(0.01)
            assert made == list(range(taken + depth))


def test_an_error_is_raised_at_its_own_step():
    def make(number):
        if number == 3:
            raise ValueError("of three")
        return number

    inputs = prefetched(make, range(10), 4)
    assert [next(inputs) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="of three"):
        next(inputs)
    assert list(inputs) == []


def test_an_error_in_the_numbers_is_raised():
    inputs = prefetched(lambda n: n, (1 // n for n in (1, 1, 0)), 1)
    assert [next(inputs)] == [1]
    with pytest.raises(ZeroDivisionError):
        list(inputs)


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_closing_drops_what_is_ahead(steps):
    made = []
    inputs = prefetched(made.append, itertools.count(), 2)
    for _ in range(steps):
        next(inputs)
    inputs.close()
    assert len(made) <= steps + 2
    assert list(inputs) == []


def test_an_error_in_the_loop_joins_the_thread():
    running = threading.Event()

    def make(number):
        running.set()
        time.sleep(0.05)
        return number

    with pytest.raises(RuntimeError, match="of the loop"):
        with contextlib.closing(prefetched(make, itertools.count())) as inputs:
            for _ in inputs:
                running.clear()
                assert running.wait(10)  # while another is being made
                raise RuntimeError("of the loop")


def test_a_generator_that_is_dropped_leaves_no_thread():
    inputs = prefetched(lambda n: n, itertools.count())
    next(inputs)
    del inputs


def test_an_interrupt_reaches_a_loop_that_waits():
    waiting, release = threading.Event(), threading.Event()

    def make(number):
        if number == 1:
            waiting.set()
            release.wait(10)
        return number

    def interrupt():
        waiting.wait(10)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        time.sleep(0.05)
        release.set()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    other = threading.Thread(target=interrupt)
    try:
        other.start()
        with pytest.raises(KeyboardInterrupt):
            with contextlib.closing(prefetched(make, range(5))) as inputs:
                list(inputs)
    finally:
        other.join()
        signal.signal(signal.SIGINT, before)


def test_no_depth_is_refused():
    with pytest.raises(ValueError, match="depth 0"):
        next(prefetched(lambda n: n, range(3), 0))
