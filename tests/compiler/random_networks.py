"""Networks trained at random, and whether every engine trains them as the interpreted one does.

A seed is a run: `random_network(seed)` draws a network, samples, a loss, a rule and options of `fit`. What two engines
may differ by is measured: the interpreted run is taken again a few times with each result of an operation, each
gradient and each update off by up to a unit in its last place, as a sum in another order or another tanh would have it.
An engine has to end like one of these runs, and its numbers have to lie where theirs do, give or take REACH widths of
their range and LAST units in the last place. So a gentle network is held to thirteen digits, and a steep one to what
its digits are worth. Source: Parker, Monte Carlo Arithmetic (1997).

    python tests/compiler/random_networks.py --count 10000  # in processes of their own; reports crashes by their seeds
    python tests/compiler/random_networks.py --seed 17      # one run: what was drawn, and where engines disagree
"""

import argparse
import math
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import cycle
from random import Random
from unittest.mock import patch

import numpy as np
from random_programs import run_all

from micrograd_mlp import MLP, Value, engine, engines, losses, ops, optim
from micrograd_mlp.columns import Column, losses_of, scores_of
from micrograd_mlp.engines import Compiled
from micrograd_mlp.nn import ACTIVATIONS, INITS
from micrograd_mlp.training import fit, probabilities

COMPILED = ("numpy", "native")
NOISY = (3, 12, 48)  # runs with noise: more of them where the first ones leave a doubt
REACH = 4.0  # widths of the range of the interpreted runs
LAST = 512.0  # units in the last place; 1 - beta**step alone turns one into a hundred
ULP = 2.0**-52
LARGE = 1e100  # weights whose products with each other and a slope overflow
ODD = (5e-324, -1e-310, 1e-160, 1e154, -1e300, 1.7e308)


@dataclass(frozen=True)
class RandomNetwork:
    """A run of `fit`: what it begins with, made anew for each engine."""

    seed: int
    n_in: int
    sizes: list
    activations: list
    init: str
    X: np.ndarray
    y: np.ndarray
    loss: object
    rule: tuple  # name, options
    options: dict
    spoiled: dict  # numbers by the place of the parameter that they are put into
    frozen: list  # places
    thaw: int  # the epoch after which other parameters are frozen, 0 for none
    penalized: list | None
    threads: int

    def model(self):
        rng = Random(f"weights {self.seed}")
        model = MLP(self.n_in, self.sizes, activation=self.activations, rng=rng, init=self.init)
        parameters = model.parameters()
        for place, number in self.spoiled.items():
            parameters[place].data = number
        for place in self.frozen:
            parameters[place].frozen = True
        return model

    def thawing(self, epoch, model):
        if epoch.epoch == self.thaw:
            for parameter in model.parameters():
                parameter.frozen = not parameter.frozen

    def __str__(self):
        return (
            f"MLP({self.n_in}, {self.sizes}), {self.activations}, init {self.init!r}; X {self.X.shape}; "
            f"loss {self.loss if isinstance(self.loss, str) else 'of a regression'}; {self.rule}; {self.options}; "
            f"spoiled {self.spoiled}; frozen {self.frozen}, thawed after {self.thaw}; penalized {self.penalized}; "
            f"threads {self.threads}"
        )


