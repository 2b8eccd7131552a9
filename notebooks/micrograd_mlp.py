# %% [markdown]
# # Neural networks, one number at a time
#
# This notebook goes from the slope of a curve to a network that tells two spirals apart. Nothing is hidden on the way:
# every number that takes part in the learning can be looked at, drawn and checked. You need school calculus (what a
# derivative is) and a little Python. Run the cells from top to bottom, and change things.
#
# 1. [What is a derivative?](#1)
# 2. [A number that remembers where it came from](#2)
# 3. [The chain rule, by hand and by `backward`](#3)
# 4. [When a number is used twice](#4)
# 5. [A neuron](#5)
# 6. [A neuron learns](#6)
# 7. [A network](#7)
# 8. [Two moons](#8)
# 9. [Two spirals](#9)
# 10. [Why you may trust the numbers](#10)

# %%
# %matplotlib inline
import random

from matplotlib.figure import Figure

from micrograd_mlp import MLP, Neuron, Value, grad
from micrograd_mlp.datasets import moons, spirals
from micrograd_mlp.drawing import draw, trace_path
from micrograd_mlp.drawing.plots import plot_boundary, plot_curves, plot_data, plot_network
from micrograd_mlp.training import accuracy, fit, predict

# %% [markdown]
# <a id="1"></a>
# ## 1. What is a derivative?
#
# Take a function of one number. Its derivative at a point says how fast the result changes when the number changes a
# little: go a tiny step `h` to the right, see how much the function rose, divide by `h`.


# %%
def f(x):
    return 3 * x**2 - 4 * x + 5


h = 1e-6
(f(3.0 + h) - f(3.0)) / h

# %% [markdown]
# The rule from school says $f'(x) = 6x - 4$, so $f'(3) = 14$. The little step agrees (almost: `h` is small, not zero).
# The derivative is the slope of the straight line that touches the curve there:

# %%
xs = [i / 20 for i in range(-20, 101)]
figure = Figure(figsize=(5, 3.2), layout="constrained")
axes = figure.add_subplot()
axes.plot(xs, [f(x) for x in xs], label="f(x)")
axes.plot([2, 4], [f(3) - 14, f(3) + 14], "--", label="slope 14 at x = 3")
axes.plot([3], [f(3)], "o", color="black")
axes.legend()
figure

# %% [markdown]
# Why does this matter for learning? A network has thousands of numbers that can be turned up or down, its *parameters*,
# and one number that says how wrong it is, its *loss*. The derivative of the loss by a parameter says which way to turn
# that parameter, and how much it matters. All of them together are called the *gradient*. Learning is: compute the
# gradient, turn every parameter a little against it, repeat.
#
# Stepping `h` for each of a thousand parameters would mean computing the loss a thousand times. The rest of this
# notebook gets all derivatives at once, exactly.

# %% [markdown]
# <a id="2"></a>
# ## 2. A number that remembers where it came from
#
# A `Value` holds a number in `.data`. Compute with it as with any number.

# %%
a = Value(2.0, label="a")
b = Value(-3.0, label="b")
c = Value(10.0, label="c")
d = a * b + c
d.label = "d"
d

# %% [markdown]
# But it also remembers: `d` knows that it is a sum, and of what. Follow this memory back and you get a picture of the
# whole computation, the *computational graph*. It is read from left to right. Boxes are numbers, with their value and
# their gradient; between them stand the operations.

# %%
loss = d * -2.0
loss.label = "loss"
draw(loss)

# %% [markdown]
# All gradients are still 0: nobody has asked for them yet.

# %% [markdown]
# <a id="3"></a>
# ## 3. The chain rule, by hand and by `backward`
#
# How much does `loss` change when `a` changes? Go backwards, one operation at a time.
#
# * `loss` by itself: 1.
# * $\text{loss} = d \cdot (-2)$. A step in `d` becomes a step $-2$ times as large in `loss`. So `d` has gradient $-2$.
# * $d = ab + c$. A step in `c` is the same step in `d`: a sum passes the gradient on as it is. So `c` has gradient
#   $-2$, and so has the product $ab$.
# * A step in `a` becomes a step `b` times as large in the product, where $b = -3$. So `a` has gradient
#   $-3 \cdot (-2) = 6$. In the same way `b` has gradient $2 \cdot (-2) = -4$.
#
# That is all there is to the **chain rule**: the derivative along a way is the product of the derivatives of its steps.
# `backward` does exactly this.

# %%
loss.backward()
draw(loss, edges=True)

# %% [markdown]
# The numbers on the edges are the derivatives of each single operation. The same thing as a list, for one way through
# the graph:

# %%
print(trace_path(loss, a))

