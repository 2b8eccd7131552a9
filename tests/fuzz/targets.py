"""Every place where a user names an input: how one is made, and what the library has to make of it.

Most inputs are good ones in part, so that they come far; each target looks at what comes back as well.
"""

import ast
import atexit
import json
import math
import os
import random
import re
import shutil
import tempfile
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import hostile
import judge
import numpy as np
from judge import Target

from micrograd_mlp import MLP, Recording, Value, explore, fit, losses, ops
from micrograd_mlp.archive import CHECKPOINT, MODEL, unpack
from micrograd_mlp.classifier import Classifier, Scaling
from micrograd_mlp.cli import _flat, plain
from micrograd_mlp.drawing import draw, report
from micrograd_mlp.drawing.dot import clean
from micrograd_mlp.experiment import describe_network
from micrograd_mlp.exports import c, python
from micrograd_mlp.exports import json as json_export
from micrograd_mlp.expressions import evaluate
from micrograd_mlp.imports import from_json, from_torch
from micrograd_mlp.nn import ACTIVATIONS, INITS
from micrograd_mlp.optim import OPTIMIZERS, SCHEDULES
from micrograd_mlp.options import ENGINES, PROBLEMS, Options, read_toml
from micrograd_mlp.regressor import Regressor, load_model
from micrograd_mlp.tables import load_csv, load_features, parse_csv, parse_numbers
from micrograd_mlp.trained import network_of as network
from micrograd_mlp.training import Epoch, History

SHARED = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a folder in memory
SCRATCH = Path(tempfile.mkdtemp(prefix="fuzz-", dir=os.environ.get("FUZZ_FOLDER") or SHARED))
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)


def file(content, name):
    """Write an input where the library finds it, and return the path."""
    path = SCRATCH / name
    path.write_bytes(content)
    return path


# CSV


def csv_text(rng):
    """Return the text of a table, and the names of its columns."""
    calm = rng.random() < 0.5  # a good table, but for its names
    width, count = (
        rng.choice((2, 3, 3, 4, 6)) if calm else rng.choice((1, 2, 3)),
        rng.choice((0, 1, 2, 3, 6, 12)) + 6 * calm,
    )
    delimiter = rng.choice(",,,;\t")
    quoted = rng.random() < 0.2
    names = [hostile.name(rng) for _ in range(width)]
    kinds = [
        hostile.name(rng) if rng.random() < 0.5 else str(rng.randrange(3))
        for _ in range(rng.choice((1, 2, 2, 3)) + calm)
    ]

    def cell(text):
        return '"' + text.replace('"', '""') + '"' if quoted or calm or rng.random() < 0.1 else text

    rows = [[cell(name) for name in names]] if rng.random() < 0.7 else []
    for _ in range(count):
        row = [
            f"{rng.gauss(0, 1):.3g}" if calm or rng.random() < 0.5 else hostile.number(rng) for _ in range(width - 1)
        ]
        rows.append([cell(each) for each in [*row, rng.choice(kinds)]])
    if rows and not calm and rng.random() < 0.1:
        rng.choice(rows).append(hostile.number(rng))
    if rng.random() < 0.006 and sum(len(text) for row in rows for text in row) < 2_000:
        rows = (
            rows * rng.choice((100, 1_000)) if rng.random() < 0.5 else [row * rng.choice((100, 2_000)) for row in rows]
        )
    end = rng.choice(("\n", "\n", "\n", "\r\n", "\r", "\n\n"))
    return end.join(delimiter.join(row) for row in rows) + rng.choice((end, "")), names


def csv_bytes(rng):
    """Return the content of a file that may be CSV."""
    return hostile.encoded(rng, csv_text(rng)[0] if rng.random() < 0.99 else hostile.nested(rng))


def label_of(rng):
    return rng.choice((None, None, None, 0, -1, 1, 10**400, "0", hostile.name(rng), hostile.number(rng)))