def random_network(seed):
    rng = Random(f"network {seed}")
    hidden = rng.choices(range(5), [3, 4, 3, 2, 1])[0]
    width = rng.choice([4, 12])
    regression = rng.random() < 0.2
    outputs = 1 if regression else rng.randint(1, 5)
    sizes = [rng.randint(1, width) for _ in range(hidden)] + [outputs]
    one = rng.random() < 0.5
    names = [rng.choice(list(ACTIVATIONS))] * hidden if one else [rng.choice(list(ACTIVATIONS)) for _ in range(hidden)]
    names += ["linear" if rng.random() < 0.85 else rng.choice(list(ACTIVATIONS))]
    n_in, n = rng.randint(1, width), rng.choice([1, 2, rng.randint(3, 12), rng.randint(3, 40)])
    X = random_samples(rng, n, n_in)
    y = (
        np.array([rng.gauss(0.0, 1.0) * 10.0 ** rng.randint(-3, 3) for _ in range(n)])
        if regression
        else np.array([rng.randrange(max(2, outputs)) for _ in range(n)]) * (rng.random() < 0.9)
    )
    count = sum((a + 1) * b for a, b in zip([n_in, *sizes], sizes, strict=False))
    places = [rng.sample(range(count), rng.randint(1, count)) for _ in range(2)]
    epochs, batch = rng.randint(1, 4), rng.choice([None, None, 1, rng.randint(1, n), rng.randint(1, n)])
    options = {
        "epochs": epochs, "batch_size": batch, "seed": rng.randrange(100), "measured": rng.random() < 0.3,
        "l1": 10.0 ** rng.uniform(-5, 0) if rng.random() < 0.3 else 0.0,
        "l2": 10.0 ** rng.uniform(-5, 0) if rng.random() < 0.3 else 0.0,
        "weights": random_weights(rng, n) if rng.random() < 0.25 else None,
    }  # fmt: skip
    if rng.random() < 0.1:
        options["patience"] = rng.randint(1, 2)
    return RandomNetwork(
        seed, n_in, sizes, names, rng.choice(["", "", *INITS]), X, y,
        rng.choice(list(losses.REGRESSION.values())) if regression else rng.choice(list(losses.LOSSES)),
        random_rule(rng, epochs * math.ceil(n / (batch or n))), options,
        spoiled={places[0][0]: rng.choice(ODD)} if rng.random() < 0.04 else {},
        frozen=places[0] if rng.random() < 0.2 else [],
        thaw=rng.choice([0, 0, 1, 2]),
        penalized=places[1] if rng.random() < 0.2 else None,
        threads=rng.choice([1, 1, 2]),
    )  # fmt: skip


