"""Into what a graph is folded on the page: trees of groups, in which each Value is a leaf.

A group says what its members have in common: a sample, a layer, a neuron, a long sum, a stretch of the computation, or
a family of the compiler. What is too much to be looked at at once is bunched again, so that every group unfolds into
a few dozen things.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from .. import ops
from ..drawing.folding import INPUTS, LOSS, homes_of, samples_of
from ..drawing.graph import Expression
from ..engine import Value

MOST_GROUPS = 24  # of a kind, next to each other
MOST_VALUES = 48  # drawn one by one in a group
TERMS = 5  # of a sum, from which on it is a group
BANDS = 12  # into which a long computation is cut
MOST_PLACES = 16  # one within the other, by the dots in a name
MOST_FOR_FAMILIES = 500_000  # Values

Path = tuple[tuple[str, str], ...]  # kind and title of each group around a Value, from the outside


@dataclass
class Fold:
    """One way to fold: `of[i]` is the group that Value i lies in, -1 for none; so is `parents[g]` for group g."""

    name: str
    titles: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    of: list[int] = field(default_factory=list)


def folds_of(expression: Expression) -> list[Fold]:
    """Return the ways to fold this graph: by its network, or else by depth; and by family, if the compiler takes it."""
    graph = _Graph(expression)
    by_network = bool(expression.parameters)
    paths = _network_paths(expression) if by_network else [()] * len(expression.order)
    folds = [_fold("network" if by_network else "depth", graph, paths)]
    if families := _family_paths(expression):
        folds.append(_fold("family", graph, families))
    return folds


@dataclass
class _Group:
    kind: str
    title: str
    groups: list[_Group] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    depth: int = 0


class _Graph:
    """What the cutting of groups needs to know: the long sums, and for each Value how many operations lie before it.

    A sum of any number of terms counts as one operation; `sums` holds its additions by the last one.
    """

    def __init__(self, expression: Expression) -> None:
        self.order, self.outputs = expression.order, expression.outputs
        index = {value: place for place, value in enumerate(self.order)}
        self.args = [[index[arg] for arg in value._prev] for value in self.order]
        end = self._ends()
        self.sums: dict[int, list[int]] = {}
        for place, last in end.items():
            self.sums.setdefault(last, []).append(place)
        self.sums = {last: chain for last, chain in self.sums.items() if len(chain) >= TERMS - 1}
        self.depth: list[int] = []
        for place, args in enumerate(self.args):
            last = end.get(place, place)
            self.depth.append(max((self.depth[arg] + (end.get(arg, arg) != last) for arg in args), default=0))

    def _ends(self) -> dict[int, int]:
        """Return for each addition the last one of the sum that it belongs to, in the order of the Values."""
        users: list[list[int]] = [[] for _ in self.order]
        for place, args in enumerate(self.args):
            for arg in args:
                users[arg].append(place)
        end: dict[int, int] = {}
        for place in range(len(self.order) - 1, -1, -1):
            if self.order[place].op is ops.add:
                only = users[place][0] if len(users[place]) == 1 else -1
                end[place] = end[only] if only in end and self.order[place] not in self.outputs else place
        return {place: end[place] for place in sorted(end)}

    def operation(self, place: int) -> str:
        """Return the name of what made a Value; a leaf is a number."""
        op = self.order[place].op
        return op.name if op else "number"


def _fold(name: str, graph: _Graph, paths: Sequence[Path]) -> Fold:
    root = _Group("root", "")
    known: dict[Path, _Group] = {(): root}
    for place, path in enumerate(paths):
        for end in range(1, len(path) + 1):
            if path[:end] not in known:
                known[path[:end]] = _Group(*path[end - 1])
                known[path[: end - 1]].groups.append(known[path[:end]])
        known[path].values.append(place)
    for group in known.values():
        _cut(group, graph)
    stack = [root]
    while stack:
        group = stack.pop()
        group.groups = list(_bunched(group.groups))
        stack += group.groups
    return _numbered(name, root, len(paths))


def _cut(group: _Group, graph: _Graph) -> None:
    """Put each long sum among the Values of a group into a group of its own, and what is still too much into bands."""
    among = set(group.values)
    sums = []
    for last in group.values:
        chain = [place for place in graph.sums.get(last, ()) if place in among]
        if len(chain) >= TERMS - 1:
            sums.append(_sum(chain, graph))
            among.difference_update(chain)
    values = [place for place in group.values if place in among]
    if len(values) + len(sums) > MOST_VALUES:
        group.values, bands = [], _bands([*values, *sums], graph)
        group.groups += bands
    else:
        group.values, group.groups = values, group.groups + sums


def _sum(chain: list[int], graph: _Graph) -> _Group:
    terms = sum(len(graph.order[place].args) for place in chain) - len(chain) + 1
    made = _Group("sum", f"sum of {terms:,}", values=chain, depth=graph.depth[chain[-1]])
    if len(chain) > MOST_VALUES:
        made.values, made.groups = [], _runs(chain, "terms")
    return made


def _bands(items: Sequence[int | _Group], graph: _Graph) -> list[_Group]:
    """Return groups of a stretch of depths each; of things that are all as deep, by operation and in order."""

    def depth(item: int | _Group) -> int:
        return item.depth if isinstance(item, _Group) else graph.depth[item]

    layers = [list(layer) for _, layer in groupby(sorted(items, key=depth), key=depth)]
    if len(layers) == 1:
        return _by_operation(items, graph)
    size = -(-len(items) // BANDS)
    bands: list[list[int | _Group]] = [[]]
    for layer in layers:
        if bands[-1] and len(bands[-1]) + len(layer) > size:
            bands.append([])
        bands[-1] += layer
    if len(bands) == 1:  # nearly all are as deep
        bands = layers
    groups = []
    for band in bands:
        low, high = depth(band[0]), depth(band[-1])
        title = f"depth {low:,} to {high:,}" if low < high else f"depth {low:,}"
        groups.append(_holding("band", title, band, lambda inner: _bands(inner, graph)))
    return groups


def _holding(kind: str, title: str, items: Sequence[int | _Group], cut: Callable[..., list[_Group]]) -> _Group:
    """Return a group that holds these things, or groups of them if they are too many."""
    if len(items) > MOST_VALUES:
        return _Group(kind, title, groups=cut(items))
    groups = [item for item in items if isinstance(item, _Group)]
    return _Group(kind, title, groups, sorted(item for item in items if not isinstance(item, _Group)))


def _by_operation(items: Sequence[int | _Group], graph: _Graph) -> list[_Group]:
    same: dict[str, list[int | _Group]] = {}
    for item in items:
        same.setdefault("sum" if isinstance(item, _Group) else graph.operation(item), []).append(item)
    if len(same) == 1:
        return _runs(items, next(iter(same)))
    return [
        _holding("band", f"{name} × {len(alike):,}", alike, lambda inner, name=name: _runs(inner, name))
        for name, alike in same.items()
    ]


def _runs(items: Sequence[int | _Group], name: str) -> list[_Group]:
    """Return these things in groups, and groups of groups, of ten."""
    size = _size(len(items))
    return [
        _holding("run", f"{name} {first:,} to {min(first + size, len(items)) - 1:,}", items[first : first + size],
                 lambda inner: _runs(inner, name))
        for first in range(0, len(items), size)
    ]  # fmt: skip


def _size(count: int) -> int:
    """Return the power of ten that cuts so many into at most MOST_GROUPS runs."""
    size = 10
    while count > size * MOST_GROUPS:
        size *= 10
    return size


def _bunched(groups: Iterable[_Group]) -> Iterator[_Group]:
    """Yield these groups, or where they are too many samples, neurons or layers, groups of ten of them."""
    alike: dict[tuple[str, str], list[_Group]] = {}
    for group in groups:
        alike.setdefault((group.kind, re.sub(r"[\d,]+", "", group.title)), []).append(group)
    for (kind, _), members in alike.items():
        if len(members) <= MOST_GROUPS or kind not in ("sample", "layer", "neuron"):
            yield from members
            continue
        members.sort(key=_number)
        size = _size(len(members))
        for first in range(0, len(members), size):
            run = members[first : first + size]
            yield _Group(f"{kind}s", _span(run[0].title, run[-1].title), groups=run)


def _number(group: _Group) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", group.title.replace(",", ""))]


def _span(first: str, last: str) -> str:
    """Return "samples 10 to 19" or "neurons[10 … 19]" for the first and the last of a run."""
    stem, number, bracket = re.fullmatch(r"(.*?)([\d,]+)(\]?)", first).groups()  # type: ignore[union-attr]
    end = re.fullmatch(r".*?([\d,]+)\]?", last)[1]  # type: ignore[index]
    return f"{stem}{number} … {end}{bracket}" if bracket else f"{stem.rstrip()}s {number} to {end}"


def _numbered(name: str, root: _Group, count: int) -> Fold:
    """Return the groups numbered, outer ones first; without those that hold a single thing, which stands for itself."""
    fold = Fold(name, of=[-1] * count)
    stack = [(root, -1)]
    while stack:
        group, parent = stack.pop()
        if len(group.groups) == 1 and not group.values and group.kind == "layer":
            group.groups[0].title = f"{group.title}.{group.groups[0].title}"
        elif group is not root and len(group.values) + len(group.groups) > 1:
            fold.titles.append(group.title)
            fold.kinds.append(group.kind)
            fold.parents.append(parent)
            parent = len(fold.titles) - 1
        for place in group.values:
            fold.of[place] = parent
        stack += [(inner, parent) for inner in reversed(group.groups)]
    return fold


def _network_paths(expression: Expression) -> list[Path]:
    """Return the sample, if there are several, the modules and the neuron that each Value belongs to."""
    homes, _ = homes_of(expression)
    samples = samples_of(expression, homes)
    numbers = {sample: k for k, sample in enumerate(dict.fromkeys(samples.values()))}
    places = {home: _places(home) for home in dict.fromkeys(homes.values())}
    if len(numbers) < 2:
        return [places[homes[value]] for value in expression.order]
    own_loss = (("output", "loss of this sample"),)
    outside = {sample: (("sample", f"sample {k:,}"),) for sample, k in numbers.items()}
    return [
        (*outside[samples[value]], *(places[homes[value]] if homes[value] != LOSS else own_loss))
        if value in samples
        else (("parameter", "parameters"), *places[homes[value]])
        if value in expression.parameters
        else _places(LOSS)
        for value in expression.order
    ]


def _places(home: str) -> Path:
    """Return the groups for the place of a neuron, such as layers[0].neurons[3]: those of its layer, and itself."""
    if home == INPUTS:
        return (("input", "inputs"),)
    if home == LOSS:
        return (("output", "loss"),)
    parts = home.split(".", MOST_PLACES - 1) if home else ["neuron"]
    return tuple(("neuron" if place == len(parts) - 1 else "layer", part) for place, part in enumerate(parts))


def _family_paths(expression: Expression) -> list[Path]:
    """Return the family of each Value; nothing if the compiler does not take the graph, or has nothing to find."""
    if not MOST_GROUPS < len(expression.order) <= MOST_FOR_FAMILIES:
        return []
    from ..compiler.families import family_of_rows
    from ..compiler.trace import Tape

    tape = Tape()
    try:
        ends = [tape.index(value) for value in expression.outputs]
    except ValueError:  # an operation of one's own
        return []
    rows = [tape.index(value) for value in expression.order]
    found = family_of_rows(tape.program(ends))[rows].tolist()
    members: dict[int, list[Value]] = {}
    for value, family in zip(expression.order, found, strict=True):
        members.setdefault(family, []).append(value)
    groups: dict[int, Path] = {}
    titles: Counter[str] = Counter()
    for family, values in members.items():
        kind, title = _family(values, expression)
        titles[title] += 1
        groups[family] = ((kind, f"{title} ({titles[title]})" if titles[title] > 1 else title),)
    return [groups[family] for family in found]


def _family(values: Sequence[Value], expression: Expression) -> tuple[str, str]:
    """Return the kind and the title of a family: the place of its parameters, its label, or its operation."""
    last = values[-1]
    kind = expression.kind(last)
    name = _pattern([expression.label(value) for value in values]) or (last.op.name if last.op else "number")
    if last.op is ops.add and not set(values).isdisjoint(last._prev):
        name = "sum"
    return ("family" if kind == "value" else kind), f"{name} × {len(values):,}" if len(values) > 1 else name


def _pattern(labels: Sequence[str]) -> str:
    """Return what labels have in common: layers[0].neurons[·].w[·]; empty if that is not all but some numbers."""
    parts = [re.split(r"(\d+)", label) for label in labels]
    if not labels[0] or len({tuple(part[::2]) for part in parts}) > 1:
        return ""
    columns = [dict.fromkeys(column) for column in zip(*parts, strict=True)]
    return "".join(next(iter(column)) if len(column) == 1 else "·" for column in columns)
