"""A check gives a value in its own type, or says what is taken and what came."""

import math
from dataclasses import dataclass

import pytest

from micrograd_mlp.checks import check_fields, flag, number, one_of, option, parts, text, whole


@pytest.mark.parametrize(
    ("check", "given", "returned"),
    [
        (text, "a", "a"),
        (whole(1, 9), "3", 3),
        (whole(1, 9), 3.0, 3),
        (number(0), "1e-3", 0.001),
        (number(0, 1), 1, 1.0),
        (one_of({"a": 1}), "a", "a"),
        (flag, True, True),
        (flag, "false", False),
        (parts, "a, b", ["a", "b"]),
        (parts, (1, 2), [1, 2]),
        (parts, 3, [3]),
    ],
)
def test_it_returns_the_value_in_its_own_type(check, given, returned):
    assert check(given) == returned
    assert type(check(given)) is type(returned)


@pytest.mark.parametrize(
    ("check", "given", "message"),
    [
        (text, 3, "a text, got 3"),
        (whole(1, 9), 10, "a whole number from 1 to 9, got 10"),
        (whole(1, 9), 1.5, "a whole number from 1 to 9, got 1.5"),
        (whole(1, 9), True, "a whole number from 1 to 9, got True"),
        (whole(1, 9), math.nan, "a whole number from 1 to 9, got nan"),
        (whole(1, 9), "1" * 5000, f"a whole number from 1 to 9, got '{'1' * 78}…"),
        (number(0), math.inf, "a number of at least 0, got inf"),
        (number(0), [1], r"a number of at least 0, got \[1\]"),
        (number(0, 1, below=True), 1, r"a number from 0 to 1 \(1 excluded\), got 1"),
        (one_of(("a", "b")), ["a"], r"one of a, b; got \['a'\]"),
        (flag, 1, "true or false, got 1"),
    ],
)
def test_it_says_what_is_taken_and_what_came(check, given, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        check(given)


def test_the_fields_of_a_dataclass_are_checked_and_named():
    @dataclass(frozen=True)
    class Options:
        batch_size: int = option(8, whole(1, 9), "points a step")
        noise: float | None = option(None, number(0), "jitter")

        def __post_init__(self):
            check_fields(self)

    assert Options("2") == Options(2, None)
    with pytest.raises(ValueError, match=r"^batch-size takes a whole number from 1 to 9, got None$"):
        Options(None)
