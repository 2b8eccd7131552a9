"""A run that is stopped and goes on ends as one that was not; anything else than that run is refused by name."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from micrograd_mlp import MLP, Recording, checkpoints, fit
from micrograd_mlp.archive import CHECKPOINT, pack, unpack
from micrograd_mlp.checkpoints import Keeper, difference, fingerprint, load, restore, save, state_of
from micrograd_mlp.classifier import Classifier
from micrograd_mlp.datasets import moons
from micrograd_mlp.drawing.plots import BoundaryFrames
from micrograd_mlp.files import locked
from micrograd_mlp.optim import SGD, Adam, Optimizer
from micrograd_mlp.signals import Stopped

ENGINES = ("python", "numpy", "native")
X, Y = moons(40, seed=3)
WEIGHTS = np.linspace(0, 3, 40)


class PowerCutError(Exception):
    pass


def cut_after(number, monkeypatch):
    """Let the power go as soon as the state after so many epochs was noted."""

    def note(self, state):
        usual(self, state)
        if len(state.history) == number:
            raise PowerCutError

    usual = Keeper.note
    monkeypatch.setattr(Keeper, "note", note)


def trained(path=None, *, callbacks=(), optimizer="adam", **options):
    """Return all that comes of a run, in words, since nan is not nan."""
    model, record, frames = MLP(2, [4, 1], activation="tanh", rng=random.Random(0)), Recording(most=4), BoundaryFrames()
    optimizer = optimizer if isinstance(optimizer, str) else optimizer(model.parameters())
    tested = {"X_test": X[30:], "y_test": Y[30:]} if options.get("measured", True) else {}
    options = {"epochs": 9, "batch_size": 8, "every": 1 if path else None} | tested | options
    callbacks = [frames, *(make(model, optimizer) for make in callbacks)]
    options |= {"checkpoint": path, "record": record, "callbacks": callbacks}
    history = fit(model, X[:30], Y[:30], optimizer=optimizer, **options)
    return repr((history, model.state_dict(), record.moments, frames.snapshots))


def freezing(model, optimizer):
    """A callback that freezes a layer after epoch 2."""
    return lambda epoch, _: model.layers[0].freeze() if epoch.epoch == 2 else None


def hastening(model, optimizer):
    """A callback that makes the learning rate absurd after epoch 4, so that the next step is the last good one."""

    def hasten(epoch, _):
        if epoch.epoch == 4:
            optimizer.lr = 1e200

    return hasten


class Forgetful(Optimizer):
    """Remembers nothing of a parameter."""

    def rule(self, value, slope, memory, lr, step):
        return value - lr * slope, memory


RUNS = {
    "adam": {},
    "momentum": {"optimizer": lambda p: SGD(p, 0.1, momentum=0.9, schedule=lambda step: 1 / (1 + step))},
    "no memory": {"optimizer": lambda p: Forgetful(p, 0.1)},
    "cosine": {"optimizer": "rmsprop", "schedule": "cosine", "lr": 0.01},
    "weights": {"weights": WEIGHTS[:30], "weights_test": WEIGHTS[30:], "l1": 1e-3, "l2": 1e-3},
    "patience": {"patience": 2, "lr": 0.5},
    "accuracy": {"stop_accuracy": 0.8},
    "callback": {"callbacks": [lambda model, optimizer: lambda epoch, _: epoch.epoch == 7]},
    "frozen": {"callbacks": [freezing]},
    "diverged": {"optimizer": lambda p: SGD(p, 0.1), "callbacks": [hastening], "loss": "mse"},
    "unmeasured": {"measured": False},
    "generator": {"seed": lambda: np.random.default_rng(5)},
    "old generator": {"seed": lambda: np.random.Generator(np.random.MT19937(5))},
    "one batch": {"batch_size": None},
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", RUNS)
def test_a_stopped_run_goes_on_to_the_bit(tmp_path, monkeypatch, name, engine):
    if engine == "native":
        pytest.importorskip("llvmlite")
    options = RUNS[name] | {"engine": engine}
    make = options.get("seed", lambda: 0)
    undisturbed = trained(**options | {"seed": make()})
    path = tmp_path / "run"
    for epochs in (1, 4, 5) if engine == "python" else (4,):  # the others have to compile each time
        with monkeypatch.context() as patch:
            cut_after(epochs, patch)
            try:
                trained(path, **options | {"seed": make()})
            except PowerCutError:
                assert len(load(path)[1].history) == epochs
    assert trained(path, **options | {"seed": make()}) == undisturbed
    if engine == "python":
        assert trained(path, **options | {"seed": make()}) == undisturbed  # which has ended
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.parametrize("engine", ENGINES)
def test_ctrl_c_leaves_a_run_that_can_go_on(tmp_path, engine):
    if engine == "native":
        pytest.importorskip("llvmlite")

    def interrupt(model, optimizer):
        def stop(epoch, _):
            if epoch.epoch == 5 and waiting:
                waiting.clear()
                raise KeyboardInterrupt

        return stop

    waiting = []
    undisturbed = trained(callbacks=[interrupt], engine=engine)
    waiting = [True]
    assert "interrupted in epoch 6" in trained(tmp_path / "run", callbacks=[interrupt], engine=engine, every=100)
    assert len(load(tmp_path / "run")[1].history) == 4  # it was never due
    assert trained(tmp_path / "run", callbacks=[interrupt], engine=engine) == undisturbed


@pytest.mark.parametrize("engine", ENGINES)
def test_runs_that_are_killed_again_and_again(engine):
    if engine == "native":
        pytest.importorskip("llvmlite")
    if not hasattr(os, "fork"):
        pytest.skip("processes are killed as Unix has them")
    with tempfile.TemporaryDirectory() as folder:  # in a process of its own: forking takes one without threads
        script = Path(__file__).with_name("killed.py")
        subprocess.run([sys.executable, script, "--kills", "5", "--engines", engine], check=True, cwd=folder)


CHANGES = [
    ({"lr": 0.1}, r"lr was 0\.05, is 0\.1 now"),
    ({"epochs": 10}, "epochs was 9, is 10 now"),
    ({"batch_size": 9}, "batch_size was 8, is 9 now"),
    ({"seed": 1}, "seed was 0, is 1 now"),
    ({"seed": np.random.default_rng(0)}, "seed was 0, is Generator now"),
    ({"loss": "hinge"}, "loss was cross_entropy, is hinge now"),
    ({"schedule": "linear"}, "schedule was constant, is linear now"),
    ({"optimizer": "sgd"}, r"optimizer was Adam\(betas=\(0\.9, 0\.999\).*\), is SGD\(momentum=0\.0.*\) now"),
    ({"l2": 0.5}, r"l2 was 0\.0, is 0\.5 now"),
    ({"engine": "numpy"}, "engine was python, is numpy now"),
    ({"patience": 3}, "patience was null, is 3 now"),
    (
        {"weights": WEIGHTS[:30]},
        r"weights was null, is 29 numbers \([0-9a-f]{16}\) now|X was 30 × 2 .*, is 29 × 2 .* now",
    ),
    ({"depends_on": {"table": "new"}}, "table was old, is new now"),
]


@pytest.mark.parametrize(("change", "difference"), CHANGES)
def test_another_run_is_refused_with_what_differs(tmp_path, change, difference):
    path = tmp_path / "run"
    usual = {"engine": "python", "depends_on": {"table": "old"}}
    trained(path, **usual)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=rf"^{path} is of another run: ({difference}); give what it began with, or an"):
        trained(path, **usual | change)
    assert path.read_bytes() == before


def test_other_data_and_another_model_are_refused(tmp_path):
    def run(n_hidden=3, activation="tanh", X=X, X_test=X):
        model = MLP(2, [n_hidden, 1], activation=activation, rng=random.Random(0))
        fit(model, X, Y, X_test=X_test, y_test=Y, epochs=1, engine="python", checkpoint=tmp_path / "run")

    run()
    other = X.copy()
    other[7, 1] = np.nextafter(other[7, 1], 9)
    for change, what in [
        ({"X": other}, "X was 40 × 2 numbers .*, is 40 × 2 numbers"),
        ({"X_test": other[:, ::-1]}, "X_test was"),
        ({"n_hidden": 4}, r'model was \[\[2, 3, "tanh"\], \[3, 1, "linear"\]\], is \[\[2, 4,'),
        ({"activation": "relu"}, "model was"),
    ]:
        with pytest.raises(ValueError, match=f"is of another run: {what}"):
            run(**change)


def test_checkpoints_are_written_when_they_are_due(tmp_path, monkeypatch):
    def saved(path, about, state):
        written.append(len(state.history))
        return save(path, about, state)

    written = []
    monkeypatch.setattr(checkpoints, "save", saved)
    trained(tmp_path / "every third", every=3, engine="python")
    assert written == [3, 6, 9]
    written.clear()
    trained(tmp_path / "every fifth", every=5, engine="python")
    assert written == [5, 9]  # and at the end
    written.clear()
    clock = iter(np.arange(0, 100, 0.3).tolist())
    monkeypatch.setattr(checkpoints, "monotonic", lambda: next(clock))
    trained(tmp_path / "each second", every=None, engine="python")
    assert written[-1] == 9
    assert 1 < len(written) < 5
    with pytest.raises(ValueError, match="^every is a number of epochs, at least 1; got 0$"):
        trained(tmp_path / "never", every=0)


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("every", "epochs"), [(1, 1), (3, 3), (100, 9)], ids=["the first", "a later one", "the last"])
def test_a_signal_while_a_checkpoint_is_written_loses_nothing(tmp_path, monkeypatch, every, epochs, written):
    def stopped(path, about, state):
        if len(state.history) == epochs and waiting:
            waiting.clear()
            if written:
                save(path, about, state)
            raise Stopped(signal.SIGTERM)
        return save(path, about, state)

    undisturbed, path, waiting = trained(engine="python"), tmp_path / "run", [True]
    monkeypatch.setattr(checkpoints, "save", stopped)
    with pytest.raises(Stopped):
        trained(path, engine="python", every=every)
    assert len(load(path)[1].history) == epochs
    assert trained(path, engine="python") == undisturbed


def test_what_cannot_be_written_ends_the_run_and_leaves_the_last_state(tmp_path, monkeypatch):
    def full(path, about, state):
        if len(state.history) == 3:
            raise OSError(28, "No space left on device")
        return save(path, about, state)

    undisturbed, path = trained(engine="python"), tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", full)
        with pytest.raises(OSError, match="No space left") as caught:
            trained(path, engine="python")
    sentence = "No space left on device; no checkpoint could be written after epoch 3, that of epoch 2 is there still"
    assert (caught.value.strerror, caught.value.filename) == (sentence, str(path))
    assert len(load(path)[1].history) == 2
    assert trained(path, engine="python") == undisturbed


def test_only_one_run_keeps_its_state_in_a_file(tmp_path):
    path = tmp_path / "run"
    with (
        locked(tmp_path / ".run.lock", str(path)),
        pytest.raises(ValueError, match=r"run is being written by process \d"),
    ):
        trained(path)
    trained(path)


def test_a_torn_or_foreign_file_is_refused_and_stays(tmp_path):
    path = tmp_path / "run"
    trained(path, engine="python")
    whole = path.read_bytes()
    rng = random.Random(0)
    damages = [whole[:length] for length in range(0, len(whole), 997)]
    for place in rng.sample(range(len(whole)), 40):
        damages.append(whole[:place] + bytes([whole[place] ^ (1 << rng.randrange(8))]) + whole[place + 1 :])
    for damaged in damages:
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged|cannot be used|not of a micrograd-mlp checkpoint"):
            trained(path, engine="python")
        assert path.read_bytes() == damaged
    with pytest.raises(ValueError, match=r"run holds a checkpoint, but not of a micrograd-mlp model$"):
        path.write_bytes(whole)
        Classifier.load(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda note, tensors: tensors.update(weights=tensors["weights"][:-1]),
        lambda note, tensors: tensors.update(memories=tensors["memories"].astype(np.float32)),
        lambda note, tensors: tensors.update(history=tensors["history"][:, :-1]),
        lambda note, tensors: tensors.update(history=np.full((9, 6), np.nan)),
        lambda note, tensors: tensors.update({"callbacks.0.weights": np.zeros((1, 1))}),
        lambda note, tensors: tensors.update({"callbacks.7.weights": np.zeros(1)}),
        lambda note, tensors: tensors.pop("good"),
        lambda note, tensors: note.update(rng=[3, [1, 2], None]),
        lambda note, tensors: note.update(rng=None),
        lambda note, tensors: note.update(ended=["accuracy"]),
        lambda note, tensors: note.update(steps="many"),
        lambda note, tensors: note.update(steps=-(10**9)),
        lambda note, tensors: note.update(best_loss="low"),
        lambda note, tensors: note.update(best_epoch=10**400),
        lambda note, tensors: tensors.update(memories=tensors["memories"][:1]),
        lambda note, tensors: tensors.update({"callbacks.²": np.zeros(1)}),
        lambda note, tensors: note.update(callbacks=[]),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused_in_a_sentence(tmp_path, change):
    path = tmp_path / "run"
    trained(path, engine="python")
    note, tensors = unpack(path, CHECKPOINT, lambda note, tensors: (note, tensors))
    change(note, tensors)
    path.write_bytes(pack(CHECKPOINT, note, tensors))
    with pytest.raises(ValueError, match=rf"^{path} cannot be used: [^\n]+$") as caught:
        trained(path, engine="python")
    assert not re.search("object|argument|unpack|literal|convert", str(caught.value))


def test_states_come_back_from_their_file(tmp_path):
    path = tmp_path / "run"
    trained(path, engine="python")
    about, state = load(path)
    save(tmp_path / "copy", about, state)
    assert (tmp_path / "copy").read_bytes() == path.read_bytes()
    assert about["batch_size"] == 8
    assert state.history.shape == (9, 6)
    assert state.memories.shape == (2, len(state.weights))
    assert state.ended == ()


@pytest.mark.parametrize(
    "make", [lambda: random.Random(1), np.random.default_rng, lambda: np.random.Generator(np.random.Philox())]
)
def test_generators_go_on_where_they_were(make):
    rng, other = make(), make()
    rng.random()
    kept = json.loads(json.dumps(state_of(rng)))
    expected = [rng.random() for _ in range(5)]
    restore(other, kept)
    assert [other.random() for _ in range(5)] == expected
    with pytest.raises(ValueError, match="^its generator cannot be brought into the state that was kept$"):
        restore(other, {"bit_generator": "Dice"})


def test_a_generator_is_not_brought_where_it_would_read_beyond_its_numbers():
    rng = np.random.Generator(np.random.MT19937(1))
    kept = state_of(rng)
    kept["state"]["pos"] = 10**8
    with pytest.raises(ValueError, match=r"^its generator cannot be brought into the state that was kept$"):
        restore(rng, kept)


def test_differences_are_named():
    assert difference({"a": 1, "b": [1]}, {"a": 1, "b": [1]}) == ""
    assert difference({"a": 1}, {"b": 2}) == "b was null, is 2 now"
    assert difference({"a": 1}, {}) == "a was 1, is null now"
    assert difference({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}) == "c was 2, is 3 now"
    assert len(difference({"a": "x" * 10**6}, {"a": "y" * 10**6})) < 300


def test_differences_are_told_on_one_line():
    told = difference({"a\nb": "x\n" * 1000}, {"a\nb": 3})
    assert told.isprintable()
    assert told.startswith("a b was x x x")
    assert len(told) < 200


def test_fingerprints_tell_arrays_apart():
    a = np.arange(6.0)
    found = {fingerprint(each) for each in (a, a.reshape(2, 3), a.reshape(3, 2), a.astype(np.int64), -a, None)}
    assert len(found) == 6
    assert fingerprint(a[::2]) == fingerprint(a[::2].copy())


def test_optimizers_may_be_given_with_their_course(tmp_path):
    for schedule in (lambda step: 1.0, lambda step: 1.0 / (1 + step)):
        optimizer = lambda p, schedule=schedule: Adam(p, 0.05, schedule=schedule)  # noqa: E731
        path = tmp_path / "run"
        if path.exists():
            with pytest.raises(ValueError, match="is of another run: rates was 36 numbers"):
                trained(path, optimizer=optimizer)
        else:
            trained(path, optimizer=optimizer)
