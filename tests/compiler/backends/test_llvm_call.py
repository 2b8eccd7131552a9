"""Calls that native code takes by itself: which it takes, what it refuses, and that both give the same."""

import gc
import sys
import threading
import time

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="native code is compiled by llvmlite")

from micrograd_mlp import MLP, Value, losses, vmap
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.backends import llvm_call, llvm_take
from micrograd_mlp.compiler.variants import refuse

pytestmark = pytest.mark.skipif(llvm_take.layout() is None, reason="this interpreter keeps numbers in another way")


def total(thing):
    if isinstance(thing, dict):
        return total(list(thing.values()))
    if isinstance(thing, list | tuple) or (isinstance(thing, np.ndarray) and thing.ndim):
        return losses.total([total(item) * (place + 1.0) for place, item in enumerate(thing)])
    return 0.0 if thing is None or isinstance(thing, str) else thing


def prepared(function, *args, **options):
    """Return the function compiled, and its native call for such arguments."""
    compiled = jit(function, **options)
    for _ in range(4):
        compiled(*args)
    assert compiled._latest.call is not refuse
    return compiled, compiled._latest.call


TAKEN = {
    "a number": (2.0,),
    "a number of NumPy's": (np.float64(2.0),),
    "a Value": (Value(2.0),),
    "two numbers": (2.0, 3.0),
    "a list": ([1.0, 2.0, 3.0],),
    "a tuple of numbers": ((1.0, 2.0, 3.0),),
    "Values in a list": ([Value(1.0), 2.0, Value(3.0)],),
    "a matrix in lists": ([[1.0, 2.0], [3.0, 4.0]],),
    "lists of many lengths": ([[1.0], [], [2.0, [3.0]], 4.0],),
    "tuples in lists": ([(1.0, 2.0), (3.0, 4.0)],),
    "a tuple of things": (([1.0, 2.0], 3.0, np.ones(2)),),
    "an empty tuple": ((), 1.0),
    "a dict": ({"a": 1.0, "b": [2.0, 3.0], 3: np.ones((2, 2))},),
    "a dict in a list": ([{"a": 1.0}, {"b": 2.0}],),
    "arrays": (np.arange(3.0), np.ones((2, 2)), np.zeros((0,))),
    "an array without axes": (np.array(2.0), 1.0),
    "arrays in a list": ([np.arange(2.0), np.ones(2)],),
    "words beside numbers": ("mean", None, [1.0, 2.0]),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", TAKEN)
def test_what_is_taken_gives_what_the_function_gives(name, dtype):
    args = TAKEN[name]
    plain = [arg.tolist() if isinstance(arg, np.ndarray) else arg for arg in args]
    held = Value(0.5)

    def function(*args):
        return losses.total(total(list(arg) if isinstance(arg, list | tuple) else arg) for arg in args) * held

    def by_hand(thing):
        if isinstance(thing, np.ndarray):
            return by_hand(thing.tolist())
        if isinstance(thing, dict):
            return by_hand(list(thing.values()))
        if isinstance(thing, list | tuple):
            return sum(by_hand(item) * (place + 1.0) for place, item in enumerate(thing))
        return 0.0 if thing is None or isinstance(thing, str) else thing.data if isinstance(thing, Value) else thing

    compiled, call = prepared(function, *args, dtype=dtype)
    for weight in (0.5, 2.0):
        held.data = weight
        assert call(*args) == pytest.approx(weight * sum(map(by_hand, plain)), rel=1e-6)
        assert compiled(*args) == call(*args)


def pair(x, y):
    return x[0] * 2.0 + y, [x[1], x[2]]


REFUSED = {
    "too few": ([1.0, 2.0, 3.0],),
    "too many": ([1.0, 2.0, 3.0], 4.0, 5.0),
    "a list that is longer": ([1.0, 2.0, 3.0, 4.0], 4.0),
    "a list that is shorter": ([1.0, 2.0], 4.0),
    "a tuple for a list": ((1.0, 2.0, 3.0), 4.0),
    "an array for a list": (np.arange(3.0), 4.0),
    "whole numbers": ([1, 2, 3], 4.0),
    "a truth": ([1.0, 2.0, True], 4.0),
    "a word": ([1.0, 2.0, "3"], 4.0),
    "a list for a number": ([1.0, 2.0, 3.0], [4.0]),
    "nothing": (None, None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_left_alone(name):
    _, call = prepared(pair, [1.0, 2.0, 3.0], 4.0)
    assert call(*REFUSED[name]) is False
    assert call([1.0, 2.0, 3.0], 4.0)[0] == 6.0


SQUARE = np.arange(9.0).reshape(3, 3)
ARRAYS = {
    "another shape": np.ones((9,)),
    "another size": np.ones((3, 4)),
    "whole numbers": np.ones((3, 3), dtype=np.int64),
    "of float32": np.ones((3, 3), dtype=np.float32),
    "of the other byte order": np.ones((3, 3), dtype=np.dtype(float).newbyteorder()),
    "by columns": np.asfortranarray(SQUARE),
    "every other row": np.ones((6, 3))[::2],
    "backwards": SQUARE[::-1],
    "one number for all": np.broadcast_to(1.0, (3, 3)),
    "not where doubles lie": np.frombuffer(bytes(1) + SQUARE.tobytes(), offset=1).reshape(3, 3),
    "of a class of its own": SQUARE.view(np.ma.MaskedArray),
    "lists": SQUARE.tolist(),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("mapped", [False, True])
def test_only_whole_arrays_of_the_same_shape_are_taken(name, mapped):
    def norms(X):
        return losses.total(vmap(lambda x: x[0] * x[1] + x[2])(X)) if mapped else X[0][1] * X[1][2] + X[2][0]

    compiled, call = prepared(norms, SQUARE)
    other, expected = ARRAYS[name], call(SQUARE)
    assert call(other) is False
    if np.shape(other) == (3, 3) and name != "of a class of its own":
        numbers = np.array(other, dtype=float)
        assert compiled(other) == pytest.approx(compiled(numbers))  # the long way, after which the short one is right
        assert compiled(other) == pytest.approx(compiled(numbers.tolist()))
    assert compiled(SQUARE) == call(SQUARE) == expected


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_columns_are_those_of_the_call_whatever_came_before(dtype):
    """Arrays, lists and strided arrays by turns, of two lengths: each call computes from what it was given."""
    rng, weight = np.random.default_rng(0), Value(1.0)
    compiled = jit(lambda X, b: losses.total(vmap(lambda x: x[0] * weight - x[1])(X)) + b, dtype=dtype)
    for turn in range(60):
        X = rng.normal(size=(3 + turn // 7 % 2, 2))
        weight.data = float(turn)
        expected = (X[:, 0] * turn - X[:, 1]).sum() + turn
        given = (X, X.tolist(), np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2])[rng.integers(4) if turn % 3 else 0]
        b = (float(turn), Value(turn), np.float64(turn), np.array(float(turn)))[rng.integers(4) if turn % 3 else 0]
        assert compiled(given, b) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def mapped(X):
    return losses.total(vmap(lambda x: x[0] * 2.0 - x[1])(X))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_lists_are_taken_after_an_array_was_read_where_it_lies(dtype):
    X = np.arange(6.0).reshape(3, 2)
    compiled, call = prepared(mapped, X.tolist(), dtype=dtype)
    for _ in range(3):
        assert compiled(X + 1.0) == 6.0
        assert call(X.tolist()) == 3.0


def test_a_call_prepared_for_another_length_is_refused_from_then_on():
    X = np.arange(6.0).reshape(3, 2)
    compiled, call = prepared(mapped, X)
    assert call(X) == 3.0
    assert compiled(np.ones((4, 2))) == 4.0
    assert call(X) is False
    assert compiled(X) == 3.0


@pytest.mark.parametrize(
    ("data", "taken"), [(3.0, True), (np.float64(3.0), True), (3, False), (np.float32(3.0), False), (True, False)]
)
def test_captured_values_of_every_kind(data, taken):
    weight = Value(2.0)
    compiled, call = prepared(lambda x: x * weight, 4.0)
    weight.data = data
    assert (call(4.0) is not False) == taken
    assert compiled(4.0) == 4.0 * float(data)


def test_a_value_whose_number_was_deleted():
    weight = Value(2.0)
    compiled, call = prepared(lambda x: x * weight, 4.0)
    del weight.data
    assert call(4.0) is False
    with pytest.raises(AttributeError):
        compiled(4.0)
    weight.data = 1.0
    assert compiled(4.0) == call(4.0) == 4.0


def test_a_value_of_a_class_of_its_own():
    class Doubled(Value):
        @property
        def data(self):
            return 8.0

        @data.setter
        def data(self, number):
            pass

    weight = Doubled(1.0)
    compiled = jit(lambda x: x * weight)
    for _ in range(5):
        assert compiled(4.0) == 32.0


STRUCTURES = {
    "a number": lambda x: x[0] * 2.0,
    "an array": lambda x: [a * 2.0 for a in x],
    "a matrix": lambda x: [[a, a * 2.0] for a in x],
    "a tuple": lambda x: (x[0] * 2.0, [a * 3.0 for a in x]),
    "nothing": lambda x: (),
    "an empty array": lambda x: [],
    "a tuple of tuples": lambda x: ((), (x[0], [x[1], x[1]])),
    "a dict": lambda x: {"a": x[0] * 2.0, 3: [x[1] * 2.0], "t": (x[0], {})},
    "a list of all sorts": lambda x: [[x[0]], [x[0], x[1]], x[2]],
}


def plain(thing):
    if isinstance(thing, dict):
        return {name: plain(item) for name, item in thing.items()}
    if isinstance(thing, list | tuple):
        return type(thing)(plain(item) for item in thing)
    return (type(thing), thing.dtype, thing.tolist()) if isinstance(thing, np.ndarray) else (type(thing), thing)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", STRUCTURES)
def test_results_are_those_of_the_long_way(name, dtype):
    x = np.array([0.1, 0.2, 0.3])
    compiled = jit(STRUCTURES[name], dtype=dtype)
    first = compiled(x)
    _, call = prepared(STRUCTURES[name], x, dtype=dtype)
    assert plain(call(x)) == plain(first)


def test_results_are_new_each_time_and_freed():
    x = np.arange(6.0)
    _, call = prepared(lambda x: (x[0] * 2.0, [a + 1.0 for a in x]), x)
    one, other = call(x), call(x + 1.0)
    assert one[1].flags.owndata
    assert one[1].flags.writeable
    assert not np.shares_memory(one[1], other[1])
    assert (one[1] + 1.0).tolist() == other[1].tolist()
    before, objects = sys.getrefcount(x), len(gc.get_objects())
    for _ in range(1000):
        call(x)
        call(x, x)
    assert sys.getrefcount(x) == before
    assert len(gc.get_objects()) < objects + 100
    assert sys.getrefcount(one[0]) == sys.getrefcount(other[0])


def test_what_it_points_to_lives_as_long_as_the_call():
    def make():
        model = MLP(2, [3, 1])
        compiled, call = prepared(
            lambda X, *, k="word": (losses.mean(vmap(model)(X)), {"n": losses.l2(model.parameters())}), np.ones((4, 2))
        )
        return call, compiled(np.ones((4, 2)))[0]

    call, expected = make()
    gc.collect()
    rubbish = [bytes(1000) for _ in range(1000)]
    assert call(np.ones((4, 2)))[0] == expected
    del rubbish


@pytest.mark.parametrize("short", [True, False])
def test_calls_from_threads_do_not_mix(short, monkeypatch):
    """Both where the interpreter's lock is kept and where it is not; with calls of the long way, of two lengths."""
    monkeypatch.setattr("micrograd_mlp.compiler.variants.SHORT", 1.0 if short else 0.0)
    compiled = jit(lambda X, s: {"t": losses.total(vmap(lambda x: x[0] * x[1])(X)) * s, "s": [s, s]})
    wrong, until = [], time.monotonic() + 1.5

    def work(seed):
        rng = np.random.default_rng(seed)
        while time.monotonic() < until and not wrong:
            X = rng.normal(size=(rng.choice([300, 3000]), 2))
            for _ in range(5):
                s = float(rng.integers(100))
                out = compiled(X if rng.random() < 0.9 else X[::-1], s)
                if out["s"].tolist() != [s, s] or abs(out["t"] - s * (X[:, 0] * X[:, 1]).sum()) > 1e-6:
                    wrong.append(out)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert wrong == []


def test_where_the_interpreter_is_another_one_calls_take_the_long_way(monkeypatch):
    monkeypatch.setattr(llvm_call, "layout", lambda: None)
    compiled = jit(lambda x: [a * 2.0 for a in x])
    for turn in range(5):
        assert compiled(np.full(3, turn)).tolist() == [2.0 * turn] * 3
    assert compiled._latest.call is refuse


def test_what_has_no_record_takes_the_long_way():
    compiled = jit(lambda n, x: x * float(n.real))
    for turn in range(5):
        assert compiled(True, 3.0 + turn) == 3.0 + turn
    assert compiled._latest.call is refuse