# %% [markdown]
# Do you believe it? Take the little step again, in `a`:

# %%
(((2.0 + h) * -3.0 + 10.0) * -2.0 - ((2.0) * -3.0 + 10.0) * -2.0) / h

# %% [markdown]
# Now turn `a`, `b` and `c` a little *against* their gradients. The loss has to fall:

# %%
for parameter in (a, b, c):
    parameter.data -= 0.01 * parameter.grad
before = loss.data
after = (a * b + c) * -2.0
print(f"loss before {before}, after {after.data:.4f}")

# %% [markdown]
# <a id="4"></a>
# ## 4. When a number is used twice
#
# If a number takes part in two places, it acts on the loss along two ways, and its gradient is the **sum** over both.
# Here $y = x \cdot x + x$, so $y' = 2x + 1$, which is 7 at $x = 3$:

# %%
x = Value(3.0, label="x")
y = x * x + x
y.label = "y"
y.backward()
draw(y, edges=True)

# %% [markdown]
# Two edges go from `x` into the product, and one into the sum: $3 + 3 + 1 = 7$.
#
# There is one trap, and it is the reason why `backward` puts the graph in order first. A number may pass its gradient
# on only when it has received **all** of it, from everyone who used it. Look at `q` here: if it passed its gradient on
# to `p` after hearing from only one of its two users, half of it would be lost.

# %%
p = Value(1.0, label="p")
q = p + p
q.label = "q"
r = q + q
r.label = "r"
r.backward()
draw(r)

# %% [markdown]
# So `backward` walks from the result to the inputs in such an order that every number comes after all its users (a
# *topological order*). That is twenty lines in `engine.py`; the rules for the single operations are one table in
# `ops.py`.

# %% [markdown]
# <a id="5"></a>
# ## 5. A neuron
#
# A neuron takes some numbers $x_i$, multiplies each by a *weight* $w_i$, adds everything up with a *bias* $b$, and
# bends the result with a function that is no straight line, here $\tanh$:
#
# $$\text{out} = \tanh(w_1 x_1 + w_2 x_2 + b)$$

# %%
x1, x2 = Value(2.0, label="x1"), Value(0.0, label="x2")
w1, w2 = Value(-3.0, label="w1"), Value(1.0, label="w2")
bias = Value(6.8814, label="b")
out = (w1 * x1 + w2 * x2 + bias).tanh()
out.label = "out"
draw(out)

# %% [markdown]
# Before `backward`, above, the gradients are 0. After it, below, every one is there. Note `w2`: its gradient is 0,
# because the input it is multiplied by is 0. Turning it would change nothing *at this input*.

# %%
out.backward()
draw(out, edges=True)

# %% [markdown]
# <a id="6"></a>
# ## 6. A neuron learns
#
# `Neuron` is the same thing ready made. Let it learn to answer with the sign of its first input, from four examples.
# The loss is the mean of the squared errors.

# %%
examples = [([2.0, 1.0], 1.0), ([1.0, -1.0], 1.0), ([-1.0, 1.0], -1.0), ([-2.0, -0.5], -1.0)]
neuron = Neuron(2, activation="tanh", rng=random.Random(3))

for step in range(31):
    loss = sum((neuron(x) - target) ** 2 for x, target in examples) * (1 / len(examples))
    neuron.zero_grad()
    loss.backward()
    for parameter in neuron.parameters():
        parameter.data -= 0.2 * parameter.grad
    if step % 10 == 0:
        print(f"step {step:2}  loss {loss.data:.4f}  weights {[round(w.data, 2) for w in neuron.w]}")

# %% [markdown]
# Those seven lines are all of deep learning: compute the loss, set the gradients to zero, go `backward`, turn every
# parameter a little against its gradient. Everything from here on is more of the same.

# %% [markdown]
# <a id="7"></a>
# ## 7. A network
#
# One neuron can only cut the plane along a straight line. Put neurons side by side (a *layer*) and layers one after the
# other, and you get a *multilayer perceptron*, `MLP`. This one takes 2 numbers, has 3 neurons in between, and 1 at the
# end: $3 \cdot (2 + 1) + 1 \cdot (3 + 1) = 13$ parameters.

# %%
model = MLP(2, [3, 1], activation="tanh", rng=random.Random(1))
print(model, "with", len(model.parameters()), "parameters")
draw(model, [0.5, -1.0])

# %% [markdown]
# Every box is a real number that you can ask for. Folded by neuron, the same graph looks like the pictures in
# textbooks:

# %%
draw(model, [0.5, -1.0], level="neuron")

# %% [markdown]
# <a id="8"></a>
# ## 8. Two moons
#
# Points of two classes that no straight line can part:

# %%
X, y = moons(n=200, noise=0.1, seed=0)
X_train, y_train, X_test, y_test = X[:150], y[:150], X[150:], y[150:]
plot_data(X, y)

# %% [markdown]
# First the loop in full, as for the neuron. The network gives one score; above 0 it means class 1. The loss asks each
# score to be on the right side of 0 with a margin of 1 (the *hinge* loss):

# %%
model = MLP(2, [16, 16, 1], rng=random.Random(0))
targets = [1.0 if label == 1 else -1.0 for label in y_train]

for step in range(20):
    scores = [model(x) for x in X_train.tolist()]
    loss = sum((1 - target * score).relu() for target, score in zip(targets, scores, strict=True)) * (1 / 150)
    model.zero_grad()
    loss.backward()
    for parameter in model.parameters():
        parameter.data -= 0.5 * parameter.grad
    if step % 5 == 0:
        right = sum((score.data > 0) == (target > 0) for target, score in zip(targets, scores, strict=True))
        print(f"step {step:2}  loss {loss.data:.3f}  accuracy {right / 150:.0%}")

# %% [markdown]
# That loss is one number made from almost 100,000. Its graph, folded by layer:

# %%
draw(loss, level="layer")

# %% [markdown]
# `fit` is the same loop with some comfort: mini-batches, better optimisers (here Adam), a history, held-out points.

# %%
model = MLP(2, [16, 16, 1], rng=random.Random(0))
history = fit(
    model,
    X_train,
    y_train,
    X_test=X_test,
    y_test=y_test,
    loss="bce",
    optimizer="adam",
    lr=0.02,
    epochs=30,
    batch_size=25,
)
print(f"accuracy on points it has never seen: {accuracy(y_test, predict(model, X_test)):.0%}")
plot_boundary(model, X_train, y_train, X_test=X_test, y_test=y_test)

# %%
plot_curves(history)

# %% [markdown]
# What has it learned? Lines are weights, the wider the larger; solid ones are positive, dashed ones negative:

# %%
plot_network(model)

# %% [markdown]
# <a id="9"></a>
# ## 9. Two spirals
#
# A harder one. Two arms wind around each other; the network has to bend its boundary twice around.

# %%
X, y = spirals(n=300, noise=0.02, seed=1)
X_train, y_train, X_test, y_test = X[:220], y[:220], X[220:], y[220:]
model = MLP(2, [16, 16, 1], activation="tanh", rng=random.Random(0))
history = fit(
    model,
    X_train,
    y_train,
    X_test=X_test,
    y_test=y_test,
    loss="bce",
    lr=0.02,
    epochs=80,
    batch_size=20,
    stop_accuracy=1.0,
)
print(history.message)
plot_boundary(model, X_train, y_train, X_test=X_test, y_test=y_test)

# %%
plot_curves(history)

# %% [markdown]
# Look inside: the computational graph of the trained network at one point of the plane, with every forward value and
# the gradient of the score by it, neuron by neuron.

# %%
draw(model, [0.3, -0.2], level="neuron")

# %% [markdown]
# <a id="10"></a>
# ## 10. Why you may trust the numbers
#
# Take a step `h` in each parameter of a fresh network, as in the first section, and compare with what the chain rule
# says:

# %%
model = MLP(2, [4, 1], activation="tanh", rng=random.Random(5))
score = model([0.5, -1.0])
score.backward()


def by_differences(parameter, h=1e-6):
    kept = parameter.data
    parameter.data = kept + h
    up = model([0.5, -1.0]).data
    parameter.data = kept - h
    down = model([0.5, -1.0]).data
    parameter.data = kept
    return (up - down) / (2 * h)


for parameter in model.parameters()[:4]:
    print(f"{parameter.label:28} chain rule {parameter.grad:+.8f}   differences {by_differences(parameter):+.8f}")
worst = max(abs(parameter.grad - by_differences(parameter)) for parameter in model.parameters())
assert worst < 1e-9, worst

# %% [markdown]
# Derivatives are Values too (`grad` returns them instead of writing them into `.grad`), so they can be differentiated
# again. For $f(x) = x^3$, one after the other: $3x^2$, $6x$, $6$.

# %%
x = Value(2.0)
y = x**3
for order in (1, 2, 3):
    y = grad(y, x)
    print(f"derivative {order}: {y.data:g}")

# %% [markdown]
# That is all. The engine you have just used is two short files, `ops.py` (the rules) and `engine.py` (the chain rule);
# `nn.py` makes neurons of it. Read them: together they have fewer than 500 lines.
#
# The next notebook, [compiler.ipynb](compiler.ipynb), takes the same code and finds the loops in it.
