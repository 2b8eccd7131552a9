"""The table of operations: what each computes, and how it differentiates. Calculus stands here and nowhere else.

`forward(*args)` works on floats. `partials[i](out, *args)` is the derivative by argument i, where `out` is the result,
written with operators and operations of this table only: so it works on floats, on Values (for derivatives of
derivatives) and on anything else that records. Edges follow IEEE 754 and PyTorch: `log(0)` is -inf, `exp(1000)` is inf,
`(-8) ** (1/3)` is nan. Source of the formulas: Abramowitz and Stegun, Handbook of Mathematical Functions, 1964.
"""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .ieee import as_float, divide, log1p_exp, logistic, power, total

TABLE: dict[str, "Op"] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One row of the table. Called with numbers it returns a float; called with a Value it records a new Value.

    `symbol` is what drawings show, `note` the choice made where no derivative exists. An operation that `selects` among
    its arguments passes 0 to what it did not select, not even 0 * inf, as in PyTorch; a `flat` one passes nothing.
    """

    name: str
    formula: str
    forward: Callable[..., float]
    partials: tuple[Callable[..., Any], ...]
    symbol: str = ""
    note: str = ""
    selects: bool = False
    flat: bool = False
    default: tuple[float, ...] = ()  # the last argument, where it may be left out

    def __call__(self, *args: Any) -> Any:
        """Return the result, or what the `apply_op` of an argument makes of it. TypeError for a non-number."""
        args += self.default[: len(self.partials) - len(args)]
        if len(args) != len(self.partials):
            raise TypeError(f"{self.name} ({self.formula}) takes {len(self.partials)} argument(s), got {len(args)}")
        for arg in args:
            if arg.__class__ is not float and hasattr(arg, "apply_op"):
                symbol = next((other for other in args if hasattr(other, "gradients")), arg)  # Values give way to it
                return symbol.apply_op(self, *args)
        return self.forward(*map(as_float, args))


def _row(name: str, formula: str, *columns: Any, **more: Any) -> Op:
    return TABLE.setdefault(name, Op(name, formula, *columns, **({"symbol": name} | more)))


# fmt: off
add: Op = _row("add", "a + b", operator.add, (lambda out, a, b: 1.0, lambda out, a, b: 1.0), symbol="+")
sub: Op = _row("sub", "a - b", operator.sub, (lambda out, a, b: 1.0, lambda out, a, b: -1.0), symbol="-")
mul: Op = _row("mul", "a * b", operator.mul, (lambda out, a, b: b, lambda out, a, b: a), symbol="*")
div: Op = _row("div", "a / b", divide, (lambda out, a, b: div(1.0, b), lambda out, a, b: -div(out, b)), symbol="/")
neg: Op = _row("neg", "-a", operator.neg, (lambda out, a: -1.0,), symbol="-")
pow: Op = _row("pow", "a ** b", power, (lambda out, a, b: where(b, b * pow(a, b - 1.0), 0.0),
                                       lambda out, a, b: where(maximum(abs(a), -b), out * log(a), 0.0)),
               symbol="**", note="a ** 0 has slope 0 by a, and 0 ** b slope 0 by b >= 0")
exp: Op = _row("exp", "e ** a", total(math.exp), (lambda out, a: out,))
expm1: Op = _row("expm1", "e ** a - 1", total(math.expm1), (lambda out, a: out + 1.0,))
log: Op = _row("log", "ln a", total(math.log, pole=0.0), (lambda out, a: div(1.0, a),))
log1p: Op = _row("log1p", "ln (1 + a)", total(math.log1p, pole=-1.0), (lambda out, a: div(1.0, a + 1.0),))
sqrt: Op = _row("sqrt", "a ** (1/2)", total(math.sqrt), (lambda out, a: div(0.5, out),))
sin: Op = _row("sin", "sin a", total(math.sin), (lambda out, a: cos(a),))
cos: Op = _row("cos", "cos a", total(math.cos), (lambda out, a: -sin(a),))
tanh: Op = _row("tanh", "tanh a", math.tanh, (lambda out, a: 1.0 - out * out,))
sigmoid: Op = _row("sigmoid", "1 / (1 + e ** -a)", logistic, (lambda out, a: out * (1.0 - out),))
softplus: Op = _row("softplus", "ln (1 + e ** a)", log1p_exp, (lambda out, a: sigmoid(a),))
relu: Op = _row("relu", "max(a, 0)", lambda a: 0.0 if a < 0.0 else a, (lambda out, a: where(out, 1.0, 0.0),),
                symbol="ReLU", note="slope 0 at a = 0", selects=True)
leaky_relu: Op = _row("leaky_relu", "a if a > 0 else b * a", lambda a, b: a if a > 0.0 else b * a,
                       (lambda out, a, b: where(step(a), 1.0, b), lambda out, a, b: where(step(a), 0.0, a)),
                       symbol="LeakyReLU", note="slope b at a = 0", default=(0.01,), selects=True)
abs: Op = _row("abs", "|a|", math.fabs, (lambda out, a: step(a) - step(-a),), note="slope 0 at a = 0")
maximum: Op = _row("maximum", "max(a, b)", lambda a, b: a if a >= b or math.isnan(a) else b,
                   (lambda out, a, b: where(equal(a, b), 0.5, 1.0 - step(b - a)),
                    lambda out, a, b: where(equal(a, b), 0.5, 1.0 - step(a - b))),
                   symbol="max", note="where a = b each has slope 1/2", selects=True)
minimum: Op = _row("minimum", "min(a, b)", lambda a, b: a if a <= b or math.isnan(a) else b,
                   (lambda out, a, b: where(equal(a, b), 0.5, 1.0 - step(a - b)),
                    lambda out, a, b: where(equal(a, b), 0.5, 1.0 - step(b - a))),
                   symbol="min", note="where a = b each has slope 1/2", selects=True)
step: Op = _row("step", "1 if a > 0 else 0", lambda a: 1.0 if a > 0.0 else 0.0, (lambda out, a: 0.0,),
                note="slope 0 everywhere, at the jump too", flat=True)
equal: Op = _row("equal", "1 if a = b else 0", lambda a, b: 1.0 if a == b else 0.0, (lambda out, a, b: 0.0,
                 lambda out, a, b: 0.0), symbol="=", note="slope 0 everywhere", flat=True)
where: Op = _row("where", "b if a != 0 else c", lambda a, b, c: b if a != 0.0 else c,
                 (lambda out, a, b, c: 0.0, lambda out, a, b, c: where(a, 1.0, 0.0),
                  lambda out, a, b, c: where(a, 0.0, 1.0)), note="slope 0 by a", selects=True)
detach: Op = _row("detach", "a, held fixed", lambda a: a, (lambda out, a: 0.0,),
                  note="slope 0 by definition", flat=True)
# fmt: on
