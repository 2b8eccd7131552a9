"""The explorer in a real browser: what it shows and does, by mouse and keys, against the engine."""

import random
import re

import pytest
from browser import browser, watched

from micrograd_mlp import MLP, Recording, Value, explore, fit, topological_order
from micrograd_mlp.datasets import moons
from micrograd_mlp.losses import hinge, l2, mean


def until(page, expression):
    """Wait until an expression is true. Playwright's own way is refused by the policy of the page."""
    for _ in range(200):
        if page.evaluate(f"Boolean({expression})"):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {expression}")


OPENED = "globalThis.explorer && explorer.view.frames > 0"


@pytest.fixture(scope="module")
def chromium():
    with browser() as opened:
        yield opened


@pytest.fixture
def show(chromium, tmp_path):
    """Return a function that opens the page of a graph; whatever it complains of fails the test."""
    opened = []

    def show(*args, scheme="light", **options):
        path = explore(*args, **options).save(tmp_path / "page.html")
        context = watched(chromium, ("file:", "blob:", "data:"), color_scheme=scheme, accept_downloads=True)
        page = context.__enter__()
        opened.append(context)
        page.goto(path.as_uri())
        until(page, OPENED)
        return page

    yield show
    for context in opened:
        context.__exit__(None, None, None)


def neuron():
    x1, x2 = Value(2.0, label="x1"), Value(0.5, label="x2")
    w1, w2, b = Value(-3.0, label="w1"), Value(1.0, label="w2"), Value(6.0, label="b")
    out = (w1 * x1 + w2 * x2 + b).tanh()
    out.label = "o"
    return out


def network():
    """A network at one point: a graph of some 100 Values."""
    model = MLP(2, [4, 4, 1], activation="tanh", rng=random.Random(3))
    loss = hinge(model([Value(0.5, label="x1"), Value(-1.0, label="x2")]), 1.0)
    loss.label = "loss"
    return model, loss


def step_to(page, t):
    page.locator("#scrubber").evaluate(
        "(slider, t) => { slider.value = t; slider.dispatchEvent(new Event('input', { bubbles: true })); }", t
    )


def test_every_step_says_the_numbers_of_the_engine(show):
    loss = neuron()
    loss.backward()
    page = show(loss)
    order = topological_order(loss)
    made = [value for value in order if value.op]
    for t, value in enumerate(made, 1):
        step_to(page, t)
        assert page.locator(".sentence .phase").inner_text() == "Forward"
        assert page.locator(".formula p").last.inner_text() == f"= {value.data:.4f}"
    for t, value in enumerate(reversed(order), len(made) + 1):
        step_to(page, t)
        assert page.locator(".sentence .phase").inner_text() == "Backward"
        assert page.locator(".formula p").last.inner_text().endswith(f"= {value.grad:.4f}".replace("= 1.0000", "= 1"))
    assert page.locator("#scrubber").get_attribute("max") == str(len(made) + len(order) + 5)


def test_the_buttons_step_and_play(show):
    page = show(neuron())
    assert page.locator(".sentence h2").inner_text() == "Everything is computed."
    page.click("#step")
    assert "step 1 of" in page.locator(".transport .now").inner_text()
    page.get_by_label("One step back").click()
    assert page.locator(".sentence .phase").inner_text() == "Before the start"
    page.select_option(".transport select", label="all in 15 s")
    page.click("#play")
    until(page, "explorer.actions.current.state.t > 2")
    page.click("#play")
    assert page.locator("#play").inner_text() == "Play"
    page.get_by_role("button", name="Backward").click()
    assert page.locator(".sentence h2").inner_text() == "The gradient of o"
    page.get_by_label("To the end").click()
    assert page.locator(".sentence .phase").inner_text() == "Update"


def test_an_update_is_taken_over_and_the_number_falls(show):
    page = show(neuron(), lr=0.5)
    page.get_by_label("To the end").click()
    before = page.evaluate("explorer.numbers.total()")
    page.click("#take-over")
    after = page.evaluate("explorer.numbers.total()")
    assert after < before
    assert f"o after each update: {before:.4f} → {after:.4f}" in page.locator("aside").inner_text()
    page.click("#reset")
    assert page.evaluate("explorer.numbers.total()") == before


