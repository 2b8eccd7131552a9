# %% [markdown]
# # From numbers to loops
#
# The [first notebook](micrograd_mlp.ipynb) trains networks one number at a time. That is slow: each number is an
# object of Python. This one takes the same code and has it compiled. Nothing is rewritten as tensors. The compiler
# looks at the single numbers, finds out which of them do the same thing, and arrays, equations and loops come back.
#
# 1. [Ten lines](#1)
# 2. [Every scalar, written down](#2)
# 3. [Who does the same thing?](#3)
# 4. [The equations come back](#4)
# 5. [Gradients and updates join](#5)
# 6. [Loops](#6)
# 7. [Down to the machine](#7)
# 8. [The same way down, three times](#8)
# 9. [How much faster, and why](#9)
# 10. [One sample for all](#10)
# 11. [Not only such networks](#11)
# 12. [Where it ends](#12)

# %%
import platform
import random
import re
from timeit import repeat

import numpy as np

from micrograd_mlp import MLP, grad, ops
from micrograd_mlp.compiler import jit, replay, vmap
from micrograd_mlp.compiler.steps import Steps
from micrograd_mlp.datasets import moons
from micrograd_mlp.losses import hinge, l2, mean, total
from micrograd_mlp.training import fit

# %% [markdown]
# <a id="1"></a>
# ## 1. Ten lines
#
# Two moons, a network, and a loss: the mean of what each point contributes, and a small penalty on large weights. `x`
# is a list of two numbers, `t` is one number, -1 or +1. There are no arrays in here.

# %%
points, classes = moons(n=100, noise=0.1, seed=0)
X, y = points.tolist(), [1.0 if label == 1 else -1.0 for label in classes]
model = MLP(2, [16, 16, 1], rng=random.Random(0))
parameters = model.parameters()


def loss(X, y):
    data = mean(hinge(model(x), t) for x, t in zip(X, y, strict=True))
    return data + 1e-4 * l2(parameters)


loss(X, y)

# %% [markdown]
# That was the graph of Values, as ever. Now the same function, compiled. The first call runs it once on *symbols*,
# which write down what is done to them; from then on what has been made of that runs, and Python has nothing to do
# with it.

# %%
compiled = jit(loss)
assert abs(compiled(X, y) - loss(X, y).data) < 1e-12
program = compiled.program
print(f"{len(program.traced.op):,} scalars were recorded")

# %% [markdown]
# <a id="2"></a>
# ## 2. Every scalar, written down
#
# `program` has kept every stage on the way. The first one says what the function did, one scalar a line. To see how it
# reads, here is a single neuron; the record of the loss looks the same, and is longer.


# %%
@jit
def neuron(w, b, x):
    return ops.tanh(w[0] * x[0] + w[1] * x[1] + b)


neuron([1.0, -2.0], 0.5, [3.0, 4.0])
print(neuron.program.show("scalars"))

# %% [markdown]
# One could make machine code of these lines as they stand, one instruction for each. But compilers take very long for
# programs without loops, and the processor would have to read all of that code at each step. So the loops have to be
# found again.

# %% [markdown]
# <a id="3"></a>
# ## 3. Who does the same thing?
#
# Give each scalar a colour by its operation: all products red, all sums blue. Then look around: two products are told
# apart if their arguments differ in colour, or if those who use them do. Do it again with the new colours, and again,
# until nothing changes. Scalars that still share a colour do the same thing to the same kind of numbers: a *family*.
#
# (A sum that is only added to another sum joins it first, so `a + b + c` is one sum of three. Nobody told the compiler
# about neurons and layers.)

# %%
print(program.show("families"))

# %% [markdown]
# Find the products of two matrices among them: of a first weight and a coordinate, one for each of 100 points, 16
# neurons and 2 coordinates; and of a second weight and a hidden value, 100 · 16 · 16 of them.

# %% [markdown]
# <a id="4"></a>
# ## 4. The equations come back
#
# Number the members of each family. Who reads whom is then a sequence of integers, and it factors: "every 16 steps the
# next row, in each step the next column". These factors are *axes*. Families that walk along together share theirs,
# and a product that is only added up becomes a sum over an axis, as in the formula of a neuron:

# %%
print(program.show())

# %% [markdown]
# The names come from the labels of parameters and arguments: `n` counts samples, `i` features, `a` and `b` the neurons
# of the two layers. A notebook shows a program as formulas by itself:

# %%
program

# %% [markdown]
# And `draw` shows which array is made from which. Compare it with the pictures of single numbers in the first
# notebook.

# %%
program.draw()

