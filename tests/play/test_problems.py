"""Points come from problems, files and the mouse; in the plane they are scaled, split, and edited without tricks."""

import re

import numpy as np
import pytest

from micrograd_mlp.play.problems import PROBLEMS, blank, held_out, of_csv, of_problem


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_fills_the_plane(name):
    points = of_problem(name, 60, 0.1, seed=3, share=0.25)
    assert points.X.shape == (60, 2)
    np.testing.assert_allclose(points.X.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(points.X.std(axis=0), 1)
    assert np.abs(points.X).max() < points.reach < 5
    assert points.held.sum() == 15
    if PROBLEMS[name].kind == "classification":
        assert set(points.y.tolist()) == set(range(PROBLEMS[name].classes)) == set(range(len(points.classes)))
    else:
        assert points.y.dtype == float
    np.testing.assert_array_equal(points.X, of_problem(name, 60, 0.1, seed=3, share=0.25).X)


def test_the_split_goes_by_the_seed_and_leaves_a_point_to_train_on():
    assert held_out(10, 0.3, 1).sum() == 3
    assert (held_out(10, 0.5, 1) != held_out(10, 0.5, 2)).any()
    assert held_out(1, 0.9, 0).sum() == 0
    assert len(held_out(0, 0.5, 0)) == 0


def test_points_are_added_moved_and_deleted():
    points = blank("classification", 3).add(np.array([[0.5, 1.0, 2], [0, 0, 0]]), most=5)
    assert points.y.tolist() == [2, 0]
    assert points.y.dtype == np.int64
    moved = points.move(1, np.array([-1.0, 1.5]))
    assert moved.X.tolist() == [[0.5, 1.0], [-1.0, 1.5]]
    assert points.X.tolist() == [[0.5, 1.0], [0.0, 0.0]]
    assert moved.delete([0]).X.tolist() == [[-1.0, 1.5]]
    for wrong, message in [
        (lambda: points.add(np.array([[0, 0, 3]]), 5), "there are 3 classes, numbered from 0"),
        (lambda: points.add(np.array([[0, 0, 0.5]]), 5), "there are 3 classes, numbered from 0"),
        (lambda: points.add(np.zeros((4, 3)), 5), "at most 5 points, 2 are there and 4 came"),
        (lambda: points.add(np.array([[9, 0, 0]]), 5), "points lie between -2 and 2"),
        (lambda: points.move(2, np.zeros(2)), "there is no point 2, there are 2"),
        (lambda: points.delete([-1]), "there is no point -1"),
    ]:
        with pytest.raises(ValueError, match=message):
            wrong()


CSV = b"width,height,kind\n1,10,a\n2,30,b\n4,20,a\n3,25,b\n"


def test_a_file_of_labelled_points():
    points = of_csv(CSV, "own.csv", "classification", 0.25, 0, most=10, most_classes=7)
    assert points.features == ("width", "height")
    assert points.classes == ("a", "b")
    assert points.y.tolist() == [0, 1, 0, 1]
    np.testing.assert_allclose(
        points.X * points.scaling.deviation + points.scaling.mean, [[1, 10], [2, 30], [4, 20], [3, 25]]
    )


def test_a_file_of_targets():
    points = of_csv(b"1,2,5\n2,1,-10\n3,3,0\n", "own.csv", "regression", 0, 0, most=10, most_classes=7)
    assert points.classes == ()
    assert points.y.tolist() == [0.5, -1.0, 0.0]


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"", "classification", "own.csv is empty"),
        (b"a,b\n1,2\n", "classification", "found 1: 2"),
        (b"1,a\n2,b\n", "classification", "needs two columns of numbers and one of targets, it has 2 in all"),
        (b"1,2\n2,3\n", "regression", "needs two columns of numbers and one of targets, it has 2 in all"),
        (b"1,2,x\n2,3,4\n", "regression", "line 1, column 3"),
        (b"1,nan,a\n2,3,b\n", "classification", "line 1, column 2 (x2): a number is needed, got 'nan'"),
        (b"1,2,3\n" * 11, "regression", "has 11 points; the playground takes at most 10"),
        (b"1,2,3\n", "regression", "has one point"),
        (
            b"".join(b"%d,1,%d\n" % (n, n) for n in range(9)),
            "classification",
            "has 9 classes; the playground shows at most 7",
        ),
        (b"1e308,1,a\n-1e308,2,b\n1e308,2,b\n", "classification", "numbers that are too large to scale"),
        (b"\xff\xfe1", "classification", "no UTF-8 text"),
    ],
)
def test_other_files_are_refused(content, kind, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        of_csv(content, "own.csv", kind, 0.2, 0, most=10, most_classes=7)