def random_samples(rng, n, n_in):
    """Return samples of columns from tiny to large, at times constant, repeated, zero, whole or odd."""
    X = np.array([[rng.gauss(0.0, 1.0) for _ in range(n_in)] for _ in range(n)])
    kind = rng.random()
    if kind < 0.3:
        X *= 10.0 ** rng.uniform(-3, 3)
    elif kind < 0.5:
        X *= [10.0 ** rng.uniform(-3, 3) for _ in range(n_in)]
    if rng.random() < 0.2:
        X = np.round(X)
    if rng.random() < 0.2:
        X[:, rng.randrange(n_in)] = rng.gauss(0.0, 1.0)
    if rng.random() < 0.2:
        X = X[[rng.randrange(max(1, n // 3)) for _ in range(n)]]
    if rng.random() < 0.2:
        X[rng.randrange(n) :] = 0.0
    if rng.random() < 0.04:
        X[rng.randrange(n), rng.randrange(n_in)] = rng.choice(ODD)
    return X


def random_weights(rng, n):
    """Return weights of samples, not all of them 0."""
    weights = [rng.choice([0.0, 1.0, rng.uniform(0.0, 3.0)]) for _ in range(n)]
    return np.array(weights) if any(weights) else np.ones(n)


def random_rule(rng, steps):
    """Return the name of an optimiser, and options for it."""
    name = rng.choice(list(optim.OPTIMIZERS))
    schedule = optim.SCHEDULES[rng.choice(list(optim.SCHEDULES))](steps)
    knobs = {"lr": 10.0 ** rng.uniform(-4, rng.choice([0, 0, 1])), "schedule": schedule}
    if rng.random() < 0.1:
        knobs["lr"] *= 10.0 ** rng.uniform(0, 300)
    if rng.random() < 0.3:
        knobs["weight_decay"] = 10.0 ** rng.uniform(-4, 0)
    if name in ("sgd", "rmsprop") and rng.random() < 0.5:
        knobs["momentum"] = rng.uniform(0.0, 0.99)
        knobs |= {"nesterov": True} if name == "sgd" and rng.random() < 0.5 else {}
    if name != "sgd" and rng.random() < 0.3:
        knobs["eps"] = 10.0 ** rng.uniform(-12, -2)
    if name in ("adam", "adamw") and rng.random() < 0.3:
        knobs["betas"] = rng.uniform(0.0, 0.99), rng.uniform(0.0, 0.9999)
    if name == "rmsprop" and rng.random() < 0.3:
        knobs["alpha"] = rng.uniform(0.0, 0.999)
    return name, knobs


# Runs


@dataclass(frozen=True)
class Outcome:
    """How a run ended, and the numbers it left, by name."""

    end: tuple
    numbers: dict

    @cached_property
    def flat(self):
        return np.concatenate([np.ravel(part).astype(np.float64) for part in self.numbers.values()])

    def name(self, place):
        """Return which number this is."""
        for name, part in self.numbers.items():
            if place < np.size(part):
                return f"{name}[{place}]"
            place -= np.size(part)
        raise IndexError(place)


def trained(network, name, noise=None):
    """Return the outcome of a run by this engine; `noise` is a random.Random."""
    model = network.model()
    parameters = model.parameters()
    rule = optim.OPTIMIZERS[network.rule[0]](parameters, **network.rule[1])
    options = dict(network.options)
    if network.penalized is not None:
        options["penalized"] = [parameters[place] for place in network.penalized]
    if options["measured"] and network.seed % 2:
        options |= {"X_test": network.X[::2], "y_test": network.y[::2]}
    measures, measure = [], Compiled.measure
    with (
        patch.dict(engines._LATEST, clear=True),
        patch.object(Compiled, "measure", lambda self: measures.append(measure(self)) or measures[-1]),
        noisy(noise, rule),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore", RuntimeWarning)  # of averages that overflow
        history = fit(
            model, network.X, network.y, loss=network.loss, optimizer=rule, engine=name, threads=network.threads,
            callbacks=[network.thawing], **options,
        )  # fmt: skip
        numbers = {
            "loss": history.loss, "accuracy": history.accuracy, "test loss": history.test_loss,
            "test accuracy": history.test_accuracy, "rate": history.learning_rate,
            "weights": [parameter.data for parameter in parameters],
        }  # fmt: skip
        if history.reason != "diverged":
            numbers["memories"] = [number for memory in rule.memories for number in memory]
        if options["measured"]:
            sample_loss = losses.LOSSES.get(network.loss, network.loss)
            X, y = np.concatenate([network.X, odd_points(network)]), np.append(network.y, [0, 0, 1])
            if measures:
                scores, each = measures[-1](X, y)
            else:
                scores = scores_of(model, X)
                each = losses_of(sample_loss, scores, y)
            numbers |= {"scores": scores, "losses": each, "probabilities": probabilities(scores)}
    return Outcome((history.reason, history.message.split(":")[0], len(history.epochs), rule.steps), numbers)


def odd_points(network):
    return np.array([[0.0] * network.n_in, [math.inf] * network.n_in, [math.nan] * network.n_in])


def is_exact(op):
    """Return whether an operation gives one of its arguments, or one of a few numbers: nothing is rounded."""
    return op.selects or op.flat or op in (ops.neg, ops.abs)


ENDS = {ops.tanh: 20.0, ops.sigmoid: 40.0}  # beyond these they are at an end of their range to the last bit


def moved(op, arg, number, factor):
    """Return the result of an operation off by a factor, but not beyond the range of a function that has an end."""
    if op not in ENDS:
        return number * factor
    return np.where(np.abs(arg) > ENDS[op], number, np.clip(number * factor, -1.0, 1.0))


@contextmanager
def noisy(noise, rule):
    """Within this block, what is computed with Values and Columns is off by a unit in the last place; by rules too."""
    if noise is None:
        yield
        return
    factors, rng = (1.0 - ULP / 2.0, 1.0, 1.0 + ULP), np.random.default_rng(noise.randrange(2**32))
    off, backward, on_columns = cycle(noise.choices(factors, k=9973)), Value._backward, Column.apply_op

    def made(value):
        if value.op is not None and not is_exact(value.op):
            value.data = float(moved(value.op, value._a.data, value.data, next(off)))

    def passed(value):
        value.grad *= next(off)
        backward(value)

    def column(op, *args):
        out = on_columns(op, *args)
        if not is_exact(op):
            arg = args[0].data if isinstance(args[0], Column) else args[0]
            out.data = np.asarray(moved(op, arg, out.data, rng.choice(factors, out.data.shape)))
        return out

    def stepped():
        lr, rule.steps = rule.lr * rule.schedule(rule.steps), rule.steps + 1
        free = [place for place, parameter in enumerate(rule.parameters) if not parameter.frozen]
        if not free:
            return
        values, slopes = ([getattr(rule.parameters[place], name) for place in free] for name in ("data", "grad"))
        memory = map(Column, zip(*(rule.memories[place] for place in free), strict=True))
        value, memory = rule.rule(Column(values), Column(slopes), tuple(memory), Column(lr), Column(rule.steps))
        for k, place in enumerate(free):
            rule.parameters[place].data = float(value.data[k])
            rule.memories[place] = tuple(float(number.data[k]) for number in memory)

    with (
        patch.object(engine, "watch", made),
        patch.object(Value, "_backward", passed),
        patch.object(Column, "apply_op", staticmethod(column)),
        patch.object(rule, "step", stepped),
    ):
        yield


# Checks


@dataclass
class Tally:
    """What many runs met; `tight` are the numbers that had to agree to nine digits or in their pattern."""

    networks: int = 0
    numbers: int = 0
    tight: int = 0
    diverged: int = 0
    again: int = 0
    parameters: int = 0
    beyond: int = 0
    wrong: list = field(default_factory=list)

    def summary(self, seconds, crashes):
        networks, numbers = max(self.networks, 1), max(self.numbers, 1)
        return (
            f"{self.networks} networks of {self.parameters / networks:.0f} parameters in {seconds:.0f} s, "
            f"{self.diverged} of them diverged: {len(self.wrong)} disagreements, {crashes} crashes; "
            f"{self.beyond} differ where products are beyond all floats. "
            f"Of {self.numbers} numbers, {self.tight / numbers:.1%} are held to nine digits or their pattern; "
            f"{self.again} networks needed more than {NOISY[0]} runs with noise."
        )


def check(network, tally, compiled=COMPILED):
    """Hold the engines against the interpreted one; add what was met to the tally."""
    runs = [trained(network, "python")]
    got = {name: trained(network, name) for name in compiled}
    problems = dict.fromkeys(compiled, "not yet compared")
    for count in NOISY:
        runs += [trained(network, "python", Random(f"noise {network.seed} {k}")) for k in range(len(runs) - 1, count)]
        problems = {name: difference(got[name], runs) for name, problem in problems.items() if problem}
        problems = {name: problem for name, problem in problems.items() if problem}
        if not problems:
            break
        tally.again += count == NOISY[0]
    beyond = [name for name in problems if is_beyond(got[name], runs)]
    tally.beyond += bool(beyond)
    tally.wrong += [f"seed {network.seed}: {name}: {text}" for name, text in problems.items() if name not in beyond]
    tally.networks += 1
    tally.diverged += runs[0].end[0] == "diverged"
    tally.parameters += np.size(runs[0].numbers["weights"])
    low, high = allowed([run for run in runs if run.end == runs[0].end])
    with np.errstate(all="ignore"):
        wide = np.isinf(high) | (high - low > 1e-9 * np.maximum(np.abs(low), np.abs(high)))
    tally.numbers += len(wide)
    tally.tight += int((~wide).sum())


def difference(outcome, runs):
    """Return in what an outcome is like none of the interpreted runs; "" if in nothing. The first run has no noise."""
    like = [run for run in runs if run.end == outcome.end]
    if not like:
        return f"ended with {outcome.end}, interpreted with {sorted({run.end for run in runs})}"
    found = outside(outcome, like)
    if not len(found):
        return ""
    at, (low, high) = found[0], allowed(like)
    return (
        f"{outcome.name(at)} is {outcome.flat[at]!r}, and {like[0].flat[at]!r} interpreted; "
        f"it lies in [{low[at]!r}, {high[at]!r}] ({len(found)} such of {len(outcome.flat)})"
    )


def outside(outcome, like):
    """Return the places of the numbers that are not where those of the runs `like` it are."""
    (low, high), numbers, known = allowed(like), outcome.flat, np.array([run.flat for run in like])
    inside = (numbers >= low) & (numbers <= high)
    same = ((known == numbers) | (np.isnan(known) & np.isnan(numbers))).any(axis=0)
    return np.flatnonzero(~(inside | same))


def is_beyond(outcome, runs):
    """Return whether an outcome may differ, as a product overflowed: fused with a sum it is finite, or of another sign.

    That is so where weights are such that products of theirs overflow, or a run diverged. What remains of a run then,
    its weights, has to be as in the interpreted runs all the same, if it ended as they did.
    """
    largest = max(np.nanmax(np.abs(run.numbers["weights"]), initial=0.0) for run in [outcome, *runs])
    if largest < LARGE and not any(run.end[0] == "diverged" for run in [outcome, *runs]):
        return False
    like = [run for run in runs if run.end == outcome.end]
    return not like or not any(outcome.name(at).startswith("weights") for at in outside(outcome, like))


def allowed(runs):
    """Return between which two numbers each number of a run may lie, by these runs; nan where none is finite.

    Where the runs agree in no digit, after steps so large that each is an accident of rounding, it may lie anywhere.
    """
    known = np.array([run.flat for run in runs])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of all that is nan
        known[~np.isfinite(known)] = math.nan
        low, high = np.nanmin(known, axis=0), np.nanmax(known, axis=0)
        chaotic = high - low > np.maximum(np.abs(low), np.abs(high)) / 2.0  # they agree in no digit
        wide = REACH * (high - low) + LAST * (ULP * np.maximum(np.abs(low), np.abs(high)) + 5e-324)
        wide[chaotic] = math.inf
        return low - wide, high + wide


def _run_one(seed, compiled):
    network, tally = random_network(seed), Tally()
    print(network)
    check(network, tally, compiled)
    print(trained(network, "python").end)
    print(tally)


def _run_chunk(seeds, compiled):
    """Check networks in this process, and print what it is at before each, for the one who watches."""
    for seed in seeds:
        print(f"at {seed}", flush=True)
        tally = Tally()
        try:
            check(random_network(seed), tally, compiled)
        except Exception as error:
            tally.wrong.append(f"seed {seed}: {type(error).__name__}: {error}")
        for line in tally.wrong:
            print(f"wrong {line}")
        print("tally", *[getattr(tally, name) for name in Tally.__annotations__ if name != "wrong"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, help="one network only")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=10_000, help="how many networks")
    parser.add_argument("--chunk", type=int, default=200, help="networks a process")
    parser.add_argument("--engines", default=",".join(COMPILED))
    parser.add_argument("--level", type=int, default=1, help="how much LLVM optimizes, 0 to 3")
    parser.add_argument("--in-process", type=int, nargs=2, help="the first seed and how many, in this process")
    given = parser.parse_args()
    compiled = tuple(given.engines.split(","))
    if "native" in compiled:
        from micrograd_mlp.compiler.backends import llvm

        llvm.Native = partial(llvm.Native, level=given.level)
    if given.seed is not None:
        return _run_one(given.seed, compiled)
    if given.in_process:
        first, count = given.in_process
        return _run_chunk(range(first, first + count), compiled)
    command = [sys.executable, __file__, "--engines", given.engines, "--level", str(given.level), "--in-process"]
    return run_all(given.first, given.count, given.chunk, command, Tally)


if __name__ == "__main__":
    sys.exit(main())
