"""What compiled functions are given is read right or refused in one sentence; never written and never crashes."""

import array
import collections
import copy
import datetime
import decimal
import fractions
import functools
import importlib.util
import math
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrograd_mlp import MLP, Value, grad, losses, ops
from micrograd_mlp.compiler import jit

BACKENDS = ["numpy", *["llvm"] * bool(importlib.util.find_spec("llvmlite"))]
GRID = np.arange(12.0).reshape(3, 4) - 5.0
Pair = collections.namedtuple("Pair", ["a", "b"])


class Lists(list):
    pass


class Tuples(tuple):
    pass


class Floats(float):
    pass


class Arrays(np.ndarray):
    pass


class Half:
    """A number that is none: it says only what float it would be."""

    def __float__(self):
        return 0.5


def flat(thing):
    if isinstance(thing, dict):
        thing = list(thing.values())
    if isinstance(thing, list | tuple) or (isinstance(thing, np.ndarray) and thing.ndim):
        return [number for item in thing for number in flat(item)]
    return [thing]


def weigh(x):
    """Return numbers of which each shows by its weight where it stood."""
    numbers = flat(x)
    return [(place + 1.0) * number for place, number in enumerate(numbers)], losses.total(a * a for a in numbers)


@pytest.fixture(scope="module", params=BACKENDS)
def weighed(request):
    return jit(weigh, backend=request.param)


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


def read_only(numbers):
    out = np.array(numbers)
    out.flags.writeable = False
    return out