# %% [markdown]
# <a id="5"></a>
# ## 5. Gradients and updates join
#
# The chain rule is scalar code as well, so it is recorded as everything else is. This is a whole step of training: the
# loss, all gradients, and a step against them.


# %%
def step(X, y):
    value = loss(X, y)
    slopes = grad(value, parameters)
    return value, [p - 0.5 * slope for p, slope in zip(parameters, slopes, strict=True)]


native = jit(step)
native(X, y)
training = native.program
training

# %% [markdown]
# Backpropagation as it stands in books, and nobody wrote it down. Look for the sum over $b$: there the errors of the
# second layer go back through its weights to the first. Each new weight is an old one, less a sum over samples.
#
# How regular is it? Every reading of an array has an index map, and the simplest of them is affine: start somewhere,
# and go a fixed stride along each axis. Count those that are not:

# %%
reads = [read for statement in training.arrays.statements for read in statement.reads]
irregular = sum(read.index is not None for read in reads)
print(f"{len(training.traced.op):,} scalars became {len(training.arrays.statements)} statements on arrays;")
print(f"{irregular} of their {len(reads)} index maps are not affine")
assert irregular == 0

# %% [markdown]
# <a id="6"></a>
# ## 6. Loops
#
# An equation does not say in which order to compute, nor what has to be kept in memory. The plan does:

# %%
print(training.show("loops"))

# %% [markdown]
# How to read it:
#
# * What does not depend on samples runs *once*, before or after.
# * In between, samples come in **tiles**: as many at a time as the nearest memory of the processor has room for. A
#   tile goes all the way, from its coordinates through both layers and back to the gradients, before the next one
#   comes.
# * In a tile, samples lie side by side, and one instruction works on several of them.
# * `*` marks what is **stored**. Everything else lives in a register, from the line where it is made to the line that
#   reads it.
# * `add up over the tile` are the **sums over samples**: the loss and all gradients. The names with a prime (`z8'`)
#   are such sums; the last part turns them into new weights.

# %% [markdown]
# <a id="7"></a>
# ## 7. Down to the machine
#
# `program.show("llvm")` and `program.show("asm")` have the code itself. This finds the busiest piece of it that
# follows one label: where most of the multiplying and adding is done, if this machine is of the usual kind.


# %%
def busiest(assembly):
    """Return the stretch between two labels with the most fused multiply-adds of vectors, which loops back."""
    pieces = re.split(r"^\.L\w+:\n", assembly, flags=re.MULTILINE)
    return max(pieces, key=lambda piece: len(re.findall(r"vfm\w+p[ds]", piece.partition("\tj")[0])))


# %% tags=["varies"]
if platform.machine() in ("x86_64", "AMD64"):
    lines = busiest(training.show("asm")).splitlines()
    print("\n".join(lines[:14]))
    print(f"    ... and so on: {sum('vfm' in line for line in lines)} multiply-adds in {len(lines)} lines")
else:
    print("This machine speaks another language than the one that is looked for here.")

# %% [markdown]
# `vfmadd` multiplies and adds in one instruction, for several numbers at once. Here sums stay in registers (`ymm` or
# `zmm`), and what has been loaded from memory is used for more than one of them. It is what somebody would write by
# hand for a product of matrices. It was made from `w * x + b`.

# %% [markdown]
# <a id="8"></a>
# ## 8. The same way down, three times
#
# Fast and wrong would be easy. Train 30 steps from the same start: once as in the first notebook, once with the arrays
# on NumPy, once native.

# %%
start = [p.data for p in parameters]


def interpreted(X, y):
    value = loss(X, y)
    model.zero_grad()
    value.backward()
    return value.data, [p.data - 0.5 * p.grad for p in parameters]


def descend(step, steps=30):
    """Return the loss at each step and the last weights, from the same start each time."""
    weights, course = start, []
    for _ in range(steps):
        for parameter, weight in zip(parameters, weights, strict=True):
            parameter.data = float(weight)
        value, weights = step(X, y)
        course.append(float(value))
    return course, np.array(weights)


on_numpy = jit(step, backend="numpy")
ways = {"interpreted": interpreted, "NumPy": on_numpy, "native": native}
courses = {name: descend(way) for name, way in ways.items()}
for name, (course, _) in courses.items():
    print(f"{name:12}", "  ".join(f"{value:.6f}" for value in course[::6]))

# %%
for name in ("NumPy", "native"):
    difference = np.abs(courses[name][1] - courses["interpreted"][1]).max()
    assert difference < 1e-9, (name, difference)
print(f"all {len(start)} weights agree to 1e-9")

# %% [markdown]
# Not to the last bit, and that is all right: sums are added up in another order, and a multiply-add rounds once where
# two operations round twice.

