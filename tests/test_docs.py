"""Every public thing says what it is and what it takes."""

import importlib
import inspect
import pkgutil

import pytest

import micrograd_mlp

MODULES = [
    "micrograd_mlp",
    *(
        info.name
        for info in pkgutil.walk_packages(micrograd_mlp.__path__, "micrograd_mlp.")
        if not info.name.endswith("__main__")
    ),
]


def public(module):
    """Yield (name, thing) for the functions, the classes and their methods and properties defined in `module`."""
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(thing):
            yield name, thing
            for inner, member in vars(thing).items():
                method = getattr(member, "__func__", getattr(member, "fget", member))
                if inspect.isfunction(method) and (inner == "__init__" or not inner.startswith("_")):
                    yield f"{name}.{inner}", method
        elif inspect.isfunction(thing):
            yield name, thing


def missing_hints(function):
    """Return the parameters of a function without a type, and "return" where it does not say what it returns."""
    signature = inspect.signature(function)
    open_ends = [p.name for p in signature.parameters.values() if p.annotation is p.empty]
    silent = signature.return_annotation is signature.empty and function.__name__ != "__init__"
    return [name for name in open_ends if name not in ("self", "cls")] + ["return"] * silent


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_and_type_hints(name):
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    bare, untyped = [], {}
    for what, thing in public(module):
        if not what.endswith(".__init__") and not (thing.__doc__ or "").strip():
            bare.append(what)
        if inspect.isfunction(thing) and missing_hints(thing):
            untyped[what] = missing_hints(thing)
    assert bare == [], "without a docstring"
    assert untyped == {}, "without a type"


def test_docstrings_are_no_dataclass_signatures():
    for name in MODULES:
        for what, thing in public(importlib.import_module(name)):
            if inspect.isclass(thing):
                assert not (thing.__doc__ or "").startswith(f"{what}("), f"{name}.{what} has only a made docstring"


def test_methods_made_from_the_table_are_documented_as_well():
    assert micrograd_mlp.Value.tanh.__doc__.startswith("Return tanh a, where a is this Value.")
    assert micrograd_mlp.Value.relu.__name__ == "relu"
    assert "slope 0 at a = 0" in micrograd_mlp.Value.relu.__doc__


def test_a_bare_function_would_be_seen():
    def bare(a, b: int, *rest: int):
        pass

    assert missing_hints(bare) == ["a", "return"]


def test_what_the_package_exports_exists():
    for name in micrograd_mlp.__all__:
        assert getattr(micrograd_mlp, name).__doc__