def test_a_leaf_is_changed_and_all_is_computed_anew(show):
    page = show(neuron())
    page.evaluate("explorer.actions.current.pick(0)")
    page.get_by_label("value of w1", exact=True).fill("-2.5")
    wanted = neuron()
    w1 = topological_order(wanted)[0]
    assert w1.label == "w1"
    fresh = (Value(-2.5) * 2.0 + 1.0 * 0.5 + 6.0).tanh()
    assert page.evaluate("explorer.numbers.total()") == pytest.approx(fresh.data, rel=1e-12)
    assert re.search(r"✓ -?\d.* by differences, -?\d.* by the chain rule", page.locator(".check").inner_text())
    page.get_by_role("button", name="back to -3.0000").click()
    assert page.evaluate("explorer.numbers.total()") == pytest.approx(wanted.data, rel=1e-12)


def test_a_click_chooses_and_unfolds(show):
    model, loss = network()
    page = show(loss, model=model)
    page.get_by_role("button", name="Fold all", exact=True).click()
    page.wait_for_timeout(400)
    few = page.evaluate("explorer.actions.current.scene.items.length")
    spot = """(title) => { const { scene } = explorer.actions.current; const { view } = explorer;
      const box = scene.items.find((item) => item.title === title); const r = view.canvas.getBoundingClientRect();
      return [box.x * view.scale + view.shift[0] + r.left, box.y * view.scale + view.shift[1] + r.top]; }"""
    page.mouse.click(*page.evaluate(spot, "layers[1]"))
    page.wait_for_timeout(400)
    more = page.evaluate("explorer.actions.current.scene.items.map((item) => item.title)")
    assert len(more) == few + 3
    assert {f"neurons[{k}]" for k in range(4)} <= set(more)
    page.evaluate("explorer.view.fit()")
    page.mouse.click(*page.evaluate(spot, "neurons[2]"))
    page.wait_for_timeout(400)
    page.get_by_role("button", name="Unfold all").click()
    page.wait_for_timeout(400)
    assert page.evaluate("explorer.actions.current.scene.items.length") > 40
    page.evaluate("explorer.actions.current.pick(0)")
    page.locator(".place button").first.click()  # fold the layer around it
    assert "numbers are folded into this box" in page.locator(".node").inner_text()


def test_the_keyboard_alone_is_enough(show):
    page = show(neuron())
    page.locator(".graph").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator(".node h2").inner_text().startswith("o")
    page.keyboard.press("ArrowLeft")
    assert page.locator(".node h2").inner_text().startswith("v4")
    spoken = page.locator("#spoken").inner_text()
    assert spoken.startswith("v4, add, value 0.5000, gradient 0.78")
    assert spoken.endswith("reads 2, read by 1")
    page.keyboard.press("ArrowRight")
    assert page.locator(".node h2").inner_text().startswith("o")
    page.keyboard.press("v")
    assert page.locator(".sentence .phase").inner_text() == "Forward"
    page.keyboard.press(".")
    assert page.locator(".sentence .phase").inner_text() == "Backward"
    page.keyboard.press("Escape")
    assert page.locator(".node").count() == 0
    page.keyboard.press("/")
    page.keyboard.type("mul")
    page.keyboard.press("Enter")
    assert page.locator(".search output").inner_text() == "1 of 2"
    assert page.locator(".node h2").inner_text().startswith("v1")
    page.keyboard.press("Escape")
    page.keyboard.press("Space")
    assert page.locator("#play").inner_text() == "Pause"


def test_the_table_says_the_same(show):
    loss = neuron()
    loss.backward()
    page = show(loss)
    page.get_by_role("button", name="Table").click()
    rows = page.locator(".table tbody tr")
    assert rows.count() == 10
    cells = rows.nth(0).locator("th, td").all_inner_texts()
    assert cells[0].strip() == "w1"
    w1 = topological_order(loss)[0]
    assert cells[3:5] == [f"{w1.data:.4f}", f"{w1.grad:.4f}"]
    rows.nth(9).get_by_role("button", name="o").click()
    assert page.locator(".node h2").inner_text().startswith("o")