# %% [markdown]
# <a id="9"></a>
# ## 9. How much faster, and why
#
# One more step up: what a step returns is what the next one begins with. `Steps` puts the loop over the steps into the
# native code too, so a whole run is one call.


# %%
def with_state(state, X, y):
    value = mean(vmap(lambda x, t: hinge(model(x), t))(X, y)) + 1e-4 * l2(parameters)
    slopes = grad(value, parameters)
    return [value], [p - 0.5 * slope for p, slope in zip(parameters, slopes, strict=True)]


steps = Steps(with_state, start, [X, y], bound=parameters, shuffled=False)
watched = steps.run([], np.arange(31) * 100)  # 30 steps, 100 samples each
assert np.abs(steps.state - courses["interpreted"][1]).max() < 1e-9
print(f"loss in the first step {watched[0, 0]:.6f}, in the last {watched[-1, 0]:.6f}")

# %% [markdown]
# The times of one step, as ratios of one run, on whatever machine this ran:


# %% tags=["varies"]
def seconds(call, number):
    """Return the least time of a call, over five series."""
    return min(repeat(call, number=number, repeat=5)) / number


arrays = np.array(X), np.array(y)
times = {
    "interpreted: graph, backward, update": seconds(lambda: interpreted(X, y), 2),
    "compiled, on NumPy": seconds(lambda: on_numpy(*arrays), 200),
    "compiled, native": seconds(lambda: native(*arrays), 1000),
    "native, 1,000 steps in one call": seconds(lambda: steps.run([], np.arange(1001) * 100), 1) / 1000,
}
for name, time in times.items():
    print(f"{name:38}{times['interpreted: graph, backward, update'] / time:10,.0f} x")

# %% [markdown]
# * **Interpreted**, each number is an object: made, linked, visited and freed again. The arithmetic is a tiny part of
#   it.
# * **On NumPy**, Python goes over statements instead of scalars. But each statement reads its arrays from memory and
#   writes one back, and each costs a call.
# * **Native**, statements are fused: what one makes, the next one reads from a register, or from a tile that still
#   lies in the nearest memory.
# * **In one call**, nothing goes back to Python between two steps. For a network as small as this one, what had
#   remained was mostly Python: taking the arguments apart, reading the weights out of their objects, returning new
#   ones.
#
# `fit` does this by itself: `engine="native"` is what it takes where llvmlite is installed, and an epoch is one call.

# %%
trained = {}
for engine in ("python", "numpy", "native"):
    fresh = MLP(2, [16, 16, 1], rng=random.Random(0))
    history = fit(fresh, points, classes, loss="hinge", lr=0.02, epochs=5, batch_size=25, engine=engine)
    trained[engine] = np.array([p.data for p in fresh.parameters()])
    print(f"{engine:8} loss {history.loss[-1]:.6f}, accuracy {history.accuracy[-1]:.0%}")
assert max(np.abs(trained[engine] - trained["python"]).max() for engine in ("numpy", "native")) < 1e-9

# %% [markdown]
# <a id="10"></a>
# ## 10. One sample for all
#
# `jit(loss)` recorded each of the 100 samples, to find out that they are alike. `vmap` says so beforehand: it traces
# one sample, and the program runs for any number of them. `mean` and `total` of the module `losses` close the batch.


# %%
@jit
def batched(X, y):
    return mean(vmap(lambda x, t: hinge(model(x), t))(X, y)) + 1e-4 * l2(parameters)


for n in (100, 37, 5):
    assert abs(batched(X[:n], y[:n]) - loss(X[:n], y[:n]).data) < 1e-12
print(f"{len(batched.program.traced.op):,} scalars recorded, for samples of any number")
batched.program

# %% [markdown]
# The number of samples is an argument now. `grad` goes through such a batch: by what all samples share, and by what
# each has for itself. Here is the slope of the score by the coordinates of each point, which says where the network is
# steep:


# %%
@jit
def steepness(X):
    return grad(total(vmap(model)(X)), X)


for n in (100, 3):
    print(f"{n} points: slopes of shape {steepness(X[:n]).shape}")

# %% [markdown]
# And a graph that is already there needs no function: `replay` compiles it, from its loss back to its leaves.

# %%
for parameter, weight in zip(parameters, start, strict=True):
    parameter.data = weight
value = loss(X, y)
again = replay(value)
for _ in range(30):
    again()  # writes value.data and the .grad of all leaves
    for parameter in parameters:
        parameter.data -= 0.5 * parameter.grad
