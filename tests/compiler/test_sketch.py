"""What is drawn of programs."""

from programs import moons_loss

from micrograd_mlp import ops
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.sketch import tables_of


def tables(function, *args, **more):
    run = jit(function)
    run(*args)
    return {table.name: table for table in tables_of(run.program.arrays, run.program.scalars.labels, **more)}


def test_arrays_and_what_computes_them():
    function, args = moons_loss(7)
    made = tables(function, *args)
    names = list(made)
    hidden = made["h1"]
    assert hidden.axes == (("n", 7), ("a", 16))
    assert hidden.formula == "relu(b1 + Σ_i w1·X)"
    assert hidden.tip == "h1[n,a] = relu(b1[a] + Σ_i w1[a,i]·X[n,i])"
    assert [names[place] for place in hidden.reads] == ["b1", "w1", "X"] or {names[p] for p in hidden.reads} == {
        "b1", "w1", "X",
    }  # fmt: skip
    kinds = {name: table.kind for name, table in made.items()}
    assert {kinds[name] for name in ("w1", "b1", "w2", "b2", "w3", "b3")} == {"parameter"}
    assert (kinds["X"], kinds["y"], kinds["constants"], kinds["h1"]) == ("input", "input", "number", "value")
    assert [name for name, kind in kinds.items() if kind == "output"] == ["z6"]


def test_what_stands_in_place_is_a_table_of_its_own_if_asked_for():
    function, args = moons_loss(7)
    formulas = {name: table.formula for name, table in tables(function, *args, in_place=False).items()}
    assert formulas["h1"] == "relu(z1)"
    assert formulas["z1"] == "b1 + Σ_i w1·X"


def test_numbers_in_the_code_are_read_only_where_they_are_data():
    data = [0.5 + 3.0 * k for k in range(40)]
    made = tables(lambda x: sum(ops.exp(a * c) for a, c in zip(x, data, strict=True)) * 2.0, [0.1] * 40)
    read = {place for table in made.values() for place in table.reads}
    assert 0 in read
    made = tables(lambda x: [ops.exp(a) * 2.0 for a in x], [0.1] * 40)
    assert 0 not in {place for table in made.values() for place in table.reads}


def test_what_lies_in_several_arrays_is_read_from_each():
    function, args = lambda x, y: [ops.exp(a) for a in (x[2], y[0], x[0], y[1], x[1])], ([1.0, 2.0, 3.0], [4.0, 5.0])
    made = tables(lambda x, y: [ops.tanh(v) for v in function([ops.sin(a) for a in x], y)], *args)
    assert all(table.reads for table in made.values() if table.formula)
