"""Pages full of hostile names, in a real browser: nothing of them runs, and nothing of them becomes an element."""

import random

import hostile
import numpy as np
import pytest
from browser import browser, watched

from micrograd_mlp import Value, explore
from micrograd_mlp.drawing import draw
from micrograd_mlp.drawing.report import write_report

# Texts that would run in a page that took them for more than texts; all set the same variable.
CANARY = "window.__pwned = 1"
RUNNING = [text for text in hostile.TEXTS if "__pwned" in text] + [
    f'"><script>{CANARY}</script>',
    f"'><img src=x onerror='{CANARY}'>",
    f"</script><script>{CANARY}</script><script>",
    f"<!--<script>{CANARY}",
    f"\\u003cscript>{CANARY}\\u003c/script>",
    f"{{{{constructor.constructor('{CANARY}')()}}}}",
    f"${{{CANARY}}}",
    f'"}}; {CANARY}; //',
    f"`; {CANARY}; `",
    f"</title><script>{CANARY}</script>",
    f"</textarea></style></template></noscript><script>{CANARY}</script>",
    f"]]><script xmlns='http://www.w3.org/1999/xhtml'>{CANARY}</script>",
    f'<svg xmlns="http://www.w3.org/2000/svg" onload="{CANARY}"/>',
    f"<math><mtext></mtext><script>{CANARY}</script></math>",
    f"<details open ontoggle='{CANARY}'><summary>x</summary></details>",
    f"<a href='java\tscript:{CANARY}'>x</a>",
    f"<base href='https://example.org/'><script>{CANARY}</script>",
    f"<meta http-equiv=refresh content='0;url=javascript:{CANARY}'>",
    f"<form action='javascript:{CANARY}'><button>x</button></form>",
    f"<link rel=stylesheet href='javascript:{CANARY}'>",
    f"\u202e<script>{CANARY}</script>\u202c",
    f"\0<script\0>{CANARY}</script>",
    f"＜script＞{CANARY}＜/script＞",
]
LABELS = [*dict.fromkeys([*RUNNING, *hostile.TEXTS])]
FOREIGN = ["SCRIPT", "IFRAME", "OBJECT", "EMBED", "BASE", "FORM", "LINK", "META", "TEMPLATE"]
# The names of elements of these kinds, and of attributes that run something.
STRANGE = f"""() => [...document.querySelectorAll("*")].flatMap((element) => [
  ...{FOREIGN}.filter((name) => name === element.tagName.toUpperCase()),
  ...[...element.attributes]
    .filter(({{ name, value }}) => /^on/i.test(name) || /^\\s*javascript:/i.test(value))
    .map(({{ name }}) => name).filter((name) => !/title|alt|label/.test(name)),
]).sort()"""
OPENED = "globalThis.explorer && explorer.view.frames > 0"


@pytest.fixture(scope="module")
def chromium():
    with browser() as opened:
        yield opened


@pytest.fixture
def page(chromium):
    with watched(chromium, ("file:", "blob:", "data:")) as opened:
        opened.on("dialog", lambda dialog: dialog.dismiss())
        yield opened


def until(page, expression):
    for _ in range(200):
        if page.evaluate(f"Boolean({expression})"):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {expression}")


def unharmed(page):
    assert page.evaluate("window.__pwned") is None


def graph(labels):
    """Return a sum of products, each Value of which has one of the labels."""
    labels, total = iter(labels), Value(0.0, label="start")
    for k, label in enumerate(labels):
        product = Value(float(k), label=label) * Value(0.5, label=next(labels, ""))
        product.label = next(labels, "")
        total = total + product
        total.label = next(labels, "")
    return total