ARRAYS = {
    "reversed": GRID[::-1, ::-1],
    "of other strides": GRID[::2, 1::2],
    "transposed": GRID.T,
    "in Fortran order": np.asfortranarray(GRID),
    "broadcast": np.broadcast_to(np.arange(3.0), (2, 3)),
    "read only": read_only(GRID),
    "not aligned": np.frombuffer(b"\0" + GRID.tobytes(), dtype=np.uint8)[1:].view(np.float64),
    "of three dimensions": GRID.reshape(2, 3, 2)[:, ::-1],
    "integers": GRID.astype(np.int8),
    "large integers": np.array([2**64 - 1, 2**63 + 1, 0], dtype=np.uint64),
    "truth values": np.array([[True, False, True]]),
    "half precision": GRID.astype(np.float16) / 3,
    "single precision": GRID.astype(np.float32) / 3,
    "extended precision": GRID.astype(np.longdouble) / 3,
    "big-endian": GRID.astype(">f8"),
    "big-endian integers": GRID.astype(">i4"),
    "nan": np.full(3, math.nan),
    "infinite": np.array([math.inf, -math.inf, -0.0, 5e-324]),
    "empty": np.zeros(0),
    "empty rows": np.zeros((3, 0)),
    "no rows": np.zeros((0, 3)),
    "without dimensions": np.array(-3.0),
    "an integer without dimensions": np.array(-3),
    "a slice of one": GRID[1:2, 1:2],
    "a subclass": GRID.view(Arrays),
    "numbers as objects": GRID.astype(object),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_every_layout_and_type(weighed, name):
    numbers = ARRAYS[name]
    before = numbers.tobytes()
    expected = np.asarray(numbers, dtype=np.float64).ravel()
    for _ in range(2):
        weights, total = weighed(numbers)
        np.testing.assert_array_equal(weights, expected * np.arange(1, len(expected) + 1))
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(total, (expected**2).sum(), rtol=1e-14)
    assert numbers.tobytes() == before
    again, _ = weighed(np.asarray(numbers, dtype=np.float64).tolist())
    np.testing.assert_array_equal(again, weights)


NUMBERS = {
    "an integer beyond all floats": ([10**400, -(10**400)], [math.inf, -math.inf]),
    "an integer beyond 64 bits": ([2**70, -(2**70)], [2.0**70, -(2.0**70)]),
    "NumPy's numbers": ([np.float64(2), np.float32(0.1), np.int8(-3), np.uint64(2**63)],
                        [2.0, float(np.float32(0.1)), -3.0, 2.0**63]),
    "a fraction": ([fractions.Fraction(1, 3)], [1 / 3]),
    "Values": ([Value(2.0), 3, Value(-1.5)], [2.0, 3.0, -1.5]),
    "a number of one's own class": ([Floats(2.5)], [2.5]),
    "a list of one's own class": (Lists([1.0, Lists([2.0])]), [1.0, 2.0]),
    "a tuple of one's own class": (Tuples((1.0, 2.0)), [1.0, 2.0]),
    "a named tuple": (Pair(1.0, [2.0, 3.0]), [1.0, 2.0, 3.0]),
    "rows of different length": ([[1.0], [2.0, 3.0], [], [[4.0], 5.0]], [1.0, 2.0, 3.0, 4.0, 5.0]),
    "lists of nothing": ([[], [[]]], []),
    "arrays in lists": ([np.arange(2.0), [np.array(7)]], [0.0, 1.0, 7.0]),
    "a dict with odd keys": ({1: 2.0, (1, 2): [3.0], None: 4.0}, [2.0, 3.0, 4.0]),
    "a dict in order": (collections.OrderedDict(b=1.0, a=2.0), [1.0, 2.0]),
    "one list twice": ([GRID[0].tolist()] * 2, [*GRID[0], *GRID[0]]),
    "truth values, which are part of the program": ([True, False], [1.0, 0.0]),
    "a number given as an array of objects": (np.array([Value(2.0), 3], dtype=object), [2.0, 3.0]),
    "a hundred lists in each other": (functools.reduce(lambda inner, _: [inner], range(100), 1.5), [1.5]),
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_and_structures_of_every_kind(weighed, name):
    thing, expected = NUMBERS[name]
    before = str(thing)
    for _ in range(2):
        weights, _ = weighed(thing)
        np.testing.assert_array_equal(weights, np.array(expected) * np.arange(1, len(expected) + 1))
    assert str(thing) == before


REFUSED = {
    "complex numbers": (GRID.astype(complex), r"takes real numbers, got an array of complex128"),
    "complex numbers in lists": ([1j], r"weigh returns complex: .*; return numbers"),
    "text in an array": (np.array(["1", "2"]), r"takes real numbers, got an array of <U1"),
    "bytes in an array": (np.array([b"1"]), r"takes real numbers, got an array of \|S1"),
    "dates": (np.array(["2020-01-01"], dtype="M8[D]"), r"takes real numbers, got an array of datetime64\[D\]"),
    "times": (np.array([1], dtype="m8[s]"), r"takes real numbers, got an array of timedelta64\[s\]"),
    "records": (np.zeros(2, dtype=[("a", float)]), r"takes real numbers, got an array of \[\('a'"),
    "text": (["1.5"], r"can't multiply sequence by non-int of type"),
    "text among objects": (np.array([1.0, "a"], dtype=object), r"can't multiply sequence by non-int"),
    "None": ([1.0, None], r"unsupported operand type\(s\) for \*: 'float' and 'NoneType'"),
    "None among objects": (np.array([None, 1.0], dtype=object), r"for \*: 'float' and 'NoneType'"),
    "a decimal number": ([decimal.Decimal("1.5")], r"for \*: 'float' and 'decimal.Decimal'"),
    "what could be a float": ([Half()], r"unsupported operand type\(s\) for \*: 'float' and 'Half'"),
    "a set": ({1.0}, r"takes numbers, lists, dicts and Modules, got set: \{1.0\}"),
    "a deque": (collections.deque([1.0]), r"takes numbers, lists, dicts and Modules, got deque"),
    "an array of Python's": (array.array("d", [1.0]), r"takes numbers, lists, dicts and Modules, got array"),
    "bytes that change": (bytearray(b"1"), r"takes numbers, lists, dicts and Modules, got bytearray"),
    "keys of a dict": ({"a": 1.0}.keys(), r"takes numbers, lists, dicts and Modules, got dict_keys"),
    "a date": ([datetime.date(2020, 1, 1)], r"unsupported operand type\(s\) for \*"),
    "a function": ([math.sin], r"unsupported operand type\(s\) for \*"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_number_is_refused_in_one_sentence(weighed, name):
    thing, message = REFUSED[name]
    for _ in range(2):
        with pytest.raises(TypeError, match=message) as caught:
            weighed(thing)
        assert len(str(caught.value).splitlines()) == 1
    assert weighed([2.0])[1] == 4.0


def test_lists_within_themselves_end(weighed):
    endless = []
    endless.append(endless)
    with pytest.raises(RecursionError):
        weighed(endless)
    assert weighed([2.0])[1] == 4.0


ODD = st.one_of(
    *(st.floats(), st.integers(), st.booleans(), st.none(), st.text(max_size=2), st.binary(max_size=2)),
    st.complex_numbers(),
    st.sampled_from([np.float32(1.5), np.int8(3), np.bool_(True), np.array(2.0), np.ones((2, 2)), np.zeros(0)]),
    st.sampled_from([1 << 2000, Value(2.0), fractions.Fraction(1, 2), decimal.Decimal(2), Half(), Floats(2.0), float]),
)
THINGS = st.recursive(
    ODD,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
        st.lists(inner, max_size=3).map(Lists),
    ),
    max_leaves=6,
)


@settings(max_examples=40)
@given(THINGS)
def test_anything_gives_its_numbers_or_an_error_of_type(thing):
    for backend in BACKENDS:
        compiled = jit(lambda x: (ops.tanh(losses.total(ops.abs(a) for a in flat(x))), x), backend=backend)
        try:
            size, back = compiled(thing)
        except (TypeError, ValueError):
            continue
        expected = [float(number) for number in flat(_plain(thing))]
        np.testing.assert_array_equal([float(number) for number in flat(_plain(back))], expected)
        np.testing.assert_allclose(size, ops.tanh(losses.total(map(abs, expected))), rtol=1e-12)


def _plain(thing):
    if isinstance(thing, dict):
        return [_plain(item) for item in thing.values()]
    if isinstance(thing, np.ndarray):
        return thing.tolist()
    return [_plain(item) for item in thing] if isinstance(thing, list | tuple) else thing


def test_another_shape_is_another_program_or_the_functions_own_error(backend):
    @jit(backend=backend)
    def product(w, x):
        return [losses.total(a * b for a, b in zip(row, x, strict=True)) for row in w]

    w, x = np.arange(6.0).reshape(2, 3), np.array([1.0, -1.0, 2.0])
    expected = w @ x
    np.testing.assert_array_equal(product(w, x), expected)
    for wrong in (x[:2], np.ones(4), np.ones((2, 1)), [], 1.0, np.ones((1, 3))):
        with pytest.raises((TypeError, ValueError)):
            product(w, wrong)
        np.testing.assert_array_equal(product(w, x), expected)
    np.testing.assert_array_equal(product(w[:1], x), expected[:1])
    np.testing.assert_array_equal(product(w[::-1], x), expected[::-1])
    np.testing.assert_array_equal(product(w.T.copy().T, x), expected)
    assert product(w[:0], x).shape == (0,)
    ragged = [[1.0, 2.0], [3.0]]
    with pytest.raises(ValueError, match="zip"):
        product(ragged, [1.0, 2.0])


def test_arguments_that_are_missing_or_unknown_are_named(backend):
    compiled = jit(lambda x, y=2.0: x * y, backend=backend)
    assert compiled(3.0) == 6.0
    for args, named, message in (
        ((), {}, "missing 1 required positional argument: 'x'"),
        ((1.0, 2.0, 3.0), {}, "takes from 1 to 2 positional arguments but 3 were given"),
        ((1.0,), {"z": 1.0}, "unexpected keyword argument 'z'"),
        ((1.0,), {"x": 1.0}, "multiple values for argument 'x'"),
    ):
        with pytest.raises(TypeError, match=message):
            compiled(*args, **named)
    assert compiled(y=3.0, x=3.0) == 9.0


def test_nothing_that_is_given_is_written(backend):
    def slopes(x, model, pair):
        out = losses.total(ops.tanh(model([a, pair["b"][0]])) for a in x)
        return grad(out, [*x, *model.parameters()]), x, pair

    model = MLP(2, [3, 1])
    for parameter in model.parameters():
        parameter.grad = 7.0
    weights = [p.data for p in model.parameters()]
    x, pair = np.array([1.0, -2.0, 0.5]), {"b": [3.0, 4.0], "c": (Value(1.0),)}
    held = copy.deepcopy(pair["b"])
    compiled = jit(slopes, backend=backend)
    first, same, parts = compiled(x, model, pair)
    first[:], same[:] = math.nan, math.nan
    parts["b"][:] = math.nan
    again, same, parts = compiled(x, model, pair)
    assert not np.isnan(again).any()
    assert same.tolist() == x.tolist() == [1.0, -2.0, 0.5]
    assert parts["b"].tolist() == pair["b"] == held
    assert [p.data for p in model.parameters()] == weights
    assert {p.grad for p in model.parameters()} == {7.0}
    assert pair["c"][0].data == 1.0
    assert pair["c"][0].grad == 0


def test_a_result_is_not_part_of_the_next_one(backend):
    double = jit(lambda x: [2.0 * a for a in x], backend=backend)
    results = [double([float(n)] * 3) for n in range(5)]
    assert [result.tolist() for result in results] == [[2.0 * n] * 3 for n in range(5)]
    assert all(result.flags.writeable and result.flags.owndata for result in results)


def test_an_error_in_the_function_leaves_no_program_behind(backend):
    wrong = [True]

    @jit(backend=backend)
    def unsteady(x):
        if wrong[0]:
            raise KeyError("not now")
        return x * 2.0

    for _ in range(2):
        with pytest.raises(KeyError, match="not now"):
            unsteady(1.0)
    assert len(unsteady.variants) == 0
    wrong[0] = False
    assert unsteady(1.0) == 2.0


def test_first_calls_from_many_threads(backend):
    compiled = jit(lambda x: [a * a + 1.0 for a in x], backend=backend)
    results, ready = {}, threading.Barrier(4)

    def work(number):
        ready.wait()
        results[number] = compiled([float(number)] * (2 + number % 2)).tolist()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: [number**2 + 1.0] * (2 + number % 2) for number in range(4)}
