"""Values, gradients, sentences and layouts of the page, run in node and held against the engine."""

import random

import pytest
from node import PRINT, number, run

from micrograd_mlp import MLP, Value, explore, ops, topological_order
from micrograd_mlp.losses import binary_cross_entropy, hinge, mean

COMPUTED = (
    PRINT
    + """
import { Graph } from "SOURCES/graph.js";
import { Numbers } from "SOURCES/numbers.js";
const graph = new Graph(given);
const numbers = new Numbers(graph, arithmetic);
"""
)


def everything():
    """Return a Value in which every operation of the table takes part, some of them at their edges."""
    x, y, z = Value(0.5, label="x"), Value(-1.25, label="y"), Value(0.0, label="z")
    leaves = [x, y, z, *(Value(0.1 * k + 0.2) for k in range(4))]
    terms = []
    for op in ops.TABLE.values():
        for shift in range(3):
            args = [leaves[(shift + k) % len(leaves)] for k in range(len(op.partials))]
            terms.append(ops.tanh(op(*args) * 0.5 + 0.25))
    finite = [term for term in terms if abs(term.data) < 10]
    return sum(finite) * x + x * x + 2 * z**2 + 3 ** abs(y)


def network():
    rng = random.Random(1)
    model = MLP(2, [5, 4, 1], rng=rng)
    samples = [[Value(rng.uniform(-1, 1)) for _ in range(2)] for _ in range(6)]
    return mean(hinge(model(x), t) for x, t in zip(samples, [1, -1] * 3, strict=True))


@pytest.mark.parametrize("make", [everything, network])
def test_the_page_computes_what_the_engine_computes(make):
    loss = make()
    loss.backward()
    data = explore(loss).data
    code = COMPUTED + "console.log(JSON.stringify([Array.from(numbers.data, told), Array.from(numbers.grad, told)]));"
    values, gradients = run(code, data)
    order = topological_order(loss)
    assert list(map(number, values)) == pytest.approx([v.data for v in order], rel=1e-12, nan_ok=True)
    wanted = [float(v.grad) for v in order]
    assert list(map(number, gradients)) == pytest.approx(wanted, rel=1e-10, abs=1e-14, nan_ok=True)


def test_several_outputs_are_differentiated_together():
    a, b = Value(2.0), Value(3.0)
    code = COMPUTED + "console.log(JSON.stringify([...numbers.grad]));"
    assert run(code, explore([a * b, a + b, a * b]).data)[:2] == pytest.approx([3 + 1 + 3, 2 + 1 + 2])


def test_an_operation_of_ones_own_keeps_its_result_and_passes_its_slopes():
    a = Value(2.0, label="a")
    own = Value(8.0, (a,), "cube", local_grads=(12.0,))
    code = (
        COMPUTED
        + """numbers.data[0] = 3; numbers.compute();
console.log(JSON.stringify([...numbers.data, ...numbers.grad]));"""
    )
    assert run(code, explore(own * 2).data) == [3, 8, 16, 24, 2, 1]


def test_differences_agree_with_the_chain_rule():
    code = (
        COMPUTED
        + """
const all = Array.from({ length: graph.count }, (_, i) => numbers.differences(i).central);
console.log(JSON.stringify(all));"""
    )
    a, b = Value(0.3), Value(-0.8)
    loss = (a * b).tanh() * a.exp() + b**3
    loss.backward()
    assert run(code, explore(loss).data) == pytest.approx([v.grad for v in topological_order(loss)], rel=1e-7)


SAID = (
    COMPUTED
    + """
import { Steps } from "SOURCES/steps.js";
import { sentence, spoken } from "SOURCES/words.js";
const steps = new Steps(graph);
const all = Array.from({ length: steps.last + 1 }, (_, t) => sentence(graph, numbers, steps.at(t), given.update));
"""
)


def test_each_step_is_said_with_its_numbers():
    x, w, b = Value(2.0, label="x"), Value(-3.0, label="w"), Value(6.5, label="b")
    h = x * w + b
    h.label = "h"
    loss = (h - 1) * h
    loss.label = "loss"
    said = run(SAID + "console.log(JSON.stringify(all));", explore(loss, lr=0.1).data)
    assert [step["phase"] for step in said] == ["Before the start"] + 4 * ["Forward"] + 7 * ["Backward"] + 3 * [
        "Update"
    ]
    assert said[2]["formula"] == ["h = v1 + b", "= (-6.0000) + 6.5000", "= 0.5000"]
    assert said[5]["formula"] == ["grad(loss) = 1"]
    at_h = next(step for step in said if step["headline"] == "The gradient of h")
    assert at_h["formula"] == [
        "grad(h) = ∂loss/∂h · grad(loss) + ∂v3/∂h · grad(v3)",
        "= (-0.5000)·1.0000 + 1.0000·0.5000",
        "= 0.0000",
    ]
    assert at_h["reasons"][0] == "loss = v3·h, so ∂loss/∂h = v3 = -0.5000"
    assert at_h["reasons"][-1] == "2 uses, so 2 terms: what reaches loss along different ways adds up."
    at_w = next(step for step in said if step["headline"] == "A new number for w")
    assert at_w["formula"] == ["w ← w - rate·grad(w)", "= (-3.0000) - 0.1·0.0000", "= -3.0000"]


