"""The problems: their shape, their balance, the same points for the same seed, and what each looks like."""

import numpy as np
import pytest

from micrograd_mlp.datasets import (
    PROBLEMS,
    TABLES,
    blobs,
    checkerboard,
    circles,
    moons,
    rings,
    sine,
    spirals,
    xor,
    yinyang,
)

CLASSES = {"moons": 2, "circles": 2, "spirals": 2, "xor": 2, "checkerboard": 2, "blobs": 3, "rings": 3, "yinyang": 3,
           "sine": 2}  # fmt: skip


@pytest.fixture(params=PROBLEMS)
def problem(request):
    return request.param


@pytest.mark.parametrize("n", [12, 151])
def test_shape_type_and_balance(problem, n):
    X, y = PROBLEMS[problem](n)
    assert (X.shape, y.shape, X.dtype) == ((n, 2), (n,), np.float64)
    assert np.issubdtype(y.dtype, np.integer)
    counts = np.bincount(y)
    assert len(counts) == CLASSES[problem]
    assert counts.max() - counts.min() <= 1
    assert np.isfinite(X).all()


def test_classes_come_shuffled(problem):
    _, y = PROBLEMS[problem](120)
    assert 20 < np.sum(y[1:] != y[:-1]) < 119


def test_the_same_seed_gives_the_same_points_and_another_others(problem):
    make = PROBLEMS[problem]
    for first, second in zip(make(60, seed=3), make(60, seed=3), strict=True):
        np.testing.assert_array_equal(first, second)
    assert not np.array_equal(make(60, seed=3)[0], make(60, seed=4)[0])


def test_noise_moves_points(problem):
    make = PROBLEMS[problem]
    assert not np.array_equal(make(60, noise=0.0)[0], make(60, noise=0.3)[0])


def test_numpy_s_own_generator_is_left_alone(problem):
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    PROBLEMS[problem](60)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_what_no_problem_takes_is_refused(problem):
    make = PROBLEMS[problem]
    with pytest.raises(ValueError, match=r"^n is at least [46], two samples for each of [23] classes; got 3$"):
        make(3)
    for noise in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=rf"^noise is a standard deviation of at least 0, got {noise}$"):
            make(60, noise=noise)


def test_options_of_single_problems_are_checked():
    for make, option, value in ((blobs, "centers", 1), (spirals, "arms", 1), (rings, "count", 0)):
        with pytest.raises(ValueError, match=r"^a problem has at least 2 classes, got 1$"):
            make(60, **{option: value})
    with pytest.raises(ValueError, match=r"^checkerboard takes at least 2 cells a side, got 1$"):
        checkerboard(60, cells=1)


def test_moons_and_circles_lie_on_their_curves():
    X, y = moons(100, noise=0)
    np.testing.assert_allclose(np.hypot(*X[y == 0].T), 1, atol=1e-12)
    np.testing.assert_allclose(np.hypot(*(X[y == 1] - [1, 0.5]).T), 1, atol=1e-12)
    X, y = circles(100, noise=0)
    np.testing.assert_allclose(np.hypot(*X.T), np.where(y == 0, 1, 0.5), atol=1e-12)


def test_spirals_wind_by_radius():
    X, y = spirals(300, noise=0, arms=3, turns=2)
    radius, angle = np.hypot(*X.T), np.arctan2(X[:, 1], X[:, 0])
    turn = (angle / (2 * np.pi) - 2 * radius - y / 3) % 1
    np.testing.assert_allclose(np.minimum(turn, 1 - turn), 0, atol=1e-9)
    assert 0.1 <= radius.min() < radius.max() <= 1


def test_fields_alternate():
    X, y = checkerboard(300, cells=4)
    column, row = np.floor((X.T + 1) * 2).astype(int)
    np.testing.assert_array_equal((column + row) % 2, y)
    X, y = xor(300, noise=0)
    np.testing.assert_array_equal((X[:, 0] > 0) != (X[:, 1] > 0), y == 1)


def test_blobs_and_rings_have_as_many_classes_as_asked_for():
    X, y = blobs(500, noise=0.1, centers=5)
    assert np.bincount(y).tolist() == [100] * 5
    for k in range(5):
        np.testing.assert_allclose(np.hypot(*X[y == k].mean(axis=0)), 2, atol=0.05)
    X, y = rings(400, noise=0, count=3)
    radius = np.hypot(*X.T)
    np.testing.assert_allclose(radius[y > 0], y[y > 0] / 3, atol=1e-12)
    assert radius[y == 0].max() <= 0.5 / 3


def test_the_parts_of_the_yin_yang_sign():
    X, y = yinyang(3000)
    left, right = np.hypot(X[:, 0] + 0.5, X[:, 1]), np.hypot(X[:, 0] - 0.5, X[:, 1])
    assert np.hypot(*X.T).max() <= 1
    np.testing.assert_array_equal(y == 2, np.minimum(left, right) < 0.18)
    assert (y[(left < 0.5) & (left >= 0.18)] == 1).all()
    assert (y[(right < 0.5) & (right >= 0.18)] == 0).all()
    outside = (left >= 0.5) & (right >= 0.5)
    np.testing.assert_array_equal(y[outside] == 1, X[outside, 1] > 0)
    # turned by half a turn, yin is yang: no part is larger than its counterpart
    assert abs(np.mean(X[y == 0] + X[y == 1])) < 0.05


def test_sine_parts_the_square_along_its_curve():
    X, y = sine(500, noise=0, waves=2)
    assert np.abs(X).max() <= 1
    np.testing.assert_array_equal(X[:, 1] > 0.5 * np.sin(2 * np.pi * X[:, 0]), y == 1)


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [("iris", (150, 4), 3), ("wine", (178, 13), 3), ("breast-cancer", (569, 30), 2), ("digits", (1797, 64), 10)],
)
def test_tables_of_real_measurements(name, shape, classes):
    table = TABLES[name]()
    assert table.X.shape == shape
    assert len(table.features) == shape[1]
    assert sorted(set(table.y.tolist())) == list(range(classes))
    assert len(set(table.classes)) == classes
    assert all(isinstance(text, str) for text in (*table.features, *table.classes))
