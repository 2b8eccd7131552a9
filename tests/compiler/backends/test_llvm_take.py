"""Where numbers lie in objects."""

import sys
import sysconfig

import pytest

pytest.importorskip("llvmlite", reason="native code is compiled by llvmlite")

from micrograd_mlp.compiler.backends import llvm_take


def test_the_layout_is_found_where_one_lock_holds_all():
    locked = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
    where = llvm_take.layout()
    assert (where is not None) == (locked and sys.maxsize > 2**32)


def test_there_is_no_layout_without_the_lock(monkeypatch):
    monkeypatch.setattr(llvm_take.sysconfig, "get_config_var", lambda name: 1)
    assert llvm_take.layout.__wrapped__() is None


def test_there_is_no_layout_if_a_number_lies_elsewhere(monkeypatch):
    monkeypatch.setattr(llvm_take, "_offset", lambda thing, size, word: -100 if word == 1001 else 16)
    assert llvm_take.layout.__wrapped__() is None


def test_all_functions_of_python_are_there():
    assert all(llvm_take.api().values())