def run_csv(case):
    content, label = case
    table = parse_csv(content, "points.csv", label)
    assert table.X.shape == (len(table.y), len(table.features))
    assert np.isfinite(table.X).all()
    assert set(table.y.tolist()) == set(range(len(table.classes)))
    assert 2 <= len(table.classes) <= 100


def run_csv_file(path):
    load_csv(path)


def run_numbers(content):
    X, names = parse_numbers(content, "points.csv")
    assert X.shape[1] == len(names)
    assert np.isfinite(X).all()


def make_features(rng):
    text, names = csv_text(rng)
    wanted = (
        names[: rng.randint(1, len(names))]
        if rng.random() < 0.7
        else [hostile.name(rng) for _ in range(rng.choice((1, 2, 50)))]
    )
    return file(hostile.encoded(rng, text, 0.85), "features.csv"), tuple(wanted)


def run_features(case):
    path, wanted = case
    X = load_features(path, wanted)
    assert X.shape[1] == len(wanted)
    assert np.isfinite(X).all()


# Options

GOOD = {
    "problem": [*PROBLEMS, "iris", "own.csv"], "label": ["kind", "0"], "samples": ["100", 100], "noise": ["0.1", 0.1],
    "test_share": ["0.25", 0.5], "hidden": ["16,16", "none", [4, 4], 3], "activation": [*ACTIVATIONS, "tanh,relu"],
    "init": [*INITS], "loss": [*losses.LOSSES], "optimizer": [*OPTIMIZERS], "lr": ["0.1", 1e-3],
    "schedule": [*SCHEDULES], "epochs": ["3", 10], "batch": ["0", 16], "l1": ["0.1"], "l2": [1e-4],
    "engine": [*ENGINES], "seed": ["1", 7], "stop_accuracy": ["0.99"], "patience": [5], "out": ["runs/x"],
}  # fmt: skip


def options(rng, good):
    """Return options by name, most of them `good`."""
    given = {}
    for name in rng.sample(sorted(good), rng.choice((0, 1, 2, 3, 6))):
        draw = rng.random()
        given[name] = (
            rng.choice(good[name]) if draw < 0.6 else hostile.number(rng) if draw < 0.75 else hostile.value(rng)
        )
    if rng.random() < 0.1:
        given[hostile.text(rng)] = hostile.value(rng)
    return given


def run_options(given):
    found = Options.of(given)
    assert found.lr is not None
    found.of_training()


