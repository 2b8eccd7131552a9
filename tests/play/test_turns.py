"""Whoever came first goes first."""

import threading
import time

from micrograd_mlp.play.turns import Turns


def test_nobody_is_passed_by():
    turns, order = Turns(1), []
    threads = []

    def take(name):
        with turns:
            order.append(name)

    with turns:
        for name in range(5):
            threads.append(threading.Thread(target=take, args=(name,)))
            threads[-1].start()
            while len(turns._waiting) <= name:
                time.sleep(0.001)
        again = threading.Thread(target=take, args=("later",))
    again.start()
    for thread in (*threads, again):
        thread.join(5)
    assert [name for name in order if name != "later"] == [0, 1, 2, 3, 4]
    assert turns._free == 1


def test_as_many_as_there_are_turns_go_at_once_even_after_errors():
    turns, inside, most = Turns(2), [], []

    def take():
        try:
            with turns:
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.005)
                inside.pop()
                raise ValueError
        except ValueError:
            pass

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert max(most) <= 2
    assert turns._free == 2
