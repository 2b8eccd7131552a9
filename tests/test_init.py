"""What the package offers by its own name."""

import importlib

import pytest

import micrograd_mlp


@pytest.mark.parametrize("name", dir(micrograd_mlp))
def test_every_name_it_lists_is_there(name):
    module = importlib.import_module(getattr(micrograd_mlp, name).__module__)
    assert getattr(micrograd_mlp, name) is getattr(module, name)


def test_what_is_loaded_later_is_listed():
    assert {"Value", "MLP", "fit", "draw", "jit"} <= set(dir(micrograd_mlp))


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match=r"^module 'micrograd_mlp' has no attribute 'torch'$"):
        micrograd_mlp.torch
    with pytest.raises(ImportError, match="torch"):
        from micrograd_mlp import torch  # noqa: F401
