"""Names of arrays and axes."""

from micrograd_mlp.compiler.naming import name_arrays, name_axes


def test_arrays_are_named_by_what_their_labels_share():
    arrays = [("input", ["X[0][1]", "X[1][1]"]), ("input", ["layers[0].neurons[1].w[0]"]), ("input", ["l[0].w[3]"])]
    assert name_arrays([*arrays, ("relu", [""]), ("mul", [""]), ("input", ["a", "b"])]) == [
        "X", "w1", "w2", "h", "t", "x",
    ]  # fmt: skip


def test_letters_do_not_run_out():
    names = name_axes(60)
    assert names[:3] == ["n", "i", "a"]
    assert len(set(names)) == 60