def toml_of(value, rng):
    """Return a value as TOML has it, or as it has not."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return rng.choice((json.dumps(value), f"'{value}'", f'"""{value}"""', f"'''{value}'''", value))
    if isinstance(value, int) and abs(value) > hostile.HUGE:
        return hex(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_of(each, rng) for each in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(name)} = {toml_of(each, rng)}' for name, each in value.items())}}}"
    return rng.choice(("1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "''")) if value is None else repr(value)


def make_toml(rng):
    given = options(rng, GOOD)
    keys = {name: name.replace("_", "-") if rng.random() < 0.5 else name for name in given}
    bare = {name: re.fullmatch("[a-z_-]+", key) or rng.random() < 0.2 for name, key in keys.items()}
    lines = [f"{key if bare[name] else json.dumps(key)} = {toml_of(given[name], rng)}" for name, key in keys.items()]
    draw = rng.random()
    if draw < 0.05:
        lines.append(
            rng.choice(("[table]", "[[array]]", "[a.b.c]", "hidden.x = 1", "lr = ", "= 1", "# ", "lr.a.b = 2"))
        )
    elif draw < 0.06:
        lines.append(f"hidden = {hostile.nested(rng)}")
    elif draw < 0.065:
        lines.append(".".join(rng.choice("ab") for _ in range(rng.choice((10, 1_000, 20_000)))) + " = 1")
    elif draw < 0.07:
        lines += [f"[{'.'.join('x' for _ in range(k))}]" for k in range(1, rng.choice((10, 400)))]
    return file(hostile.encoded(rng, "\n".join(lines), 0.8), "run.toml")


def run_toml(path):
    given = read_toml(path)
    Options.of(given)


# Model files

KINDS = {np.dtype(name): code for name, code in (
    ("<f8", "F64"), ("<f4", "F32"), ("<f2", "F16"), ("<i8", "I64"), ("<i4", "I32"), ("<u1", "U8"), ("?", "BOOL"),
    ("<c8", "C64"),
)}  # fmt: skip


def safetensors(rng, tensors, metadata, spoilt=0.15):
    """Return a safetensors file, written by hand, so that it may be wrong in every part."""
    header, data = {"__metadata__": metadata} if metadata is not None else {}, b""
    for name, array in tensors.items():
        begin, data = len(data), data + array.tobytes()
        header[name] = {"dtype": KINDS[array.dtype], "shape": list(array.shape), "data_offsets": [begin, len(data)]}
    if rng.random() < spoilt:
        header = hostile.spoil_value(rng, header)
    if header and rng.random() < 0.02:
        kind = rng.choice(("BF16", "F8_E4M3", "F8_E5M2", "U64", "I16", "F4", "F6_E2M3", "E8M0", "f64", ""))
        entries = (
            [each for each in header.values() if isinstance(each, dict) and "dtype" in each]
            if isinstance(header, dict)
            else []
        )
        for each in entries:
            each["dtype"] = kind
    text = hostile.as_json(header).encode()
    if rng.random() < 0.005:
        text = hostile.nested(rng).encode()
    text += b" " * (-len(text) % 8)
    size = (
        len(text) if rng.random() < 0.97 else rng.choice((0, 1, 2**31, 2**63, 2**64 - 1, len(text) + 8, len(text) - 1))
    )
    content = (size % 2**64).to_bytes(8, "little") + text + data
    return content if rng.random() < 0.85 else hostile.spoil(rng, content)


def layers(rng):
    """Return the sizes of a small network, and its weights and biases, a few of them hostile."""
    sizes = [rng.choice((1, 2, 2, 3)) for _ in range(rng.choice((2, 2, 3, 3, 4)))]
    weights = [np.array([[rng.gauss(0, 1) for _ in range(i)] for _ in range(o)]) for i, o in pairwise(sizes)]
    biases = [np.array([rng.gauss(0, 1) for _ in range(o)]) for o in sizes[1:]]
    for array in (*weights, *biases):
        if rng.random() < 0.05:
            array.flat[rng.randrange(array.size)] = rng.choice((math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324))
    return sizes, weights, biases


def distorted(rng, tensors):
    """Return tensors of which one has perhaps another kind, shape or name."""
    tensors = dict(tensors)
    if tensors and rng.random() < 0.3:
        name = rng.choice(list(tensors))
        array = tensors.pop(name)
        draw = rng.randrange(6)
        if draw == 0:
            with np.errstate(all="ignore"):
                array = np.nan_to_num(array).astype(rng.choice(list(KINDS)))
        elif draw == 1:
            array = array.reshape(rng.choice(((-1,), (1, -1), (-1, 1), (1, 1, -1))))
        elif draw == 2:
            array = array[:0]
        elif draw == 3:
            array = np.repeat(array, rng.choice((2, 3, 50)), axis=0)
        elif draw == 4:
            name = rng.choice(
                (hostile.text(rng), "layers.1.weight", "layers.²", "layers." + "9" * 5000 + ".weight", "0.w")
            )
        else:
            array = array.reshape(-1)[:1].reshape(()) if array.size else array
        tensors[name] = np.ascontiguousarray(array)
    return tensors


def answers(rng, n_out):
    """Return the names of classes, or of the targets of a regressor, by the key that they have in files."""
    if rng.random() < 0.3:
        return {"targets": [hostile.name(rng) for _ in range(n_out)]}
    return {"classes": [hostile.name(rng) for _ in range(max(2, n_out))]}


def make_model(rng):
    sizes, weights, biases = layers(rng)
    n_in, n_out = sizes[0], sizes[-1]
    about = {
        "format": MODEL.key, "version": 1,
        "activations": [rng.choice([*ACTIVATIONS]) for _ in weights],
        "scaling": {
            "mean": [rng.gauss(0, 1) for _ in range(n_in)], "deviation": [rng.uniform(0.1, 2) for _ in range(n_in)]
        },
        "features": [hostile.name(rng) for _ in range(n_in)],
        **answers(rng, n_out),
        "about": {"options": {"loss": "hinge", "hidden": [1]}, "epochs": 3} if rng.random() < 0.5 else {},
    }  # fmt: skip
    tensors = {f"layers.{k}.weight": each for k, each in enumerate(weights)}
    tensors |= {f"layers.{k}.bias": each for k, each in enumerate(biases)}
    tensors = distorted(rng, tensors)
    for _ in range(rng.choice((0, 0, 1, 2))):
        about = hostile.spoil_value(rng, about)
    if isinstance(about, dict) and rng.random() < 0.95:
        about["checksum"] = checksum(about, tensors)
    text = (
        hostile.as_json(about)
        if rng.random() < 0.97
        else hostile.spoil(rng, hostile.as_json(about).encode()).decode("utf-8", "replace")
    )
    if rng.random() < 0.005:
        text = hostile.nested(rng)
    return file(safetensors(rng, tensors, {MODEL.key: text}), "model.safetensors")


def checksum(about, tensors):
    """Return the checksum that fits, so that it is not the checksum alone that holds hostile files off."""
    text = hostile.as_json(about)
    digest = sha256(b"" if 5000 * "9" in text else json.dumps(json.loads(text), sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(
            f"{name} {tensors[name].dtype} {tensors[name].shape}".encode("utf-8", "replace") + tensors[name].tobytes()
        )
    return digest.hexdigest()


def run_model(path):
    look_at(load_model(path))


def look_at(classifier):
    """Do with a model what its user does."""
    points = [[0.5] * len(classifier.features), [-1.0] * len(classifier.features)]
    with np.errstate(all="ignore"):
        if isinstance(classifier, Regressor):
            assert np.size(classifier.predict(points)) == 2 * len(classifier.targets)
        else:
            assert classifier.predict_proba(points).shape == (2, len(classifier.classes))
            assert set(classifier.predict(points)) <= set(classifier.classes)
    numbers = [parameter.data for parameter in classifier.model.parameters()]
    assert all(type(number) is float and math.isfinite(number) for number in numbers)
    assert all(type(name) is str for name in (*classifier.features, *classifier.names))
    assert plain(describe_network(classifier)).isprintable()
    for row in _flat(classifier.about):
        assert all(plain(cell).isprintable() for cell in row)


# Checkpoints

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def learn(path):
    """Train a small network for three epochs, from where the checkpoint at `path` left it."""
    model = MLP(2, [2, 1], rng=random.Random(0))
    options = {"loss": "bce", "optimizer": "adam", "epochs": 3, "batch_size": 2, "engine": "python"}
    history = fit(model, CORNERS, [0, 1, 1, 0], **options, checkpoint=path, every=5, record=Recording())
    return model, history


def stopped():
    """Return the note and the numbers in the checkpoint of a run that has one epoch to go."""
    path = SCRATCH / "stopped.checkpoint"
    learn(path)
    note, tensors = unpack(path, CHECKPOINT, lambda note, tensors: (note, tensors))
    return note | {"ended": []}, tensors | {"history": tensors["history"][:2]}


STOPPED = stopped()


def make_checkpoint(rng):
    note, tensors = STOPPED
    if rng.random() < 0.3:
        name = rng.choice([*tensors])
        array = tensors[name].copy()
        whole = array.dtype.kind != "f"
        array.flat[rng.randrange(array.size)] = rng.choice((-1, 10**9) if whole else (math.nan, math.inf, 1e308, -1.0))
        tensors = tensors | {name: array}
    tensors = distorted(rng, tensors) if rng.random() < 0.5 else tensors
    if rng.random() < 0.02:
        tensors = tensors | {
            rng.choice(("callbacks.0.x", "callbacks.²", "callbacks.-1.x", "callbacks.x.y")): np.zeros(1)
        }
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        note = hostile.spoil_value(rng, note)
    if isinstance(note, dict) and rng.random() < 0.95:
        note = {key: each for key, each in note.items() if key != "checksum"}
        note["checksum"] = checksum(note, tensors)
    return file(safetensors(rng, tensors, {CHECKPOINT.key: hostile.as_json(note)}, 0.05), "run.checkpoint")


def run_checkpoint(path):
    model, history = learn(path)
    assert len(history.epochs) <= 3 or history.message
    assert all(type(parameter.data) is float for parameter in model.parameters())


def make_torch(rng):
    sizes, weights, biases = layers(rng)
    stem = rng.choice(("", "network.", "a.b."))
    step = rng.choice((1, 2))
    tensors = {f"{stem}{k * step}.weight": each for k, each in enumerate(weights)}
    tensors |= {f"{stem}{k * step}.bias": each for k, each in enumerate(biases) if rng.random() < 0.9}
    if rng.random() < 0.3:
        tensors |= {"mean": np.zeros(sizes[0]), "deviation": np.ones(sizes[0])}
    if rng.random() < 0.3:
        kind = rng.choice(("<f4", "<f2"))
        with np.errstate(all="ignore"):
            tensors = {name: each.astype(kind) for name, each in tensors.items()}
    about = {
        "activations": [*(rng.choice([*ACTIVATIONS]) for _ in weights[1:]), "linear"],
        "features": [hostile.name(rng) for _ in range(sizes[0])],
        **answers(rng, sizes[-1]),
    }
    if rng.random() < 0.4:
        about = hostile.spoil_value(rng, about)
    noted = rng.random() < 0.5
    metadata = {f"{MODEL.key} torch": hostile.as_json(about)} if noted else rng.choice((None, {}, {"format": "pt"}))
    path = file(safetensors(rng, distorted(rng, tensors), metadata), "network.safetensors")
    given = (
        {}
        if noted or rng.random() < 0.2
        else {"activation": rng.choice(("relu", "tanh", hostile.name(rng), ["relu", "linear"]))}
    )
    if rng.random() < 0.1:
        given[rng.choice(("classes", "targets"))] = [hostile.name(rng) for _ in range(rng.choice((1, 2, 3)))]
    return path, given


def run_torch(case):
    path, given = case
    look_at(from_torch(path, **given))


def make_json(rng):
    sizes, weights, biases = layers(rng)
    document = {
        "format": MODEL.key, "version": 1, "formula": "x", "features": [hostile.name(rng) for _ in range(sizes[0])],
        **answers(rng, sizes[-1]),
        "scaling": {"mean": [rng.gauss(0, 1) for _ in range(sizes[0])], "deviation": [1.0] * sizes[0]},
        "layers": [
            {"activation": rng.choice([*ACTIVATIONS]), "weight": weight.tolist(), "bias": bias.tolist()}
            for weight, bias in zip(weights, biases, strict=True)
        ],
    }  # fmt: skip
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        document = hostile.spoil_value(rng, document)
    text = hostile.as_json(document) if rng.random() < 0.99 else hostile.nested(rng)
    return file(hostile.encoded(rng, text, 0.85), "model.json")


def run_json(path):
    look_at(from_json(path))


# Expressions


CALLED = {name: len(op.partials) or 1 for name, op in ops.TABLE.items()}


def expression(rng, calm, depth=4):
    """Return the text of an expression; if `calm`, a good one."""
    draw = rng.random()
    if not depth or draw < 0.2:
        return rng.choice(
            ("x", "y", "x", "2", "0.5", "1e999") if calm else ("w", "0x10", "1j", hostile.number(rng)[:40])
        )
    if draw < 0.55:
        signs = (
            (" + ", "-", "*", "/", "**") if calm else ("%", "//", "@", "<<", " and ", " if x else ", ":=", ",", "**")
        )
        return expression(rng, calm, depth - 1) + rng.choice(signs) + expression(rng, calm, depth - 1)
    if draw < 0.7:
        return f"({expression(rng, calm, depth - 1)})"
    if draw < 0.75:
        return rng.choice("-+" if calm else "-+~ ") + expression(rng, calm, depth - 1)
    if draw < 0.95 or calm:
        name = rng.choice([*CALLED])
        count = CALLED[name] if calm else rng.choice((0, 1, 1, 2, 3))
        name = name if calm or rng.random() < 0.9 else hostile.name(rng)[:60]
        return f"{name}({', '.join(expression(rng, calm, depth - 1) for _ in range(count))})"
    return rng.choice((
        "x.__class__", "[x]", "{x}", "x[0]", "'x'", "f'{x}'", "lambda: x", "__import__('os')", "(yield)", "await x",
        "[i for i in x]", "x if x else y", "...", "None", "True", "*x", "print(x)", "open('x', 'w')", "exec('1')", "_",
        hostile.text(rng)[:100],
    ))  # fmt: skip


def make_expression(rng):
    draw = rng.random()
    text = hostile.nested(rng) if draw < 0.01 else expression(rng, draw < 0.6)
    if rng.random() < 0.2:
        text = hostile.spoil(rng, text.encode("utf-8", "replace")).decode(
            "utf-8", rng.choice(("replace", "surrogateescape", "ignore"))
        )
    names = [name for name in ("x", "y", "w") if re.search(rf"\b{name}\b", text) or rng.random() < 0.03]
    numbers = {name: rng.choice((1.5, -2.0, 0.0, 1e308, -1e-300, 5e-324)) for name in names if rng.random() < 0.98}
    if rng.random() < 0.03:
        numbers[hostile.name(rng)] = 1.0
    return text, numbers


def run_expression(case):
    text, numbers = case
    value = evaluate(text, numbers)
    value.backward()
    assert type(value.data) is float
    drawing = draw(value, title=text, edges=True)
    assert len(drawing.dot) < 3_000_000
    drawing.dot.encode()


# Labels in DOT, SVG and HTML


def labelled(rng):
    """Return a small graph whose Values have hostile labels, and a hostile title."""
    a, b = Value(1.5, label=hostile.text(rng)), Value(-2.0, label=hostile.text(rng))
    parameter = Value(0.5, label=rng.choice(("w[0]", hostile.text(rng) + ".w[0]", hostile.text(rng))))
    inner = parameter * a
    inner.label = hostile.text(rng)
    own = Value(0.25, (inner,), hostile.text(rng)[:50]) if rng.random() < 0.2 else inner.tanh()
    out = own + b
    out.label = hostile.text(rng)
    return out, hostile.text(rng), rng.choice((None, None, "scalar", "depth", "neuron", "layer", "sample"))


def run_dot(case):
    import pygraphviz

    out, title, level = case
    out.backward()
    drawing = draw(out, title=title, level=level, edges=True)
    assert len(drawing.dot) < 60_000
    with judge.aside():
        graph = pygraphviz.AGraph(string=drawing.dot)
    names = graph.nodes()
    assert all(re.fullmatch(r"v\d+(o|c\d+)?|g\d+", name) for name in names), names
    trees = [ElementTree.fromstring(f"<a>{graph.get_node(name).attr['label']}</a>") for name in names]
    assert {element.tag for tree in trees for element in tree.iter()} <= {"a", "table", "tr", "td", "b", "font"}
    titles = {"".join(bold.itertext()).strip("\xa0").replace("\\\\", "\\") for tree in trees for bold in tree.iter("b")}
    if level in (None, "scalar"):
        assert {clean(label) for label in labels_of(out) if label} <= titles, (labels_of(out), titles)


def svg_of(graph):
    out, title, level = graph
    out.backward()
    return draw(out, title=title, level=level).svg()


def run_svg(case):
    text = svg_of(case)
    tree = ElementTree.fromstring(text)
    for element in tree.iter():
        tag = element.tag.rpartition("}")[2]
        assert tag in ("svg", "g", "polygon", "path", "text", "a", "ellipse", "title", "polyline", "rect"), tag
        for attribute, content in element.attrib.items():
            assert not attribute.rpartition("}")[2].lower().startswith("on"), attribute
            assert attribute.rpartition("}")[2] != "href", content
            assert "javascript:" not in content or attribute.rpartition("}")[2] in ("title",), (attribute, content)


class Elements(HTMLParser):
    """The elements of a page: tags with the names of their attributes, and the text in scripts and titles."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.found, self.inside, self.data = [], "", {}
        self.attributes = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, *sorted(name for name, _ in attrs)))
        self.attributes += attrs
        self.inside = tag + "".join(f" {name}={value}" for name, value in attrs if name == "id")

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        self.data[self.inside] = self.data.get(self.inside, "") + data


