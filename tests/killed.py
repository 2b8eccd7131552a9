"""Kill a run at random moments, also while it writes a checkpoint, until it has come to its end all the same.

`python tests/killed.py --kills 100` does it that often in each engine. Each time the checkpoint has to be whole and not
older than before; in the end, history, weights and record have to be those of a run that nobody disturbed, to the bit.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from micrograd_mlp import MLP, Recording, fit
from micrograd_mlp.checkpoints import load
from micrograd_mlp.datasets import moons

ENGINES = ("python", "numpy", "native")
X, Y = moons(40, seed=1)


def run(engine, checkpoint=None, told=lambda: None):
    """Return all that comes of a run in words: history, weights, and what was recorded; words, since nan != nan."""
    model, record = MLP(2, [4, 4, 1], activation="tanh", rng=random.Random(0)), Recording(most=10)
    history = fit(
        *(model, X[:30], Y[:30]),
        X_test=X[30:],
        y_test=Y[30:],
        batch_size=8,
        optimizer="adam",
        schedule="cosine",
        patience=25,
        epochs=30,
        engine=engine,
        record=record,
        checkpoint=checkpoint,
        every=1,
        callbacks=[lambda epoch, model: told() and None],  # what is true would end the run
    )
    return repr((history, model.state_dict(), record.moments))


def kill_often(engine, kills, seed, folder):
    """Kill runs `kills` times; return how many of them had come to their end, and how many were killed in writing."""
    rng, path, undisturbed = random.Random(seed), Path(folder) / "run.safetensors", run(engine)
    moments = []
    run(engine, Path(folder) / "whole.safetensors", lambda: moments.append(time.perf_counter()))
    killed = ended = writing = reached = 0
    while killed < kills:
        reader, writer = os.pipe()
        process = os.fork()
        if process == 0:
            try:
                os._exit(0 if run(engine, path, partial(os.write, writer, b".")) == undisturbed else 3)
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(4)
        os.close(writer)
        if rng.random() < 0.9:  # the others are killed before their first epoch
            os.read(reader, 1)
        time.sleep(rng.uniform(0, (moments[-1] - moments[0]) / 5))
        os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        os.close(reader)
        if os.WIFEXITED(status):  # it was quicker
            assert os.WEXITSTATUS(status) == 0, f"{engine}: a resumed run ended otherwise ({os.WEXITSTATUS(status)})"
            path.unlink()
            ended, reached = ended + 1, 0
            continue
        killed += 1
        writing += any(".tmp-" in name for name in os.listdir(folder))
        if path.exists():
            _, state = load(path)
            assert len(state.history) >= reached, f"{engine}: epoch {reached} was lost"
            reached = len(state.history)
    assert run(engine, path) == undisturbed
    left = sorted(os.listdir(folder))
    assert left == ["run.safetensors", "whole.safetensors"], left
    return ended, writing


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engines", nargs="+", default=ENGINES)
    given = parser.parse_args()
    for name in given.engines:
        with tempfile.TemporaryDirectory() as place:
            ends, writes = kill_often(name, given.kills, given.seed, place)
        print(f"{name}: {given.kills} kills, {writes} of them while writing; {ends + 1} runs ended, all to the bit")