@pytest.mark.parametrize("part", range(3))
def test_the_explorer_shows_texts_as_texts(page, tmp_path, part):
    labels = LABELS[part::3]
    loss = graph(labels)
    out = explore(loss, title=LABELS[part]).save(tmp_path / "page.html")
    page.goto(out.as_uri())
    until(page, OPENED)
    own = page.evaluate(STRANGE)
    assert own == sorted(["LINK", "META", "META", "META", "SCRIPT", "SCRIPT"])
    for place in range(0, page.evaluate("explorer.numbers.count ?? 8"), 3):
        page.evaluate(f"explorer.actions.current.pick({place})")
    last = int(page.locator("#scrubber").get_attribute("max"))
    for t in range(0, last, max(1, last // 25)):
        page.locator("#scrubber").evaluate(
            "(slider, t) => { slider.value = t; slider.dispatchEvent(new Event('input', { bubbles: true })); }", t
        )
    page.mouse.move(600, 400)
    assert page.evaluate(STRANGE) == own
    unharmed(page)


def test_an_explorer_in_a_notebook_stays_in_its_frame(page, tmp_path):
    frames = "".join(explore(graph(LABELS[k::9]), title=label)._repr_html_() for k, label in enumerate(RUNNING[:9]))
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><title>x</title><body>{frames}", "utf-8", "replace")
    page.goto(path.as_uri())
    assert page.evaluate(STRANGE) == ["IFRAME"] * 9 + ["META"]
    assert len(page.frames) == 10
    for frame in page.frames:
        assert frame.evaluate("window.__pwned") is None


def test_pictures_are_documents_without_anything_that_runs(page, tmp_path):
    out = graph(LABELS)
    out.backward()
    path = draw(out, title=RUNNING[0], level="scalar", edges=True, timeout=100).save(tmp_path / "graph.svg")
    page.goto(path.as_uri())
    assert page.evaluate(STRANGE) == []
    assert page.evaluate("document.querySelectorAll('g.node').length") > len(LABELS)
    links = (
        "[...document.querySelectorAll('a')].flatMap((a) => a.getAttributeNames().filter((n) => n.endsWith('href')))"
    )
    assert page.evaluate(links) == []
    unharmed(page)


def test_the_report_shows_texts_as_texts(page, tmp_path):
    count = len(RUNNING)
    (tmp_path / "picture.svg").write_text(
        f"<svg xmlns='http://www.w3.org/2000/svg' onload='{CANARY}'><script>{CANARY}</script></svg>"
    )
    path = write_report(
        tmp_path / "report.html", title=RUNNING[0], summary=[(label, label) for label in LABELS], notes=LABELS,
        pictures=[(label, tmp_path / "picture.svg", label) for label in RUNNING[:5]],
        confusion=np.eye(count), classes=RUNNING,
    )  # fmt: skip
    page.goto(path.as_uri())
    assert page.evaluate(STRANGE) == ["META"] * page.locator("meta").count()
    assert page.locator("img").count() == 5
    assert RUNNING[0].split()[0] in page.locator("h1").inner_text()
    unharmed(page)


@pytest.fixture
def playground(chromium):
    pytest.importorskip(
        "starlette", reason="the playground's server is not installed: pip install 'micrograd-mlp[play]'"
    )
    pytest.importorskip("uvicorn", reason="the playground's server is not installed: pip install 'micrograd-mlp[play]'")
    from served import serve

    with serve() as served:
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        foreign = []
        page.on(
            "request",
            lambda each: each.url.startswith((f"{served.base}/", "blob:", "data:")) or foreign.append(each.url),
        )
        page.goto(f"{served.address}#samples=40&hidden=2&speed=0")
        page.wait_for_selector("#play")
        yield page
        page.close()
        assert foreign == []


def test_the_playground_shows_names_in_files_as_texts(playground, tmp_path):
    page, rng = playground, random.Random(0)
    own = page.evaluate(STRANGE)
    for k in range(0, 30, 6):
        names = [label.replace('"', '""') for label in (RUNNING[k % len(RUNNING)], *RUNNING[k + 1 : k + 6])]
        rows = [f'"{names[0]}","{names[1]}x","kind"'] + [
            f'{rng.random()},{rng.random()},"{names[2 + j % 3]}{j % 3}"' for j in range(12)
        ]
        path = tmp_path / f"points{k}.csv"
        path.write_text("\n".join(rows), "utf-8")
        page.set_input_files("#csv", path)
        page.wait_for_timeout(300)
        page.click("#step")
        page.mouse.move(900, 300)
    bad = tmp_path / "<img src=x onerror=window.__pwned=1>.csv"
    bad.write_text(f'"{CANARY}<img src=x onerror={CANARY}>",b,c\n1,2,x\noops,1,y\n')
    page.set_input_files("#csv", bad)
    page.wait_for_selector(".trouble p:has-text('<img')")  # what was said of files before may be there still
    address = page.url.partition("#")[0]
    page.goto("about:blank")  # another part after the # alone would load nothing
    page.goto(f"{address}#loss=<img src=x onerror=window.__pwned=1>&samples=</script><script>window.__pwned=1</script>")
    page.wait_for_timeout(500)
    assert page.evaluate(STRANGE) == own
    unharmed(page)


def test_the_canary_would_sing(chromium):
    page = chromium.new_page()
    page.set_content(
        f"<p>{RUNNING[3]}</p><p>{hostile.TEXTS[hostile.TEXTS.index('<img src=x onerror=window.__pwned=1>')]}</p>"
    )
    page.wait_for_function("window.__pwned === 1")
    assert "onerror" in page.evaluate(STRANGE)
    page.close()