def elements_of(page):
    """Return the elements of a page that was parsed."""
    elements = Elements()
    elements.feed(page)
    elements.close()
    return elements


PLAIN_PAGE = elements_of(explore(Value(1.0, label="x") + 1.0, title="plain").html).found
FRAME = elements_of(explore(Value(1.0, label="x") + 1.0, title="plain")._repr_html_()).found


def run_page(case):
    out, title, _ = case
    page = explore(out, title=title)
    page.html.encode()
    frame = page._repr_html_()
    with judge.aside():
        elements = elements_of(page.html)
        assert elements.found == PLAIN_PAGE, elements.found
        data = json.loads(elements.data["script id=data"])
        assert data["title"] == through_json(title)
        assert sorted(data["labels"].values()) == sorted(through_json(label) for label in labels_of(out) if label)
        inner = elements_of(frame)
        assert inner.found == FRAME
        assert dict(inner.attributes)["srcdoc"] == page.html


def through_json(text):
    """Return a text as JSON brings it: two surrogates that make a pair are one character there."""
    return json.loads(json.dumps(text))


def labels_of(value):
    """Return the labels of a Value and of all behind it."""
    met, queue = {value}, [value]
    for each in queue:
        for arg in each._prev:
            if arg not in met:
                met.add(arg)
                queue.append(arg)
    return [str(each.label) for each in met]


