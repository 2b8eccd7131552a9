import numpy as np
import pytest

from micrograd_mlp.names import LONGEST, MOST_LISTED, clean, listed, refuse_unknown, told


def test_the_nearest_name_is_offered_or_all_of_them():
    refuse_unknown("moons", ["moons", "rings"], "problem")
    with pytest.raises(ValueError, match=r"^there is no problem 'mons', did you mean 'moons'\?$"):
        refuse_unknown("mons", ["moons", "rings"], "problem")
    with pytest.raises(ValueError, match=r"^there is no problem 'xyz'; there are moons, rings$"):
        refuse_unknown("xyz", iter(["moons", "rings"]), "problem")


def test_a_name_too_long_for_a_sentence_is_shortened():
    with pytest.raises(ValueError, match=r"^there is no problem 'x{78}…; there are moons, rings$"):
        refuse_unknown("x" * 1_000_000, ["moons", "rings"], "problem")
    with pytest.raises(ValueError, match=r"^there is no problem \['moons'\]; there are moons, rings$"):
        refuse_unknown(["moons"], ["moons", "rings"], "problem")


def test_clean():
    assert clean("a\0b\nc") == "a b c"
    assert clean("\u202eabc\ud800") == " abc "
    assert clean("abcdef", 4) == "abc…"
    assert clean("abcd", 4) == "abcd"


def test_any_value_is_told_on_one_line():
    assert told("a\nb") == r"'a\nb'"
    assert told(np.eye(2)) == "array([[1., 0.],        [0., 1.]])"
    assert told("x" * 1_000_000, 10) == "'xxxxxxxx…"
    assert told([16**5000]) == "a value of type list that is too long to be written"
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert told(deep) == "a value of type list that is too long to be written"


def test_many_names_are_listed_in_part():
    assert listed([]) == ""
    assert listed(iter(["a", "b\nc"])) == "a, b c"
    assert listed(map(str, range(10_000))).endswith("61, 62, … (10,000 in all)")
    assert len(listed(1000 * ["x" * 1_000_000])) < MOST_LISTED + LONGEST + 20
