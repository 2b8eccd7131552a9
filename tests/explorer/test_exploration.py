"""`explore`: what it takes, what it refuses, and the page that it writes."""

import base64
import hashlib
import json
import random
import re
from array import array
from html import unescape

import pytest

from micrograd_mlp import MLP, Recording, Value, explore, fit
from micrograd_mlp.datasets import moons
from micrograd_mlp.explorer import Explorer, policy
from micrograd_mlp.explorer.model import packed
from micrograd_mlp.optim import Adam


@pytest.fixture
def loss():
    a, b = Value(2.0, label="a"), Value(-3.0, label="</script><b>")
    out = (a * b + 1.5).tanh()
    out.label = "loss"
    return out


def numbers(packed_array):
    return list(array(packed_array["kind"], base64.b64decode(packed_array["bytes"])))


def test_the_data_hold_the_graph(loss):
    data = explore(loss, title="T").data
    names = [row["name"] for row in data["rules"]]
    codes = numbers(data["codes"])
    assert [names[code - 1] if code else "" for code in codes] == ["", "", "mul", "add", "tanh"]
    assert numbers(data["args"]) == [0, 1, 2, ~0, 3]
    assert numbers(data["numbers"]) == [1.5]
    assert numbers(data["leaves"]) == [2.0, -3.0]
    assert data["outputs"] == [4]
    assert data["labels"] == {0: "a", 1: "</script><b>", 4: "loss"}
    assert data["select"] == -1


def test_no_gradient_is_touched(loss):
    loss.grad = 7.0
    explore(loss)
    assert loss.grad == 7.0


def test_the_page_is_whole_and_loads_nothing(loss, tmp_path):
    path = explore(loss, title="<i>").save(tmp_path / "page.html")
    page = path.read_text(encoding="utf-8")
    assert "<title>&lt;i&gt; ·" in page
    assert not re.findall(r"(?:src|href)=\"(?!data:,)", page)
    assert page.count("<script") == page.count("</script>") == 2  # labels cannot end them
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert data["labels"]["1"] == "</script><b>"


def test_the_policy_knows_the_script_and_the_style_by_their_hashes(loss):
    page = explore(loss).html
    said = unescape(re.search(r'Content-Security-Policy" content="(.*?)"', page)[1])
    assert said == policy() == explore(loss).policy
    assert said.startswith("default-src 'none';")
    for tag in ("script", "style"):
        text = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[0]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in said


def test_a_server_may_give_a_nonce(loss):
    page = explore(loss).with_nonce("abcdefghijklmnop")
    assert page.count('nonce="abcdefghijklmnop"') == 2
    assert "script-src 'nonce-abcdefghijklmnop'" in unescape(page)
    with pytest.raises(ValueError, match="a nonce is at least 16 characters of base64, got 'x'"):
        explore(loss).with_nonce("x")


def test_in_a_notebook_it_shows_itself_in_a_sandbox(loss):
    shown = explore(loss)._repr_html_()
    assert re.search(r'sandbox="allow-scripts allow-downloads"', shown)
    assert "same-origin" not in shown
    assert unescape(re.search(r'srcdoc="(.*?)" sandbox', shown, re.DOTALL)[1]) == explore(loss).html
    assert repr(explore(loss)) == "<Explorer: 5 Values; save('explorer.html') writes the page>"


def test_a_network_is_explored_at_a_point(tmp_path):
    model = MLP(2, [3, 2], rng=random.Random(0))
    explorer = explore(model, [0.5, -1.0], path=tmp_path / "network.html")
    assert isinstance(explorer, Explorer)
    assert (tmp_path / "network.html").read_text(encoding="utf-8") == explorer.html
    assert len(explorer.data["outputs"]) == 2
    assert "x[0]" in explorer.data["labels"].values()
    assert len(explorer.data["parameters"]) == len(model.parameters())


def test_the_epochs_of_a_training_are_in_it():
    X, y = moons(n=20, noise=0.1, seed=0)
    model, record = MLP(2, [3, 1], rng=random.Random(0)), Recording()
    fit(model, X, y, epochs=4, record=record, engine="python")
    out = model([Value(0.1), Value(0.2)])
    held = explore(out, model=model, record=record).data["record"]
    assert held["epochs"] == [0, 1, 2, 3, 4]
    weights = numbers(held["weights"])
    assert weights[-len(model.parameters()) :] == [parameter.data for parameter in model.parameters()]
    assert len(weights) == 5 * len(held["parameters"])
    with pytest.raises(ValueError, match=r"record holds no epoch of a parameter in this graph; pass it to fit"):
        explore(Value(1.0) * 2, record=record)


def test_the_update_is_the_next_step_of_an_optimizer():
    w = Value(1.0, label="w[0]")
    optimizer = Adam([w], lr=0.25)
    w.grad = 2.0
    optimizer.step()
    update = explore(w * w, optimizer=optimizer).data["update"]
    assert (update["name"], update["lr"], update["step"]) == ("Adam", 0.25, 2)
    assert update["memory"] == {0: list(optimizer.memories[0])}


def test_it_opens_at_a_value(loss):
    assert explore(loss, select=loss).data["select"] == 4
    with pytest.raises(ValueError, match="select takes a Value of this graph, got Value"):
        explore(loss, select=Value(1.0))


def test_numbers_that_json_lacks_are_kept():
    data = explore(Value(float("inf")) * Value(float("nan"))).data
    assert str(numbers(data["leaves"])) == "[inf, nan]"
    own = explore(Value(float("inf"), (Value(1.0),), "own", local_grads=(float("nan"),))).data["own"]
    assert own == {1: {"data": "inf", "slopes": ["nan"]}}
    assert numbers(packed("i", [1, -1])) == [1, -1]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            ("text",),
            TypeError,
            r"explore takes a Value, a sequence of Values, or a network and an input, explore\(model",
        ),
        (([],), ValueError, "explore takes a Value"),
        ((Value(1.0), [1.0]), TypeError, r"an input x goes with a network, explore\(model, x\)"),
        ((MLP(2, [1]),), TypeError, r"a network is drawn at one input: explore\(model, x\)"),
    ],
)
def test_what_it_refuses(given, error, message):
    with pytest.raises(error, match=message):
        explore(*given)


def test_another_suffix_is_refused(loss, tmp_path):
    with pytest.raises(ValueError, match=r"an explorer is written as \.html, got "):
        explore(loss).save(tmp_path / "page.svg")


def test_a_title_may_hold_what_no_file_can():
    page = explore(Value(1.0, label="\ud800") + 1.0, title="\ud800\0" + "x" * 1_000_000)
    page.html.encode()
    assert "<title>  " + "x" * 197 + "… · Micrograd-MLP explorer</title>" in page.html
    page._repr_html_().encode()