def make_report(rng):
    count = rng.choice((2, 3))
    return {
        "title": hostile.text(rng),
        "summary": [(hostile.text(rng), hostile.text(rng)) for _ in range(rng.choice((0, 1, 3)))],
        "notes": [hostile.text(rng) for _ in range(rng.choice((0, 1, 2)))],
        "pictures": [(hostile.text(rng), PICTURE, hostile.text(rng)) for _ in range(rng.choice((0, 1)))],
        "confusion": np.arange(count * count).reshape(count, count),
        "classes": [hostile.text(rng) for _ in range(count)],
        "history": History([Epoch(1, 0.5, 0.5, math.nan, math.nan, 0.1)]) if rng.random() < 0.5 else None,
    }


PICTURE = file(b"\x89PNG\r\n\x1a\n", "picture.png")


def plainly(case):
    """Return the same report with harmless texts."""
    return {
        "title": "t", "summary": [("a", "b") for _ in case["summary"]], "notes": ["n" for _ in case["notes"]],
        "pictures": [("c", PICTURE, "alt") for _ in case["pictures"]], "confusion": case["confusion"],
        "classes": ["k" for _ in case["classes"]], "history": case["history"],
    }  # fmt: skip


def run_report(case):
    pages = [report.write_report(SCRATCH / "report.html", **each).read_text("utf-8") for each in (case, plainly(case))]
    with judge.aside():
        found, wanted = map(elements_of, pages)
    assert found.found == wanted.found, (found.found, wanted.found)


