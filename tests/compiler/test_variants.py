"""Programs that are run again: on arrays and on what else there is, of one length and of others."""

import numpy as np
import pytest

from micrograd_mlp import Value, losses, vmap
from micrograd_mlp.compiler import jit


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
@pytest.mark.parametrize("threads", [1, 2])
def test_one_variant_takes_every_length_in_any_layout(backend, threads):
    """Long batches are shared among threads; a result for each sample is put together by NumPy."""
    rng, weight = np.random.default_rng(0), Value(2.0)
    compiled = jit(lambda X: (vmap(lambda x: x[0] * weight + x[1])(X), losses.total(vmap(lambda x: x[0])(X))),
                   backend=backend, threads=threads)  # fmt: skip
    lengths = (4, 4, 4, 4, 5000, 5000, 3, 4, 4)
    for turn, length in enumerate(lengths):
        X = rng.normal(size=(length, 2))
        weight.data = turn + 0.5
        for given in (X, X, X.tolist(), np.asfortranarray(X), X):
            each, total = compiled(given)
            assert each == pytest.approx(X[:, 0] * weight.data + X[:, 1])
            assert total == pytest.approx(X[:, 0].sum())
    assert len({id(variant) for variant in compiled.variants.values()}) == 2  # of arrays, and of lists


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_a_number_too_large_for_float32_is_inf_without_a_warning(backend):
    compiled = jit(lambda x: x[0] * 1.0 + x[1], backend=backend, dtype="float32")
    for given in (np.array([1e300, 1.0]), [1e300, 1.0]) * 4:
        assert compiled(given) == np.inf


def test_an_error_leaves_the_program_ready():
    weight = Value(2.0)
    compiled = jit(lambda x: x * weight)
    for _ in range(3):
        assert compiled(1.0) == 2.0
        weight.data = "two"
        with pytest.raises((TypeError, ValueError)):
            compiled(1.0)
        weight.data = 2.0
