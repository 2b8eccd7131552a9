"""In a real browser: every control is used, and its effect is asserted on what the server streams."""

import json
from contextlib import contextmanager
from itertools import pairwise

import pytest

pytest.importorskip("starlette", reason="the playground's server is not installed: pip install 'micrograd-mlp[play]'")
pytest.importorskip("uvicorn", reason="the playground's server is not installed: pip install 'micrograd-mlp[play]'")
from browser import browser as open_browser
from served import serve

# Keeps the newest state and frame that the page has been sent.
LISTEN = """
window.told = {state: null, frame: null, runs: 0};
const Source = window.EventSource;
window.EventSource = class extends Source {
  constructor(...args) {
    super(...args);
    window.told.runs += 1;
    this.addEventListener("message", (event) => {
      const news = JSON.parse(event.data);
      if (news.state) window.told.state = news.state;
      if (news.frame) window.told.frame = news.frame;
    });
  }
};
"""


@pytest.fixture(scope="module")
def browser():
    with open_browser() as found, serve() as served:
        yield served, found


@contextmanager
def opened(browser, query="samples=60&hidden=3,2", **options):
    """Open the page; afterwards nothing has gone wrong in it, and nothing has left the machine."""
    served, chromium = browser
    page = chromium.new_page(viewport={"width": 1280, "height": 800}, **options)
    page.set_default_timeout(15_000)
    wrong, foreign = [], []
    page.on("console", lambda message: message.type in ("error", "warning") and wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    allowed = (f"{served.base}/", "blob:", "data:")
    page.on("request", lambda request: request.url.startswith(allowed) or foreign.append(request.url))
    page.add_init_script(LISTEN)
    page.goto(f"{served.address}#{query}")
    page.wait_for_selector("#play")
    yield page
    page.close()
    assert foreign == []
    assert [text for text in wrong if "422" not in text] == []  # what the server refuses is shown to the user


@pytest.fixture
def page(browser):
    with opened(browser) as found:
        yield found


def until(page, test):
    page.wait_for_function(f"() => {{ const {{state, frame, runs}} = window.told; return {test}; }}", polling=30)


def settings(page, name, value):
    until(page, f"JSON.stringify(state.settings.{name}) === '{json.dumps(value, separators=(',', ':'))}'")


def test_play_pause_step_rewind_and_the_epochs(page):
    page.click("#play")
    until(page, "frame.epoch > 5 && frame.playing")
    page.click("#play")
    until(page, "!frame.playing")
    epoch = page.evaluate("told.frame.epoch")
    page.click("#step")
    until(page, f"frame.epoch === {epoch + 1}")
    page.wait_for_function(f"() => document.querySelector('#epoch').textContent === '000,{epoch + 1:03}'")
    page.click("#rewind")
    until(page, "frame.epoch === 0")
    page.keyboard.press("s")
    until(page, "frame.epoch === 1")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Space")
    until(page, "frame.playing")
    page.keyboard.press("r")
    until(page, "frame.epoch === 0 && !frame.playing")


@pytest.mark.parametrize(
    ("control", "option", "name", "value"),
    [
        ("#speed", "0", "speed", 0),
        ("#lr", "0.3", "lr", 0.3),
        ("#activation", "relu", "activation", ["relu", "relu"]),
        ("#regularization", "l2", "regularization", "l2"),
        ("#loss", "hinge", "loss", "hinge"),
        ("#optimizer", "adam", "optimizer", "adam"),
        ("#momentum", "0.9", "momentum", 0.9),
        ("#output", "tanh", "output", "tanh"),
        ("#kind", "regression", "kind", "regression"),
        ("select.activation[data-layer='1']", "sigmoid", "activation", ["tanh", "sigmoid"]),
    ],
)
def test_lists(page, control, option, name, value):
    page.select_option(control, option)
    settings(page, name, value)
    page.wait_for_function(f"() => location.hash.includes('{name}=')")


def test_other_numbers_schedules_stop_rules_and_seeds(page):
    page.select_option("#lr", "other")
    page.fill("#lr", "0.042")
    page.press("#lr", "Enter")
    settings(page, "lr", 0.042)
    page.select_option("#regularization", "l1")
    settings(page, "regularization", "l1")
    page.select_option("#rate", "0.01")
    settings(page, "rate", 0.01)
    page.select_option("#schedule", "cosine")
    settings(page, "schedule", "cosine")
    page.get_by_text("Stop rules").click()
    page.get_by_text("Seeds", exact=True).click()
    for name, text, value in [
        ("horizon", "70", 70), ("stop_loss", "0.001", 0.001), ("stop_accuracy", "99", 0.99), ("patience", "500", 500),
        ("seed", "5", 5), ("init_seed", "6", 6), ("stop_epochs", "3", 3),
    ]:  # fmt: skip
        page.fill(f"#{name}", text)
        page.press(f"#{name}", "Enter")
        settings(page, name, value)
    page.select_option("#init", "uniform")
    settings(page, "init", "uniform")
    page.click("#play")
    until(page, "frame.epoch === 3 && state.ended === 'epochs'")
    assert page.text_content("#ended") == "Stopped after 3 epochs."


def test_sliders_problems_and_new_points(page):
    for name, value in [("samples", 100), ("noise", 0.25), ("batch", 20)]:
        page.fill(f"#{name}", str(value))
        settings(page, name, value)
    page.fill("#test_share", "50")
    settings(page, "test_share", 0.5)
    box = page.get_by_label("Points, as a number")
    box.fill("1500")
    box.press("Enter")
    settings(page, "samples", 1500)
    seed = page.evaluate("told.state.settings.seed")
    page.click("#regenerate")
    until(page, f"state.settings.seed !== {seed}")
    page.click("[data-problem='rings']")
    settings(page, "problem", "rings")
    until(page, "state.outputs === 3 && frame.winner")
    page.check("#show_test")
    settings(page, "show_test", True)
    page.check("#discretize")
    settings(page, "discretize", True)


def test_features_layers_and_neurons(page):
    page.click("button[aria-label='Feature sin πx₁']")
    settings(page, "features", ["x1", "x2", "sinx1"])
    page.click("button[aria-label='Feature x₁']")
    settings(page, "features", ["x2", "sinx1"])
    page.click("#add-layer")
    settings(page, "hidden", [3, 2, 2])
    page.click("#remove-layer")
    settings(page, "hidden", [3, 2])
    page.click("button.more[data-layer='1']")
    settings(page, "hidden", [3, 3])
    page.click("button.fewer[data-layer='0']")
    settings(page, "hidden", [2, 3])
    page.get_by_label("Neurons in layer 1").fill("20")
    page.get_by_label("Neurons in layer 1").press("Enter")
    settings(page, "hidden", [20, 3])
    until(page, "atob(frame.weights).length === 4 * state.parameters")
    weights = page.evaluate("told.frame.weights")
    page.click("#reset")
    until(page, f"frame.weights !== '{weights}'")


def test_a_neuron_shows_its_map_and_its_numbers_can_be_written(page):
    map_of_output = page.evaluate("told.frame.map")
    page.hover("[data-level='1'][data-index='0']")
    until(page, f"frame.map !== '{map_of_output}'")
    page.click("[data-level='1'][data-index='0']")
    page.hover("h2:text('Learning')")
    until(page, f"frame.map === '{map_of_output}'")
    last = "new Float32Array(Uint8Array.from(atob(frame.weights), (c) => c.charCodeAt(0)).buffer)"
    page.fill("[data-weight='layers[0].neurons[0].b']", "1.5")
    page.press("[data-weight='layers[0].neurons[0].b']", "Enter")
    until(page, f"{last}[2] === 1.5")
    page.fill("[data-weight='layers[0].neurons[0].w[1]']", "-2.5")
    page.press("[data-weight='layers[0].neurons[0].w[1]']", "Enter")
    until(page, f"{last}[1] === -2.5")
    page.click("[data-level='3']")  # the output, whose bias is there as well
    page.fill("[data-weight='layers[2].neurons[0].b']", "0.75")
    page.press("[data-weight='layers[2].neurons[0].b']", "Enter")
    until(page, f"{last}.at(-1) === 0.75")
    page.click("#forget")
    assert page.locator("#why").count() == 0
    page.locator("path.hit").first.dispatch_event("click")
    page.wait_for_selector("#why")
    page.locator("path.hit").first.dispatch_event("mousemove")
    assert "x₁ → layer 1, neuron 1: weight" in page.text_content(".tip")


def test_a_point_and_a_weight_open_the_explorer_with_the_numbers_of_now(page):
    page.click("#step")
    until(page, "frame.epoch === 1")
    x, y = page.evaluate(
        """() => { const { state } = told, r = state.reach;
                   const x = new Float32Array(Uint8Array.from(atob(state.points.x), (c) => c.charCodeAt(0)).buffer);
                   const i = [...atob(state.points.held)].findIndex((c, k) => k > 20 && !c.charCodeAt(0));
                   window.nth = i; const box = document.querySelector('.dots').getBoundingClientRect();
                   return [(x[2 * i] / r + 1) / 2 * box.width, (1 - x[2 * i + 1] / r) / 2 * box.height]; }"""
    )
    page.click(".dots", position={"x": x, "y": y})
    page.click("[data-level='2'][data-index='1']")
    index = page.evaluate("window.nth")
    assert f"at point {index}: (" in page.text_content(".inspector")
    with page.expect_popup() as popup:
        page.click("#why")
    explorer = popup.value
    explorer.wait_for_load_state()
    wrong = []
    explorer.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    explorer.on("pageerror", lambda error: wrong.append(str(error)))
    explorer.reload()
    explorer.wait_for_load_state()
    assert explorer.title().startswith(f"The loss at point {index} after 1 epochs")
    assert "layers[1].neurons[1].b" in explorer.content()
    assert wrong == []
    explorer.close()


def middle(page, dx=0, dy=0):
    box = page.locator(".dots").first.bounding_box()
    return box["x"] + box["width"] / 2 + dx, box["y"] + box["height"] / 2 + dy


def test_points_are_painted_moved_and_erased(page):
    page.click("[data-problem='own']")
    until(page, "state.points.y === ''")
    assert page.is_disabled("#play")
    page.select_option("#classes", "3")
    settings(page, "classes", 3)
    page.click("[data-tool='paint']")
    for k in range(3):
        page.click(f"[data-brush='{k}']")
        page.mouse.move(*middle(page, 60 * k - 60, -50))
        page.mouse.down()
        page.mouse.move(*middle(page, 60 * k - 60, 50), steps=12)
        page.mouse.up()
    until(page, "atob(state.points.y).length >= 4 * 9 && state.ready")
    page.wait_for_function("() => location.hash.includes('points=')")
    page.click("#play")
    until(page, "frame.epoch > 3")
    count = page.evaluate("atob(told.state.points.y).length / 4")
    x = page.evaluate("told.state.points.x")
    page.click("[data-tool='move']")
    page.mouse.move(*middle(page, -60, -50))
    page.mouse.down()
    page.mouse.move(*middle(page, -100, -100), steps=4)
    page.mouse.up()
    until(page, f"state.points.x !== '{x}'")
    page.wait_for_function(  # the last of the moves has come back
        """() => { const { points, reach } = told.state, width = document.querySelector('.dots').clientWidth;
                   const x = new Float32Array(Uint8Array.from(atob(points.x), (c) => c.charCodeAt(0)).buffer);
                   const at = (200 / width) * reach;
                   return x.some((x1, k) => k % 2 === 0 && Math.hypot(x1 + at, x[k + 1] - at) < reach / 50); }"""
    )
    page.click("[data-tool='erase']")
    page.mouse.click(*middle(page, -100, -100))
    until(page, f"atob(state.points.y).length === 4 * {count - 1}")
    page.focus(".dots")
    page.click("[data-tool='paint']")
    page.focus(".dots")
    for key in ("ArrowLeft", "ArrowUp", "Shift+ArrowUp", "Enter"):
        page.keyboard.press(key)
    until(page, f"atob(state.points.y).length === 4 * {count}")
    page.click("#clear")
    until(page, "state.points.y === '' && !state.ready")


def test_own_points_and_the_whole_state_are_in_the_address(browser, page):
    page.click("[data-tool='paint']")
    page.mouse.click(*middle(page))
    until(page, "state.edited")
    page.select_option("#lr", "0.3")
    settings(page, "lr", 0.3)
    page.wait_for_function("() => location.hash.includes('points=') && location.hash.includes('lr=0.3')")
    query, points = page.evaluate("[location.hash.slice(1), told.state.points]")
    with opened(browser, query) as other:
        assert other.evaluate("told.state.settings") == page.evaluate("told.state.settings")
        assert len(other.evaluate("told.state.points.x")) == len(points["x"])


def test_files_of_points(page, tmp_path):
    good, bad = tmp_path / "own.csv", tmp_path / "bad.csv"
    good.write_text("a,b,kind\n" + "".join(f"{k},{k * k},{'xyz'[k % 3]}\n" for k in range(30)))
    bad.write_text("a,b,kind\n1,2,x\n3,oops,y\n")
    page.set_input_files("#csv", good)
    until(page, "state.classes.join() === 'x,y,z' && state.axes.join() === 'a,b'")
    page.set_input_files("#csv", bad)
    page.wait_for_selector(".trouble p")
    assert "bad.csv, line 3, column 2 (b): a number is needed, got 'oops'" in page.text_content(".trouble")
    assert page.evaluate("told.state.classes.join()") == "x,y,z"
    page.click(".trouble button")


def test_everything_can_be_taken_home_and_the_session_brought_back(page, tmp_path):
    page.click("#step")
    until(page, "frame.epoch === 1")
    begins = {
        "model": b"",
        "history": b"epoch,loss",
        "code": b'"""A run',
        "picture": b"\x89PNG",
        "session": b'{"format"',
    }
    for what, begin in begins.items():
        with page.expect_download() as download:
            page.click(f"[data-get='{what}']")
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert path.read_bytes().startswith(begin)
    weights = page.evaluate("told.frame.weights")
    page.click("[data-problem='moons']")
    settings(page, "problem", "moons")
    page.set_input_files("#session", tmp_path / "session.json")
    until(page, f"runs === 2 && frame.weights === '{weights}' && frame.epoch === 1")
    page.set_input_files("#session", tmp_path / "history.csv")
    page.wait_for_selector(".trouble p")
    assert "no saved session" in page.text_content(".trouble")


def test_divergence_is_explained_and_mended(browser):
    query = "kind=regression&problem=slope&loss=mse&samples=60&hidden=3&activation=linear&lr=100&speed=0"
    with opened(browser, query) as page:
        page.click("#play")
        page.wait_for_selector("#ended")
        until(page, "state.ended === 'diverged'")
        text = page.text_content("#ended")
        assert "Diverged. A number became inf or nan in epoch" in text
        assert "the largest is layers[" in text
        page.click("#gentler")
        settings(page, "lr", 10)


def test_two_runs_are_compared(page):
    page.click("#compare")
    until(page, "runs === 2")
    page.wait_for_selector("[data-run='1'][aria-pressed='true']")
    page.select_option("#lr", "0.3")
    page.wait_for_function(
        "() => location.hash.split('|').length === 2 && location.hash.split('|')[1].includes('lr=0.3')"
    )
    page.click("#play")
    page.wait_for_function("() => [...document.querySelectorAll('#loss_now')].every((td) => td.textContent !== '–')")
    page.click("[data-run='0']")
    page.wait_for_function("() => document.querySelector('#lr').value === '0.03'")
    page.wait_for_function("() => Number(document.querySelector('#epoch').textContent.replace(',', '')) > 2")
    page.click("#compare")
    page.wait_for_function("() => !location.hash.includes('|')")
    assert page.locator(".plane").count() == 1


def test_a_page_that_is_hidden_does_not_train_and_one_that_is_left_ends_its_session(browser):
    served, _ = browser
    with opened(browser) as page:
        asked = []
        page.on("request", lambda request: asked.append(request))  # noqa: PLW0108  # builtins do not do here
        page.click("#play")
        until(page, "frame.epoch > 2")
        hide = (
            "Object.defineProperty(document, 'hidden', {configurable: true, value: %s});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        page.evaluate(hide % "true")
        epochs = (page.evaluate("told.frame.epoch") for _ in range(20) if page.wait_for_timeout(400) is None)
        epoch = next(one for one, after in pairwise(epochs) if one == after)  # it may take a while to be noticed
        page.evaluate(hide % "false")
        until(page, f"frame.epoch > {epoch}")
        path = (
            next(request.url for request in asked if request.url.endswith("/view"))
            .removesuffix("/view")
            .removeprefix(served.base)
        )
    assert served.ask(f"{path}/play", {})[0] == 422


def test_a_closed_run_says_so_and_opens_again(browser, page):
    served, _ = browser
    for _ in range(8):
        served.open("problem=own")
    page.wait_for_selector("#reopen")
    assert "the oldest of 8 that may be open" in page.text_content(".ended")
    page.click("#reopen")
    page.wait_for_selector("#reopen", state="detached")
    page.click("#step")
    until(page, "frame.epoch === 1")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_colours_and_narrow_windows(browser, theme):
    with opened(browser, color_scheme="light" if theme == "dark" else "dark") as page:
        page.select_option(".theme-switch select", theme)
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"
        assert dark == (theme == "dark")
        page.set_viewport_size({"width": 400, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_without_the_token_there_is_no_page(browser):
    served, chromium = browser
    page = chromium.new_page()
    assert page.goto(f"{served.base}/").status == 403
    assert "open the address that" in page.content()
    page.close()
