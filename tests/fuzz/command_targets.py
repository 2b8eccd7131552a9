"""The command line: whatever stands on it, and in the files that it names, there is no traceback."""

import os

import hostile
import targets
from click.testing import CliRunner
from judge import Target

from micrograd_mlp import cli, experiment

FOLDER = targets.SCRATCH / "commands"
SMALL = ("--samples", "8", "--epochs", "1", "--hidden", "2", "--engine", "python", "--out", "run")
NAMES = (
    "model.safetensors",
    "points.csv",
    "run.toml",
    "model.json",
    "network.safetensors",
    "absent.csv",
    "run",
    ".",
    "",
)


def argument(rng):
    """Return anything that may stand on a command line."""
    draw = rng.random()
    if draw < 0.4:
        return rng.choice(NAMES)
    if draw < 0.6:
        return targets.make_expression(rng)[0]
    if draw < 0.75:
        return f"{hostile.name(rng)}={hostile.number(rng)}"
    return hostile.text(rng) if draw < 0.9 else hostile.number(rng)


def option(rng, names):
    return [
        f"--{rng.choice(names)}" if rng.random() < 0.95 else f"--{hostile.name(rng)}",
        argument(rng) if rng.random() < 0.9 else "",
    ]


def make_command(rng):
    """Return the arguments of a command, and the files that are there."""
    FOLDER.mkdir(exist_ok=True)
    for make in (targets.make_model, targets.make_toml, targets.make_json):
        path = make(rng)
        path.replace(FOLDER / path.name)
    (FOLDER / "points.csv").write_bytes(targets.csv_bytes(rng))
    path, _ = targets.make_torch(rng)
    path.replace(FOLDER / path.name)
    command = rng.choice(
        ("train", "predict", "draw", "explore", "export", "import", "datasets", "info", "play", hostile.name(rng))
    )
    given = [argument(rng) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    some = rng.random() < 0.3
    given = {
        "train": lambda: (
            [rng.choice(("moons", "points.csv", *given))],
            option(rng, ("label", "lr", "config", "loss", "noise")), SMALL,
        ),
        "predict": lambda: (given if some else ["model.safetensors", "points.csv"],),
        "draw": lambda: (
            _drawn(rng, given), ["--out", rng.choice(("x.dot", "x", argument(rng)[:50] + ".dot"))],
            option(rng, ("at", "level")) * some,
        ),
        "explore": lambda: (_drawn(rng, given), ["--out", "x.html"], option(rng, ("at", "target", "loss")) * some),
        "export": lambda: (
            given[:1] if some else ["model.safetensors"],
            ["--to", rng.choice(("python", "json", "torch", argument(rng)))],
        ),
        "import": lambda: (
            given[:1] if some else [rng.choice(("model.json", "network.safetensors"))],
            option(rng, ("activation", "features", "classes", "out")) * some,
        ),
        "info": lambda: (given[:1] if some else ["model.safetensors"],),
        "datasets": lambda: (given[:1], option(rng, ("samples", "noise", "seed")) * some),
        "play": lambda: (["--port", rng.choice(("x", "-1", "65536", hostile.text(rng) + "x"))],),
    }.get(command, lambda: (given,))()  # fmt: skip
    return [as_given(command), *(as_given(str(each)) for part in given for each in part)]


def as_given(text):
    """Return a text as a system can hand it over: without the end of a text in it, and of bytes."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _drawn(rng, given):
    if rng.random() < 0.2:
        return ["model.safetensors"]
    text, numbers = targets.make_expression(rng)
    return [text, *(f"{name}={number}" for name, number in numbers.items()), *given[2:]]


def run_command(arguments):
    before = os.getcwd(), experiment.PICTURES
    os.chdir(FOLDER)
    experiment.PICTURES = {}  # each takes a second
    try:
        result = CliRunner().invoke(cli.main, arguments)
    finally:
        os.chdir(before[0])
        experiment.PICTURES = before[1]
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in (0, 1, 2), result.exit_code
    assert "Traceback" not in result.output
    if result.exit_code == 2 and not result.stderr.startswith("Usage"):
        assert result.stderr.endswith("\n")
        raise ValueError(result.stderr.removesuffix("\n"))


ALLOWED = frozenset(
    {"write", "os.rename", "os.chmod", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "os.truncate", "exec"}
)
TARGETS = {"command line": Target(make_command, run_command, 8, ALLOWED)}
