"""The pictures: what they show is where the model says it is, and the same picture is the same file."""

import io
import math
import subprocess
import sys
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.contour import QuadContourSet
from PIL import Image

from micrograd_mlp import datasets, training
from micrograd_mlp.classifier import Classifier, Scaling
from micrograd_mlp.drawing import boundary, plots, theme
from micrograd_mlp.nn import MLP
from micrograd_mlp.training import Epoch, History

HOSTILE = ("_$\\frac{1}$\n", "a" * 500, "<script>", "日本", "x\x00y", "$")


def with_weights(model, seed=0):
    """Return `model` with the same weights each time, without training it."""
    rng = np.random.default_rng(seed)
    for parameter in model.parameters():
        parameter.data = float(rng.normal())
    return model


def half_plane(at=0.5, slope=4.0):
    """Return a network whose class 1 is x1 > at, and whose doubt around it is as wide as 1 / slope."""
    model = MLP(2, [1])
    model.layers[0].neurons[0].w[0].data, model.layers[0].neurons[0].w[1].data = slope, 0.0
    model.layers[0].neurons[0].b.data = -slope * at
    return model


def classifier(classes=3, seed=1):
    X, y = datasets.blobs(n=20 * classes, centers=classes, seed=seed)
    model = with_weights(MLP(2, [4, 1 if classes == 2 else classes], activation="tanh"), seed)
    return Classifier(model, Scaling.of(X), ("x1", "x2"), tuple(f"c{i}" for i in range(classes))), X, y


def epochs(count, tested=True):
    test = (0.5, 0.75) if tested else (math.nan, math.nan)
    return [Epoch(i, 1 / i, 1 - 1 / (i + 1), *test, 0.1) for i in range(1, count + 1)]


def frames(model, count):
    kept = plots.BoundaryFrames()
    for epoch in epochs(count):
        kept(epoch, with_weights(model, seed=epoch.epoch))
    return kept


def decision_lines(figure):
    return [c for c in figure.axes[0].collections if isinstance(c, QuadContourSet)]


def rings(figure):
    return next(c for c in figure.axes[0].collections if c.get_zorder() == 4).get_offsets()


def legend_texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def saved(figure, folder, name="picture.png"):
    return plots.save_figure(figure, folder / name).read_bytes()


# plot_data