# Exports: names go into code


def make_export(rng):
    sizes, weights, biases = layers(rng)
    weights, biases = (
        [np.nan_to_num(each, posinf=1e300, neginf=-1e300) for each in weights],
        [np.nan_to_num(each, posinf=1.0, neginf=-1.0) for each in biases],
    )
    features = tuple(hostile.text(rng) for _ in range(sizes[0]))
    kind, least = rng.choice(((Classifier, 2), (Regressor, 1)))
    names = tuple(hostile.text(rng) for _ in range(max(least, sizes[-1])))
    model = network(weights, biases, [rng.choice([*ACTIVATIONS]) for _ in weights])
    return kind(model, Scaling([0.0] * sizes[0], [1.0] * sizes[0]), features, names)


def run_export(classifier):
    names = {"FEATURES": classifier.features, classifier.answers.upper(): classifier.names}
    code = python.files(classifier, "model.py")[""]
    assert code.isascii()
    found = {node.targets[0].id: node.value for node in ast.parse(code).body if isinstance(node, ast.Assign)}
    assert {name: ast.literal_eval(found[name]) for name in names} == names
    text = json_export.files(classifier, "model.json")[""]
    document = json.loads(text)
    assert text.isascii()
    for key, names in (("features", classifier.features), (classifier.answers, classifier.names)):
        assert document[key] == [through_json(name) for name in names]


