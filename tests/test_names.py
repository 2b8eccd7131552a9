import pytest

from micrograd_mlp.names import refuse_unknown


def test_the_nearest_name_is_offered_or_all_of_them():
    refuse_unknown("moons", ["moons", "rings"], "problem")
    with pytest.raises(ValueError, match=r"^there is no problem 'mons', did you mean 'moons'\?$"):
        refuse_unknown("mons", ["moons", "rings"], "problem")
    with pytest.raises(ValueError, match=r"^there is no problem 'xyz'; there are moons, rings$"):
        refuse_unknown("xyz", iter(["moons", "rings"]), "problem")