def test_data_are_in_their_units_with_a_marker_for_each_class(tmp_path):
    X, y = np.array([[10.0, -3.0], [20.0, 5.0], [15.0, 1.0]]), np.array([0, 1, 1])
    figure = plots.plot_data(X, y, classes=("no", "yes"), features=("width", "height"))
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("width", "height")
    assert axes.get_xlim()[0] < 10 < 20 < axes.get_xlim()[1]
    first, second = axes.collections
    assert np.array_equal(second.get_offsets(), X[1:])
    assert not np.array_equal(first.get_paths()[0].vertices, second.get_paths()[0].vertices)
    assert legend_texts(figure) == ["no", "yes"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_paper_has_the_colour_of_the_theme(theme, tmp_path):
    X, y = datasets.moons(n=20)
    image = Image.open(io.BytesIO(saved(plots.plot_data(X, y, theme=theme), tmp_path))).convert("RGB")
    paper = tuple(round(255 * part) for part in to_rgb(plots.THEMES[theme].paper))
    assert image.getpixel((0, 0)) == paper


def test_classes_up_to_56_look_different():
    assert len({(theme.marker_of(k), theme.colour_of(k, plots.THEMES["dark"])) for k in range(56)}) == 56


def test_constant_features_and_a_single_point_are_drawn(tmp_path):
    for X in ([[1.0, 7.0], [2.0, 7.0]], [[1e12, 0.0], [1e12, 0.0]]):
        saved(plots.plot_data(X, np.array([0, 1])), tmp_path)
    low, high = plots.plot_data([[3.0, 7.0]], [0]).axes[0].get_ylim()
    assert low < 7 < high


@pytest.mark.parametrize("draw", [plots.plot_data, lambda X, y, **names: plots.plot_boundary(half_plane(), X, y)])
def test_hostile_names_are_drawn_as_text(draw, tmp_path):
    X, y = np.arange(12.0).reshape(6, 2), np.arange(6) % 2
    saved(draw(X, y, classes=HOSTILE, features=HOSTILE[2:]), tmp_path)


def test_hostile_names_stay_on_one_line_and_are_no_formula():
    assert [theme.drawable(name) for name in HOSTILE] == [
        "_\\$\\frac{1}\\$ ", "a" * 23 + "…", "<script>", "日本", "x y", "\\$"
    ]  # fmt: skip


# plot_boundary


@pytest.mark.parametrize(("classes", "count"), [(2, 1), (3, 3)])
def test_decision_lines_lie_where_the_two_likeliest_classes_are_as_probable(classes, count):
    known, X, y = classifier(classes)
    lines = decision_lines(plots.plot_boundary(known, X, y))
    P = np.sort(known.predict_proba(np.concatenate([path.vertices for line in lines for path in line.get_paths()])))
    assert len(lines) == count
    assert np.abs(P[:, -1] - P[:, -2]).max() < 1e-3  # the lines are straight within cells of 1/200 of the picture


def test_decision_line_of_a_step_is_not_ragged():
    (line,) = decision_lines(plots.plot_boundary(half_plane(at=0.5, slope=600.0), [[0.0, 0.0], [1.03, 1.0]], [0, 1]))
    assert np.abs(line.get_paths()[0].vertices[:, 0] - 0.5).max() < 1e-9


def test_shade_is_paper_in_doubt_and_the_colour_of_the_class_in_certainty():
    theme = plots.THEMES["light"]
    doubt, sure, other = boundary._shades(np.array([[0.5, 0.5], [0.0, 1.0], [0.9, 0.1]]), theme, bands=None)
    assert np.allclose(doubt, to_rgb(theme.paper))
    assert np.abs(sure - to_rgb(theme.colours[1])).sum() < np.abs(sure - to_rgb(theme.colours[0])).sum()
    assert np.abs(other - to_rgb(theme.colours[0])).sum() < np.abs(other - to_rgb(theme.colours[1])).sum()


def test_shading_lies_under_its_points():
    figure = plots.plot_boundary(half_plane(at=0.5), [[-1.0, -1.0], [2.0, 2.0]], [0, 1])
    image = figure.axes[0].images[0]
    left, right, *_ = image.get_extent()
    pixels = np.asarray(image.get_array())
    doubt = left + (right - left) * (np.argmax(pixels[0].sum(axis=1)) + 0.5) / pixels.shape[1]
    assert doubt == pytest.approx(0.5, abs=0.02)


def test_wrong_points_are_ringed_and_counted():
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    figure = plots.plot_boundary(half_plane(), X, [0, 1, 0, 0], X_test=[[0.2, 0.2]], y_test=[1])
    assert rings(figure).tolist() == [[1.0, 1.0], [0.2, 0.2]]
    assert figure.axes[0].get_title(loc="left") == "accuracy: training 75.0%, held out 0.0%"
    assert legend_texts(figure) == ["0", "1", "training", "held out", "wrong"]
    assert len(rings(plots.plot_boundary(half_plane(), X, [0, 1, 0, 1], X_test=X[:0], y_test=[]))) == 0


def test_held_out_points_are_hollow():
    figure = plots.plot_boundary(half_plane(), [[0.0, 0.0], [0.1, 0.5]], [0, 0], X_test=[[0.2, 0.2]], y_test=[0])
    training_points, held_out = figure.axes[0].collections[:2]
    assert training_points.get_facecolor()[0].tolist() == held_out.get_edgecolor()[0].tolist()
    assert held_out.get_facecolor()[0, :3].tolist() == list(to_rgb(plots.THEMES["light"].paper))


def test_boundary_uses_the_units_and_names_of_the_classifier():
    known, X, y = classifier(classes=2)
    known.features = ("length", "weight")
    figure = plots.plot_boundary(known, X, y)
    assert figure.axes[0].get_xlabel() == "length"
    assert legend_texts(figure)[:2] == ["c0", "c1"]
    assert figure.axes[0].get_xlim()[0] < X[:, 0].min()
    wrong = training.predict(known.model, known.scaling(X)) != y
    assert np.array_equal(rings(figure), X[wrong])


@pytest.mark.parametrize(
    ("model", "classes"), [(MLP(2, [1, 1]), 2), (MLP(2, [3, 60]), 60), (MLP(2, [2]), 2)], ids=["one", "60", "two"]
)
def test_small_and_large_models_are_drawn(model, classes, tmp_path):
    X, y = np.random.default_rng(0).normal(size=(70, 2)), np.arange(70) % classes
    figure = plots.plot_boundary(with_weights(model), X, y, theme="dark")
    saved(figure, tmp_path)
    assert ("and 48 more" in legend_texts(figure)) == (classes == 60)


def test_a_model_that_gives_no_number_is_drawn_as_doubt(tmp_path):
    model = half_plane()
    model.layers[0].neurons[0].b.data = math.nan
    figure = plots.plot_boundary(model, [[0.0, 0.0], [1.0, 1.0]], [0, 1])
    assert not decision_lines(figure)
    saved(figure, tmp_path)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((4, 3)), np.zeros(4, int), r"points of 2 features.*got \(4, 3\) and \(4,\)"),
        (np.zeros((4, 2)), np.zeros(3, int), r"got \(4, 2\) and \(3,\)"),
        (np.zeros((0, 2)), np.zeros(0, int), "n at least 1"),
        ([[0.0, math.inf]], [0], "holds inf or nan"),
        ([[0.0, 1.0]], [0.5], "integers from 0, got .0.5."),
        ([[0.0, 1.0]], [-1], "integers from 0, got .-1."),
    ],
)
def test_what_cannot_be_drawn_in_the_plane_is_refused(X, y, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_data(X, y)
    with pytest.raises(ValueError, match=message):
        plots.plot_boundary(half_plane(), X, y)


def test_wrong_names_and_themes_are_refused():
    with pytest.raises(ValueError, match="2 names are needed, got 1: a"):
        plots.plot_data([[0.0, 1.0]], [1], classes=["a"])
    with pytest.raises(ValueError, match="no theme 'blue'; there are light, dark"):
        plots.plot_data([[0.0, 1.0]], [1], theme="blue")


# plot_curves


def test_curves_show_the_history_and_differ_in_style():
    figure = plots.plot_curves(History(epochs(40)))
    loss, accuracy = figure.axes
    assert loss.get_yscale() == "log"
    assert accuracy.get_ylabel() == "accuracy"
    learned, tested = loss.lines
    assert learned.get_ydata().tolist() == [1 / i for i in range(1, 41)]
    assert learned.get_linestyle() != tested.get_linestyle()
    assert loss.get_legend().get_texts()[0].get_text() == "training, 0.025 at the end"
    assert accuracy.get_legend().get_texts()[1].get_text() == "held out, 75.0% at the end"


def test_curves_without_held_out_points_or_with_one_epoch(tmp_path):
    figure = plots.plot_curves(History(epochs(1, tested=False)))
    assert [len(axes.lines) for axes in figure.axes] == [1, 1]
    assert figure.axes[0].lines[0].get_marker() == "o"
    saved(figure, tmp_path)
    saved(plots.plot_curves(History([Epoch(i, 0.0, math.nan, math.inf, math.nan, 0.1) for i in (1, 2)])), tmp_path)
    with pytest.raises(ValueError, match="no epochs"):
        plots.plot_curves(History())


# plot_network


def test_network_lines_are_as_wide_as_weights_are_large_and_dashed_where_negative(tmp_path):
    model = MLP(2, [1])
    (neuron,) = model.layers[0].neurons
    neuron.w[0].data, neuron.w[1].data, neuron.b.data = 2.0, -1.0, 0.25
    figure = plots.plot_network(model, features=("a", "b"), classes=("no", "yes"))
    positive, negative = figure.axes[0].collections[:2]
    assert positive.get_linewidth()[0] > negative.get_linewidth()[0]
    assert positive.get_linestyle() != negative.get_linestyle()
    assert {"a", "b", "yes", "+0.25", "2 inputs", "1 linear"} <= {text.get_text() for text in figure.axes[0].texts}
    assert {"positive weight, up to +2.00", "negative weight, up to -1.00"} <= set(legend_texts(figure))
    saved(figure, tmp_path)


def test_wide_layers_are_folded_and_say_so(tmp_path):
    figure = plots.plot_network(with_weights(MLP(70, [64, 3])), theme="dark")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"50 more", "44 more", "x1", "x70", "class 2"} <= set(texts)
    assert "x30" not in texts
    saved(figure, tmp_path)


