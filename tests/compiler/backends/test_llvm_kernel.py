"""Machine code and what it works on, as bytes and back: it gives the same numbers."""

from io import BytesIO

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from micrograd_mlp import losses, ops
from micrograd_mlp.compiler import jit, vmap
from micrograd_mlp.compiler.backends import llvm_kernel
from micrograd_mlp.compiler.steps import Steps

X, Y = np.random.default_rng(0).normal(size=(2, 9, 3))


def results_for_all(X, Y):
    """Give each sample what leaves a region, what it was given, what all share; and all of them a number."""
    means = vmap(lambda x: ops.exp(x[0]) + x[1])(X)
    total = losses.mean(means)
    return total, vmap(lambda x, y, m: [m, x[2], y[0] * total, y[1]])(X, Y, means)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_kernel_that_was_written_and_read_gives_the_same(dtype, threads):
    made = jit(results_for_all, dtype=dtype, threads=threads)
    made(X, Y)
    kernel = made._latest.run.kernel
    read = llvm_kernel.of_bytes(llvm_kernel.to_bytes(kernel))
    numbers = np.array([9.0] * kernel.plan.numbers, dtype=dtype)
    columns = [X.astype(dtype), Y.astype(dtype)]
    for _ in range(2):
        own, groups = read(numbers, columns, [9])
        expected_own, expected = kernel(numbers, columns, [9])
        np.testing.assert_array_equal(own, expected_own)
        for group, other in zip(groups, expected, strict=True):
            np.testing.assert_array_equal(group, other)
    total, (rows) = made(X, Y)
    assert own[0] == pytest.approx(total)
    np.testing.assert_allclose(groups[0], rows, rtol=1e-6)
    assert llvm_kernel.to_bytes(read) == llvm_kernel.to_bytes(kernel)


def test_the_loop_of_steps_is_read_too():
    made = Steps(
        lambda state, x, rate: ([state[0]], [state[0] + rate * losses.mean(vmap(lambda n: n[0])(x))]), [1.0], [X], 1
    )
    read = llvm_kernel.of_bytes(llvm_kernel.to_bytes(made._native))
    assert read.plan.loop == made._native.plan.loop
    assert read.plan.lengths == made._native.plan.lengths


def test_nothing_is_unpickled():
    class Opened:
        def __reduce__(self):
            return pytest.fail, ("a file was unpickled",)

    kernel = Steps(lambda state, x: ([state[0]], [losses.mean(vmap(lambda n: n[0])(x))]), [1.0], [X])._native
    with np.load(BytesIO(llvm_kernel.to_bytes(kernel))) as arrays:
        content = dict(arrays)
    for name in content:
        file = BytesIO()
        np.savez(file, **content | {name: np.array([Opened()])})
        with pytest.raises(ValueError, match="allow_pickle=False"):
            llvm_kernel.of_bytes(file.getvalue())