assert abs(value.data - courses["interpreted"][0][-1]) < 1e-9
print(f"loss after 30 steps {value.data:.6f}, as before")

# %% [markdown]
# <a id="11"></a>
# ## 11. Not only such networks
#
# The compiler knows neither networks nor layers, so other code should come back as well as this did. Some helpers
# first:

# %%
rng = random.Random(0)


def numbers(*shape):
    """Return normally distributed numbers in nested lists of this shape."""
    return [numbers(*shape[1:]) for _ in range(shape[0])] if shape else rng.gauss(0, 1)


def dot(a, b):
    return total(x * y for x, y in zip(a, b, strict=True))


# %% [markdown]
# **A convolution.** A kernel of 3 × 3 numbers moves over an image that is 10 wide:


# %%
@jit
def convolution(kernel, image):
    places = [(i, j) for i in range(3) for j in range(3)]
    return [
        [ops.relu(total(kernel[i][j] * image[r + i][c + j] for i, j in places)) for c in range(len(image[0]) - 2)]
        for r in range(len(image) - 2)
    ]


convolution(numbers(3, 3), numbers(12, 10))
convolution.program

# %% [markdown]
# The image is one long row of numbers, and the window is in the index: a step down is 10 numbers, and so is a step
# down in the kernel. Pixels at the border take part in fewer sums than others do, and are still of the same family.

# %% [markdown]
# **A recurrent network**, over four steps of time:


# %%
@jit
def recurrent(u, w, h, xs):
    for x in xs:
        h = [ops.tanh(dot(from_x, x) + dot(from_h, h)) for from_x, from_h in zip(u, w, strict=True)]
    return h


recurrent(numbers(5, 3), numbers(5, 5), numbers(5), numbers(4, 3))
recurrent.program

# %% [markdown]
# One equation a step: each of them waits for the one before, so they are families of their own.

# %% [markdown]
# **Causal attention.** Each of six tokens looks at itself and at those before it, never ahead:


# %%
@jit
def attention(q, k, v, xs):
    Q, K, V = ([[dot(row, x) for row in matrix] for x in xs] for matrix in (q, k, v))
    out = []
    for t in range(len(xs)):
        scores = [ops.exp(dot(Q[t], K[s]) * 0.5) for s in range(t + 1)]
        weights = [score / total(scores) for score in scores]
        out.append([dot(weights, [row[j] for row in V[: t + 1]]) for j in range(len(v))])
    return out


attention(numbers(4, 4), numbers(4, 4), numbers(4, 4), numbers(6, 4))
attention.program

# %% [markdown]
# Sums of different length, one for each token: $K_n$ stands for "those that belong to $n$". Which pairs of tokens
# there are is a triangle, and a triangle is no rectangle: its index maps are not affine, so they are kept as tables of
# integers. The first token has nobody to look back at, so its sum has one term, and it has equations of its own.

# %% [markdown]
# <a id="12"></a>
# ## 12. Where it ends
#
# Code without any regularity: three hundred operations, each on numbers picked by lot.


# %%
@jit
def tangle(x):
    lot, pool = random.Random(1), list(x)
    for _ in range(300):
        a, b = lot.sample(pool[-40:], 2)
        pool.append(lot.choice([lambda a, b: a + b, lambda a, b: ops.tanh(a * b), lambda a, b: a - b])(a, b))
    return total(pool[-40:])


x = [0.1 * k for k in range(10)]
assert abs(tangle(x) - tangle.function(x)) < 1e-9
print(f"{len(tangle.program.scalars.op)} scalars, {len(tangle.program.arrays.statements)} statements, such as")
print(*tangle.program.show().splitlines()[:8], sep="\n")

# %% [markdown]
# There are no loops to find here. The compiler then puts together what can be computed at the same time by the same
# operation, level by level, and reads the arguments through tables of places in memory. It is right, it comes to an
# end, and it is no longer pretty.
#
# And it cannot follow a **branch**. A trace is made once, for all numbers to come, so it must not ask which number it
# has:


# %%
@jit
def leaky(x):
    if x > 0:
        return x
    return 0.1 * x


try:
    leaky(2.0)
except TypeError as error:
    print("line " + str(error).rpartition(", line ")[2])

# %% [markdown]
# The error says in which line, and the way out, which is an operation that has both sides:


# %%
@jit
def leaky(x):
    return ops.where(ops.relu(x), x, 0.1 * x)


print(leaky(2.0), leaky(-2.0))
leaky.program

# %% [markdown]
# That is the whole way: numbers, families, axes, equations, loops, instructions. Each stage is a file in
# `src/micrograd_mlp/compiler/`, and `program.show` prints what it made. Try it with code of your own.