def test_network_of_zeros_is_drawn(tmp_path):
    model = MLP(1, [1, 1])
    for parameter in model.parameters():
        parameter.data = 0.0
    saved(plots.plot_network(model), tmp_path)


# animate_boundary


def test_frames_are_kept_from_the_first_epoch_to_the_latest_and_stay_few():
    kept = frames(MLP(1, [1]), 1000).snapshots
    numbers = [snapshot.epoch.epoch for snapshot in kept]
    assert numbers[:12] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13]
    assert numbers[-1] == 1000
    assert len(numbers) < 70
    assert kept[-1].state != kept[0].state
    assert [s.epoch.epoch for s in frames(MLP(1, [1]), 12).snapshots][-2:] == [11, 12]


def test_fit_fills_the_frames():
    X, y = datasets.moons(n=10)
    kept, model = plots.BoundaryFrames(), MLP(2, [1])
    training.fit(model, X, y, epochs=3, callbacks=[kept])
    assert [snapshot.epoch.epoch for snapshot in kept.snapshots] == [1, 2, 3]
    assert kept.snapshots[-1].state == model.state_dict()


def test_animation_has_the_frames_it_should_and_leaves_the_model_alone(tmp_path, monkeypatch):
    known, X, y = classifier(classes=3)
    kept, before, titles = frames(known.model, 60), known.model.state_dict(), []
    draw = boundary.Boundary.draw
    monkeypatch.setattr(boundary.Boundary, "draw", lambda *args: titles.append(args[2]) or draw(*args))
    path = plots.animate_boundary(kept, known, X, y, tmp_path / "a.gif", most=5)
    assert known.model.state_dict() == before
    assert len(titles) == 5
    assert titles[0].startswith("epoch 1: loss 1.000, held-out accuracy 75.0%")
    assert titles[-1].startswith("epoch 60: ")
    with Image.open(path) as gif:
        assert (gif.format, gif.n_frames, gif.info["loop"]) == ("GIF", 5, 0)
        assert gif.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
        used = {colour for _, colour in gif.convert("RGB").getcolors(1 << 20)}
        assert {tuple(round(255 * part) for part in to_rgb(c)) for c in plots.THEMES["light"].colours[:3]} <= used
        gif.seek(4)
        assert gif.info["duration"] == 3000
    again = plots.animate_boundary(kept, known, X, y, tmp_path / "b.gif", most=5)
    assert again.read_bytes() == path.read_bytes()
    titles.clear()
    plots.animate_boundary(kept, known, X, y, path, most=1)
    assert titles[0].startswith("epoch 60")