def run_export_c(classifier):
    code = c.files(classifier, "model.c")[""]
    with judge.aside():
        look_at_c(code, classifier)


def look_at_c(code, classifier):
    """Hold C code against the names that it was made with."""
    assert code.isascii()
    assert not re.search(r"pwned|passwd|evil", re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', "", code))
    answer = {"classes": "class", "targets": "target"}[classifier.answers]
    for array, names in (("feature", classifier.features), (answer, classifier.names)):
        sizes = re.search(rf"model_{array}_sizes\[\w+\] = {{([0-9, ]*)}};", code)[1]
        assert [int(size) for size in sizes.split(",")] == [
            len(name.encode("utf-8", "surrogatepass")) for name in names
        ]


# The table; the playground's targets stand in a file of their own, as they load its server

TARGETS = {
    "csv": Target(lambda rng: (csv_bytes(rng), label_of(rng)), run_csv, 160),
    "csv file": Target(lambda rng: file(csv_bytes(rng), "points.csv"), run_csv_file, 40),
    "csv numbers": Target(csv_bytes, run_numbers, 40),
    "csv features": Target(make_features, run_features, 60),
    "options": Target(lambda rng: options(rng, GOOD), run_options, 140),
    "toml": Target(make_toml, run_toml, 100),
    "model": Target(make_model, run_model, 60),
    "checkpoint": Target(
        make_checkpoint, run_checkpoint, 8, frozenset({"write", "os.rename", "os.chmod", "os.remove", "os.truncate"})
    ),
    "torch": Target(make_torch, run_torch, 60),
    "json": Target(make_json, run_json, 60),
    "expression": Target(make_expression, run_expression, 120),
    "dot": Target(labelled, run_dot, 12, needs="pygraphviz"),
    "svg": Target(
        labelled,
        run_svg,
        0.5,
        frozenset({"subprocess.Popen", "write", "os.fork", "os.remove", "os.posix_spawn"}),
        needs="pygraphviz",
    ),
    "page": Target(labelled, run_page, 4),
    "report": Target(make_report, run_report, 4, frozenset({"write", "exec", "os.rename", "os.chmod"})),
    "exports": Target(make_export, run_export, 15),
    "export c": Target(make_export, run_export_c, 1),
}