def test_the_epochs_of_a_training_are_gone_through(show):
    X, y = moons(n=20, noise=0.1, seed=0)
    model, record = MLP(2, [3, 1], rng=random.Random(0)), Recording()
    fit(model, X, y, epochs=6, record=record, engine="python")
    out = model([Value(0.1), Value(0.2)])
    page = show(out, model=model, record=record, select=model.layers[0].neurons[0].w[0])
    page.locator("#epoch").evaluate(
        "(slider) => { slider.value = 2; slider.dispatchEvent(new Event('input', { bubbles: true })); }"
    )
    column = record.names.index("layers[0].neurons[0].w[0]")
    shown = page.get_by_label("value of layers[0].neurons[0].w[0]", exact=True).input_value()
    assert float(shown) == pytest.approx(record.moments[2].weights[column], rel=1e-5)
    until(page, "document.querySelectorAll('.curve polyline').length === 2")
    until(page, "document.querySelectorAll('.curve polyline')[1].getAttribute('points').split(' ').length === 7")
    for parameter, weight in zip(model.parameters(), record.moments[2].weights, strict=True):
        parameter.data = weight
    fresh = model([Value(0.1), Value(0.2)])
    assert page.evaluate("explorer.numbers.total()") == pytest.approx(fresh.data, rel=1e-12)


def test_the_picture_is_saved_as_svg(show, tmp_path):
    page = show(neuron())
    with page.expect_download() as told:
        page.get_by_role("button", name="Save SVG").click()
    svg = (told.value.path()).read_text(encoding="utf-8")
    assert svg.startswith("<svg ")
    assert ">tanh</text>" in svg
    assert "style=" not in svg
    page.set_content(svg)
    assert page.locator("svg rect").count() > 9


def test_paper_gets_a_picture_on_white(show):
    page = show(neuron(), scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".print svg").is_visible()
    assert page.locator(".print svg rect").first.get_attribute("fill") == "#ffffff"
    assert not page.locator(".graph").is_visible()


def test_dark_and_light_are_chosen_or_the_systems(show):
    page = show(neuron(), scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    page.select_option(".theme-switch select", "light")
    assert page.evaluate(paper) == "rgb(255, 255, 255)" != dark


def test_a_training_graph_opens_folded_and_unfolds(show):
    rng = random.Random(0)
    model = MLP(2, [16, 16, 1], rng=rng)
    points = [[Value(rng.uniform(-1, 1)) for _ in range(2)] for _ in range(100)]
    each = [hinge(model(x), rng.choice([-1.0, 1.0])) for x in points]
    loss = mean(each) + 1e-4 * l2(model.parameters())
    loss.label = "loss"
    loss.backward()
    page = show(loss, model=model)
    assert page.evaluate("explorer.graph.count") == len(topological_order(loss)) > 65_000
    assert page.evaluate("explorer.actions.current.scene.items.length") < 60
    data, gradients = page.evaluate("[[...explorer.numbers.data], [...explorer.numbers.grad]]")
    order = topological_order(loss)
    assert data == pytest.approx([value.data for value in order], rel=1e-12)
    assert gradients == pytest.approx([value.grad for value in order], rel=1e-9, abs=1e-15)
    page.evaluate("explorer.actions.current.pickAndShow(explorer.graph.count >> 1)")
    until(page, "explorer.actions.current.scene.byId.has(explorer.graph.count >> 1)")
    page.select_option("#fold", label="family")
    until(page, "explorer.actions.current.scene.items.some((item) => item.kind === 'family')")


def test_in_a_sandbox_as_in_a_notebook_it_opens(chromium):
    with watched(chromium, ("about:", "data:", "blob:")) as page:
        page.set_content(explore(neuron())._repr_html_())
        frame = page.frame_locator("iframe")
        frame.locator("#step").click()
        assert frame.locator(".sentence .phase").inner_text() == "Forward"