def test_what_the_table_cuts_is_said():
    a = Value(-1.0, label="a")
    said = run(SAID + "console.log(JSON.stringify(all.map(spoken)));", explore(ops.relu(a) + ops.detach(a)).data)
    last = next(text for text in said if text.startswith("Backward. The gradient of a"))
    assert "= 0 + 0 = 0.0000" in last
    assert "slope 0 by definition, nothing passes" in last
    assert "nothing passes)" in last


def test_no_sentence_lacks_a_number():
    said = run(SAID + "console.log(JSON.stringify(all.map(spoken)));", explore(everything()).data)
    assert len(said) > 100
    assert not [text for text in said if "undefined" in text or "NaN" in text or "[object" in text]


LAID = """
import { layout } from "SOURCES/layout.js";
const { boxes, edges } = given;
const made = layout(boxes, edges);
console.log(JSON.stringify({ x: [...made.x], y: [...made.y], ways: made.ways }));
"""


def laid(count, edges):
    boxes = [{"w": 100, "h": 50, "cluster": -1} for _ in range(count)]
    return run(LAID, {"boxes": boxes, "edges": [{"tail": a, "head": b} for a, b in edges]})


def test_arrows_go_to_the_right_and_boxes_do_not_overlap():
    rng = random.Random(3)
    edges = [(rng.randrange(k), k) for k in range(1, 120)] + [(rng.randrange(k), k) for k in range(2, 120)]
    edges = list(dict.fromkeys(edges))
    made = laid(120, edges)
    x, y = made["x"], made["y"]
    assert all(x[a] < x[b] for a, b in edges)
    boxes = list(zip(x, y, strict=True))
    for k, (ax, ay) in enumerate(boxes):
        assert all(abs(ax - bx) >= 100 or abs(ay - by) >= 50 for bx, by in boxes[:k])
    for (a, b), way in zip(edges, made["ways"], strict=True):
        assert way[0] == pytest.approx([x[a] + 50, y[a]])
        assert way[-1] == pytest.approx([x[b] - 50, y[b]])


def test_a_cycle_is_drawn_all_the_same():
    made = laid(3, [(0, 1), (1, 2), (2, 0)])
    assert made["x"] == sorted(made["x"])


def test_two_crossed_pairs_are_uncrossed():
    made = laid(4, [(0, 3), (1, 2)])
    y = made["y"]
    assert (y[0] - y[1]) * (y[3] - y[2]) > 0


def test_no_box_at_all():
    assert laid(0, [])["ways"] == []


FOLDED = """
import { Graph } from "SOURCES/graph.js";
import { Fold } from "SOURCES/fold.js";
const graph = new Graph(given);
const fold = new Fold(given.folds[0], graph);
const count = (open) => fold.visible(open).items.length;
const first = fold.firstOpen();
const g = fold.titles.indexOf("layers[1]");
const one = new Set([g]);
console.log(JSON.stringify({
  top: fold.top.map((group) => fold.titles[group]), none: count(new Set()), first: count(first), one: count(one),
  back: count(fold.foldedAt(g, fold.allOpen(one, g))), all: count(fold.allOpen(first)),
  to: [...fold.openTo(0, new Set())].map((group) => fold.titles[group]),
  edges: fold.visible(new Set()).edges.map((edge) => edge.many),
}));
"""


def test_groups_fold_and_unfold():
    model = MLP(2, [3, 3, 1], activation="tanh", rng=random.Random(0))
    loss = binary_cross_entropy(model([Value(0.5), Value(1.0)]), 1.0)
    made = run(FOLDED, explore(loss, model=model).data)
    assert sorted(made["top"]) == ["inputs", "layers[0]", "layers[1]", "layers[2].neurons[0]", "loss"]
    assert made["none"] == made["back"] == 5
    assert made["one"] == 5 - 1 + 3
    assert made["first"] <= 48 <= made["all"]
    assert sorted(made["edges"]) == [2, 3, 6, 9]  # score, last layer, and two layers of products
    assert made["to"][0].startswith("layers")
