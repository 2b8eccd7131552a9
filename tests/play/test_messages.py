"""Messages are objects of JSON with finite numbers and known fields; whatever else comes is refused in a sentence."""

import random
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd_mlp.play.messages import MESSAGES, message_of, read_json, view_of
from micrograd_mlp.play.run import Run
from micrograd_mlp.play.settings import Settings

RUN = Run(Settings.of({"samples": 20, "hidden": "2"}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the message cannot be read: it is no JSON"),
        (b"\xff", r"it is no JSON in UTF-8 \(byte 0\)"),
        (b'{"lr": NaN}', "NaN is no number in JSON"),
        (b'{"lr": -Infinity}', "-Infinity is no number in JSON"),
        (b"[1]", "a message is an object in JSON, got list"),
        (b"[" * 50_000, "it is JSON that is nested too deeply"),
        (b'{"lr": ' + b"1" * 5000 + b"}", "it holds a whole number of 5,000 digits"),
    ],
)
def test_what_is_no_message_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        read_json(content)


def test_messages_do_what_they_are_called():
    run = Run(Settings.of({"samples": 20, "hidden": "2"}))
    for name, fields in [
        ("play", {}), ("pause", {}), ("step", {}), ("set", {"lr": 0.2}),
        ("weight", {"name": "layers[0].neurons[0].b", "value": 1}),
        ("add", {"rows": [[0, 0, 1]]}), ("move", {"index": 0, "to": [0.1, 0.1]}), ("delete", {"indices": [0, 1]}),
    ]:  # fmt: skip
        message_of(name, fields)(run)
    assert (run.epoch, run.settings.lr, len(run.points.X), run.playing) == (1, 0.2, 19, False)
    first = run.settings
    message_of("reset", {})(run)
    message_of("rewind", {})(run)
    assert run.settings.init_seed != first.init_seed
    message_of("clear", {})(run)
    assert len(run.points.X) == 0
    message_of("set", {"problem": "moons"})(run)
    message_of("regenerate", {})(run)
    assert run.settings.seed != first.seed


def test_a_step_goes_to_the_end_of_the_epoch_however_slow_it_seems():
    run = Run(Settings.of({"samples": 20, "hidden": "2", "batch": 1}))
    run._seconds = 10.0
    message_of("step", {})(run)
    assert (run.epoch, run.playing) == (1, False)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("eval", {}, "there is no message 'eval'"),
        ("weight", {"value": 1}, "there is no weight 'None'"),
        ("weight", {"name": 1, "value": 1, "more": 2}, "there is no field 'more'"),
        ("move", {"index": 1.5, "to": [0, 0]}, "index takes a whole number"),
        ("move", {"index": 0, "to": [0]}, "points are lists of 2 numbers"),
        ("delete", {"indices": "all"}, "indices takes a list"),
        ("delete", {"indices": [None]}, "indices takes a whole number"),
        ("add", {}, "points are lists of 3 numbers, got None"),
    ],
)
def test_what_is_wrong_is_said(name, fields, message):
    with pytest.raises(ValueError, match=message):
        message_of(name, fields)(RUN)


def test_what_is_looked_at():
    assert view_of({"visible": False}) == (False, None, False)
    assert view_of({"unit": 3}) == (None, 3, True)
    assert view_of({"unit": None}) == (None, None, True)
    for wrong in ({"visible": "no"}, {"unit": -1}, {"units": 1}):
        with pytest.raises(ValueError, match="visible takes|unit takes|there is no field"):
            view_of(wrong)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["own", "moons", "x1", "tanh"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "rows", "to", "lr"]), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = [
    "name",
    "value",
    "rows",
    "index",
    "to",
    "indices",
    "lr",
    "hidden",
    "samples",
    "features",
    "problem",
    "classes",
]


@given(st.sampled_from(sorted(MESSAGES)), st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=3))
def test_whatever_comes_the_run_stays_whole(name, fields):
    with suppress(ValueError):
        message_of(name, fields)(RUN)
    if random.random() < 0.1 and RUN.machine:
        RUN.advance(0.0001)
    assert RUN.machine is None or len(RUN.machine.names) == RUN.settings.parameters