def test_animation_of_forty_frames_is_small(tmp_path):
    known, X, y = classifier(classes=3)
    path = plots.animate_boundary(frames(known.model, 100), known, X, y, tmp_path / "a.gif")
    assert path.stat().st_size < 1_500_000


def test_animation_refuses_other_files_and_no_frames(tmp_path):
    known, X, y = classifier(classes=2)
    with pytest.raises(ValueError, match=r"ends in \.gif, got .*a\.mp4"):
        plots.animate_boundary(plots.BoundaryFrames(), known, X, y, tmp_path / "a.mp4")
    with pytest.raises(ValueError, match="no frames were kept: give a BoundaryFrames to fit"):
        plots.animate_boundary(plots.BoundaryFrames(), known, X, y, tmp_path / "a.gif")


# save_figure


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG\r\n\x1a\n"), ("svg", b"<?xml"), ("pdf", b"%PDF-")])
def test_the_same_picture_is_the_same_file(suffix, start, tmp_path):
    def draw():
        known, X, y = classifier(classes=3)
        return plots.plot_boundary(known, X, y)

    figure = draw()
    first = saved(figure, tmp_path, f"a.{suffix}")
    assert first.startswith(start)
    assert saved(figure, tmp_path, f"b.{suffix}") == first
    with matplotlib.rc_context({"axes.titlesize": 30, "font.size": 20, "savefig.bbox": "tight", "svg.hashsalt": "x"}):
        assert saved(draw(), tmp_path, f"c.{suffix}") == first
    assert b"matplotlib.org" not in first
    if suffix == "svg":
        assert not [e for e in ET.fromstring(first).iter() if e.tag.endswith("date")]


def test_size_of_a_png(tmp_path):
    with Image.open(io.BytesIO(saved(plots.plot_curves(History(epochs(3))), tmp_path))) as image:
        assert image.size == (1024, 864)


def test_settings_of_matplotlib_stay_as_they_are(tmp_path):
    before = dict(matplotlib.rcParams)
    known, X, y = classifier(classes=2)
    saved(plots.plot_boundary(known, X, y, theme="dark"), tmp_path)
    assert dict(matplotlib.rcParams) == before


def test_other_kinds_of_file_are_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"written as \.png, \.svg, \.pdf; got .*a\.bmp"):
        saved(plots.plot_curves(History(epochs(3))), tmp_path, "a.bmp")
    assert not list(tmp_path.iterdir())


def test_matplotlib_is_loaded_on_first_use_only():
    code = "import sys, micrograd_mlp.drawing.plots; sys.exit('matplotlib' in sys.modules or 'PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
