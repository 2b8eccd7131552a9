"""A program as C99: one function, loops over its arrays, and nothing but the C library.

It follows the loops that native code runs in, with tiles of a single sample: what a batch has for each sample is
computed for one after the other, so the memory that it takes does not grow with the batch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..loops import LoopProgram, Nest, Region, plan_loops
from ..program import ANYWHERE, ArrayProgram, Operand, Statement, Term

RULES: dict[str, str] = {  # {f} is the ending of a function for floats; whole numbers take the type they meet
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "pow": "pow{f}({0}, {1})",
    "exp": "exp{f}({0})",
    "expm1": "expm1{f}({0})",
    "log": "log{f}({0})",
    "log1p": "log1p{f}({0})",
    "sqrt": "sqrt{f}({0})",
    "sin": "sin{f}({0})",
    "cos": "cos{f}({0})",
    "tanh": "tanh{f}({0})",
    "sigmoid": "({0} >= 0 ? 1 : exp{f}({0})) / (1 + exp{f}(-fabs{f}({0})))",
    "softplus": "({0} > 0 ? {0} : 0) + log1p{f}(exp{f}(-fabs{f}({0})))",
    "relu": "{0} < 0 ? 0 : {0}",
    "leaky_relu": "{0} > 0 ? {0} : {1} * {0}",
    "abs": "fabs{f}({0})",
    "maximum": "{0} >= {1} || isnan({0}) ? {0} : {1}",
    "minimum": "{0} <= {1} || isnan({0}) ? {0} : {1}",
    "step": "{0} > 0 ? 1 : 0",
    "equal": "{0} == {1} ? 1 : 0",
    "where": "{0} != 0 ? {1} : {2}",
    "detach": "{0}",
}
REDUCTIONS = {"sum": ("0", "{0} + {1}"), "largest": ("-INFINITY", RULES["maximum"])}  # of no numbers, and of one more


REALS = {"float64": "double", "float32": "float"}
ENDING = {"double": "", "float": "f"}  # of the functions of math.h


@dataclass(frozen=True)
class Source:
    """C text: `tables` of numbers, then a static `function`, which works in `memory` numbers that its caller has.

    `parameters` are the names and types of what the function takes, in order: `memory`; `state`, which it changes;
    `given`; for each group of the program `columnK`; for each batch its length, `samplesK`; and `results`. What the
    program does not have is left out.
    """

    tables: str
    function: str
    parameters: tuple[tuple[str, str], ...]
    memory: int


def write_c(
    program: ArrayProgram,
    name: str,
    known: Mapping[int, float] | None = None,
    state: int = 0,
    *,
    changed: bool = True,
    dtype: str = "float64",
) -> Source:
    """Return a program as a C function called `name`, which computes in doubles, or for "float32" in floats alone.

    Inputs that are `known`, number by number, become constants. The first `state` of the inputs are in a state of their
    own; if it is `changed`, the last ones of the outputs replace them. Raises ValueError for what is not written in C:
    results of each sample, numbers read from all over the memory, and sums of different lengths in one array.
    """
    program.check()
    loops = plan_loops(program)
    loops.check()
    if program.wanted:
        raise ValueError("C is written for programs whose results are sums over samples, not one for each sample")
    return _Writer(loops, name, dict(known or {}), state, state if changed else 0, REALS[dtype]).source()


def number(value: float, real: str = "double") -> str:
    """Return a number as a constant of C, the nearest one there is of type `real` (but for which nan it is)."""
    with np.errstate(over="ignore", under="ignore"):
        rounded = value if real == "double" else np.float32(value)
    if math.isfinite(rounded):
        return repr(value) if real == "double" else f"{rounded!s}f"
    return "NAN" if math.isnan(value) else "INFINITY" if value > 0 else "-INFINITY"


def table(name: str, numbers: Sequence[float], real: str = "double") -> str:
    """Return the definition of a constant array of these numbers."""
    written = [number(each, real) for each in numbers]
    rows = [", ".join(written[k : k + 5]) for k in range(0, len(written), 5)]
    return f"static const {real} {name}[{len(numbers)}] = {{\n    " + ",\n    ".join(rows) + "\n};\n"


def rule(op: str, values: Sequence[str], real: str = "double") -> str:
    """Return the expression that computes an operation of these values."""
    return RULES[op].format(*values, f=ENDING[real])


@dataclass
class _Writer:
    loops: LoopProgram
    name: str
    known: dict[int, float]
    held: int  # numbers in the state
    carried: int  # numbers of it that the last outputs replace
    real: str  # the type of all numbers
    tables: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    where: dict[int, str] = field(default_factory=dict)  # what the numbers of an array are reached by
    memory: int = 0
    has_constants: bool = False  # that are read from a table
    in_state: dict[int, int] = field(default_factory=dict)  # where those arrays begin that lie in the state
    local: dict[int, str] = field(default_factory=dict)  # what is computed at the point at hand

    @property
    def program(self) -> ArrayProgram:
        return self.loops.arrays

    def source(self) -> Source:
        groups = self.program.given
        grouped = {place for group in groups for place in range(group.first, group.first + group.size)}
        single = [place for place in range(len(self.program.inputs)) if place not in grouped]
        self.numbers = {place: k for k, place in enumerate(p for p in single[self.held :] if p not in self.known)}
        self.states = set(single[: self.held])
        self._inputs()
        outs = self.program.outputs.tolist()
        results, state = outs[: len(outs) - self.carried], outs[len(outs) - self.carried :]
        self._in_place(state, {array for array, _ in results})
        for region in self.loops.regions:
            self._region(region)
        self._copy("results", results)
        self._copy("state", state)
        if self.has_constants:
            self.tables.insert(0, table(f"{self.name}_constants", self.program.constants.tolist(), self.real))
        batches = sorted(self.program.batches)
        possible = [
            ("memory", f"{self.real} *", self.memory),
            ("state", f"{self.real} *" if self.carried else f"const {self.real} *", self.held),
            ("given", f"const {self.real} *", len(self.numbers)),
            *((f"column{k + 1}", f"const {self.real} *", 1) for k in range(len(groups))),
            *((f"samples{batch}", "size_t ", 1) for batch in batches),
            ("results", f"{self.real} *", len(results)),
        ]
        parameters = tuple((what, kind) for what, kind, size in possible if size)
        head = ", ".join(kind + what for what, kind in parameters) or "void"
        body = "\n".join(f"    {line}" for line in self.lines)
        for what, _ in parameters:
            body = body if re.search(rf"\b{what}\b", body) else f"    (void){what};\n{body}"
        return Source(
            "\n".join(self.tables), f"static void {self.name}({head})\n{{\n{body}\n}}\n", parameters, self.memory
        )

    # Where arrays are

    def _title(self, array: int) -> str:
        clean = re.sub(r"[^A-Za-z0-9]", "_", self.program.arrays[array].name)
        return f"{clean if clean[:1].isalpha() and clean.isascii() else 'v'}_{array}"

    def _keep(self, array: int) -> str:
        """Give an array a place in the memory."""
        self.where[array] = title = self._title(array)
        self.lines.append(f"{self.real} *const {title} = {_after('memory', self.memory)};")
        self.memory += self.program.arrays[array].size
        return title

    def _inputs(self) -> None:
        """Let each array of inputs be a table, a part of what is given as it lies there, or a copy of it."""
        places: dict[int, dict[int, int]] = {}
        for place, (array, position) in enumerate(self.program.inputs.tolist()):
            if array >= 0:
                places.setdefault(array, {})[position] = place
        for array, by_position in places.items():
            if self.program.arrays[array].batch:
                continue
            inputs = [by_position[position] for position in range(self.program.arrays[array].size)]
            title = self._title(array)
            if all(place in self.known for place in inputs):
                self.where[array] = f"{self.name}_{title}"
                self.tables.append(table(self.where[array], [self.known[place] for place in inputs], self.real))
                continue
            reached = [self._given(place) for place in inputs]
            (base, first), row = reached[0], len(inputs)
            if base and reached == [(base, first + k) for k in range(row)]:
                self.where[array] = title
                self.in_state.update({array: first} if base == "state" else {})
                self.lines.append(f"const {self.real} *const {title} = {_after(base, first)};")
            else:
                self._keep(array)
                self.lines += [
                    f"{title}[{k}] = {f'{base}[{at}]' if base else number(self.known[place], self.real)};"
                    for k, ((base, at), place) in enumerate(zip(reached, inputs, strict=True))
                ]

    def _given(self, place: int) -> tuple[str, int]:
        """Return in which parameter an input comes, and where; "" for one that is known."""
        if place in self.known:
            return "", 0
        return ("state", place) if place in self.states else ("given", self.numbers[place])

    def _in_place(self, state: list[list[int]], wanted: set[int]) -> None:
        """Let new numbers of the state be written where the old ones are, if nothing reads these afterwards."""
        nests = [(r, n) for r, region in enumerate(self.loops.regions) for n in range(len(region.nests))]
        statements = {s.out: (at, s) for at in nests for s in self.loops.regions[at[0]].nests[at[1]].statements}
        old = dict(self.in_state)
        for first, (array, position) in enumerate(state):
            size = self.program.arrays[array].size
            if position > 0 or array not in statements or array in self.where:
                continue
            if state[first : first + size] != [[array, k] for k in range(size)]:
                continue
            at, target = statements[array]
            below = [a for a, start in old.items() if start < first + size and first < start + self._size(a)]
            readers = [(when, s, r) for when, s in statements.values() for r in s.reads if r.source in below]
            if (
                not self.loops.regions[at[0]].batch
                and wanted.isdisjoint(below)
                and all(
                    when < at or (when == at and old[r.source] == first and self._same(r, s, target))
                    for when, s, r in readers
                )
            ):
                self.where[array], self.in_state[array] = self._title(array), first
                self.lines.append(f"{self.real} *const {self.where[array]} = {_after('state', first)};")

    def _same(self, read: Operand, statement: Statement, target: Statement) -> bool:
        """Say whether a statement reads at each point the place that the target writes there."""
        extents = self.program.extents(target.axes)
        strides, own = read.strides[: len(extents)], _row_major(extents)
        return (
            read.index is None
            and read.offset == 0
            and self.program.extents(statement.axes) == extents
            and not any(read.strides[len(extents) :])
            and all(a == b or extent == 1 for a, b, extent in zip(strides, own, extents, strict=True))
        )

    def _size(self, array: int) -> int:
        return self.program.arrays[array].size

    # Loops

    def _region(self, region: Region) -> None:
        batch = region.batch
        arrays = self.program.arrays
        inputs = {int(array) for array in self.program.inputs[:, 0]}
        if batch and (region.outputs or set(region.inputs) - inputs):
            raise ValueError("C is written for programs that go over their samples once; here some are needed again")
        for nest in region.nests:
            for statement in nest.statements:
                if statement.out in nest.stored and statement.out not in self.where:
                    self._keep(statement.out)
        for out in region.sums:
            start = REDUCTIONS[next(s.op for s in self.program.statements if s.out == out)][0]
            self.lines.append(f"for (long i = 0; i < {arrays[out].size}; ++i) {self.where[out]}[i] = {start};")
        if not batch:
            for nest in region.nests:
                self._nest(nest, 0)
            return
        self.lines.append(f"for (size_t n = 0; n < samples{batch}; ++n) {{")
        for array in region.inputs:
            self._column(array)
        for nest in region.nests:
            self._nest(nest, batch)
        self.lines.append("}")

    def _column(self, array: int) -> None:
        """Let an array of a batch be that of sample n: as it lies there, or else a copy."""
        places = {position: place for place, (a, position) in enumerate(self.program.inputs.tolist()) if a == array}
        size, title = self.program.arrays[array].size, self._title(array)
        at = []
        for position in range(size):
            for k, group in enumerate(self.program.given):
                if group.first <= places[position] < group.first + group.size:
                    at.append((k + 1, group.size, places[position] - group.first))
        column, width, first = at[0]
        self.where[array] = title
        if at == [(column, width, first + k) for k in range(size)]:
            self.lines.append(
                f"    const {self.real} *const {title} = {_after(f'column{column} + {width} * n', first)};"
            )
            return
        self.lines.append(f"    {self.real} {title}[{size}];")
        self.lines += [f"    {title}[{p}] = column{k}[{_place(q, [w], ['n'])}];" for p, (k, w, q) in enumerate(at)]

    def _nest(self, nest: Nest, batch: int) -> None:
        indent = "    " * (batch > 0)
        indices = [f"i{depth}" for depth in range(len(nest.extents))]
        for index, extent in zip(indices, nest.extents, strict=True):
            self.lines.append(f"{indent}for (long {index} = 0; {index} < {extent}; ++{index}) {{")
            indent += "    "
        self.lines += [f"{indent}{{"] * (not indices)
        inner = indent + "    " * (not indices)
        self.local, stores = {}, []
        read = {operand.source for s in nest.statements for operand in s.reads}
        for statement in nest.statements:
            title = self._title(statement.out) + "_"
            own = _place(0, _row_major(nest.extents), indices)
            target = f"{self.where.get(statement.out)}[{own}]"
            if nest.closes:
                self._sum(statement, target, indices, batch, inner, close=True)
                continue
            if statement.terms:
                self._sum(statement, title, indices, batch, inner)
            else:
                values = [self._read(operand, indices, statement.axes, batch) for operand in statement.operands]
                self.lines.append(f"{inner}const {self.real} {title} = {rule(statement.op, values, self.real)};")
            self.local[statement.out] = title
            if statement.out in nest.stored:
                stores.append(f"{inner}{target} = {title};")
            elif statement.out not in read:
                self.lines.append(f"{inner}(void){title};")
        self.lines += stores  # what is written in place is read before
        for depth in range(max(len(indices), 1)):
            self.lines.append(f"{indent[: len(indent) - 4 * depth - 4 * bool(indices)]}}}")

    def _sum(
        self, statement: Statement, total: str, indices: list[str], batch: int, indent: str, close: bool = False
    ) -> None:
        """Write the loops that add up the terms of a statement in `total`, from the first one on."""
        start, more = REDUCTIONS[statement.op]
        terms = list(statement.terms)
        if not close:
            first = terms.pop(0) if statement.op == "sum" and not terms[0].axes and terms[0].offsets is None else None
            begin = self._product(first, indices, [], statement, batch) if first else start
            self.lines.append(f"{indent}{'' if terms else 'const '}{self.real} {total} = {begin};")
        for term in terms:
            if term.offsets is not None:
                raise ValueError("C is written for programs whose sums in one array have one length")
            axes = [axis for axis in term.axes if not self.program.axes[axis].batch]
            inner = [f"j{depth}" for depth in range(len(axes))]
            loops = [f"for (long {j} = 0; {j} < {extent}; ++{j}) "
                     for j, extent in zip(inner, self.program.extents(tuple(axes)), strict=True)]  # fmt: skip
            value = self._product(term, indices, inner, statement, batch)
            if statement.op == "largest":
                self.lines.append(
                    f"{indent}{''.join(loops)}{{ const {self.real} a = {value}; {total} = {more.format(total, 'a')}; }}"
                )
            else:
                self.lines.append(f"{indent}{''.join(loops)}{total} += {value};")

    def _product(
        self, term: Term | None, indices: list[str], inner: list[str], statement: Statement, batch: int
    ) -> str:
        assert term is not None
        axes = statement.axes + term.axes
        order = iter(indices), iter(inner)
        walk = ["" if self.program.axes[axis].batch else next(order[place >= len(statement.axes)])
                for place, axis in enumerate(axes)]  # fmt: skip
        return " * ".join(self._read(factor, walk, axes, batch, walked=True) for factor in term.factors)

    def _read(
        self, operand: Operand, indices: list[str], axes: tuple[int, ...], batch: int, walked: bool = False
    ) -> str:
        """Return the number that an operand reads at the point of these indices."""
        if operand.source == ANYWHERE:
            raise ValueError("C is written for programs that read their arrays one by one; this one is too irregular")
        if operand.source in self.local:
            return self.local[operand.source]
        if not walked:
            order = iter(indices)
            indices = ["" if self.program.axes[axis].batch else next(order) for axis in axes]
        if operand.index is not None:
            extents = [1 if self.program.axes[axis].batch else self.program.axes[axis].extent for axis in axes]
            where = f"{self.name}_places{len(self.tables)}"
            listed = ", ".join(map(str, np.ravel(operand.index).tolist()))
            self.tables.append(f"static const long {where}[{operand.index.size}] = {{{listed}}};\n")
            place = f"{where}[{_place(0, _row_major(extents), indices)}]"
        elif operand.source == 0 and not any(s for s, index in zip(operand.strides, indices, strict=True) if index):
            value = number(float(self.program.constants[operand.offset]), self.real)
            return f"({value})" if value.startswith("-") else value
        else:
            place = _place(operand.offset, operand.strides, indices)
        if operand.source == 0:
            self.has_constants = True
            return f"{self.name}_constants[{place}]"
        return f"{self.where[operand.source]}[{place}]"

    # Ends

    def _copy(self, target: str, places: list[list[int]]) -> None:
        """Write the numbers at these places into a parameter, a loop for each run of them."""
        first = 0
        while first < len(places):
            array, position = places[first]
            last = first + 1
            while last < len(places) and places[last] == [array, position + last - first]:
                last += 1
            source = self.where.get(array, f"{self.name}_constants" if array == 0 else "")
            if target == "state" and array in self.in_state:
                if self.in_state[array] + position != first:
                    raise ValueError("C is written for programs that move no number of their state")
            elif self.program.arrays[array].batch:
                raise ValueError("C is written for programs whose results do not depend on a single sample")
            else:
                self.has_constants |= array == 0
                loop, i = (f"for (long i = 0; i < {last - first}; ++i) ", "i") if last - first > 1 else ("", "")
                to, at = _place(first, [1], [i]), _place(position, [1], [i])
                self.lines.append(f"{loop}{target}[{to}] = {source}[{at}];")
            first = last


def _row_major(extents: Sequence[int]) -> list[int]:
    return [math.prod(extents[d + 1 :]) for d in range(len(extents))]


def _after(base: str, offset: int) -> str:
    return f"{base} + {offset}" if offset else base


def _place(offset: int, strides: Sequence[int], indices: Sequence[Any]) -> str:
    steps = [index if stride == 1 else f"{stride} * {index}"
             for stride, index in zip(strides, indices, strict=True) if stride and index]  # fmt: skip
    return " + ".join([*([str(offset)] if offset or not steps else []), *steps])
