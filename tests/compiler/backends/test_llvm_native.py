"""Modules become functions; what one process compiled, the next one loads."""

import ctypes
import re
import subprocess
import sys
import threading

import pytest

pytest.importorskip("llvmlite")
from llvmlite import binding, ir

from micrograd_mlp import cache
from micrograd_mlp.compiler.backends.llvm_native import Native, features_without_fma


def module_of(factor, count=1000):
    """Return a module with run(numbers), which multiplies `count` numbers in place."""
    module, element, size = ir.Module(), ir.DoubleType(), ir.IntType(64)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [ir.PointerType()]), "run")
    b = ir.IRBuilder(function.append_basic_block())
    head, inside, after = (b.append_basic_block() for _ in range(3))
    before = b.block
    b.branch(head)
    b.position_at_end(head)
    i = b.phi(size)
    i.add_incoming(size(0), before)
    b.cbranch(b.icmp_signed("<", i, size(count)), inside, after)
    b.position_at_end(inside)
    place = b.gep(function.args[0], [i], source_etype=element)
    b.store(b.fmul(b.load(place, typ=element), element(factor)), place)
    i.add_incoming(b.add(i, size(1)), inside)
    b.branch(head)
    b.position_at_end(after)
    b.ret_void()
    return module


def call(native, count=1000):
    numbers = (ctypes.c_double * count)(*range(count))
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(native.address("run"))(ctypes.addressof(numbers))
    return list(numbers)


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """Use an empty cache, and return a list that grows with each module that is optimized."""
    monkeypatch.setenv("MICROGRAD_MLP_CACHE", str(tmp_path / "kept"))
    texts, optimized = [], Native._optimized

    def count(self):
        texts.append(self._text)
        return optimized(self)

    monkeypatch.setattr(Native, "_optimized", count)
    return texts


def test_the_second_time_nothing_is_compiled(compiled):
    first = Native(module_of(2.0))
    assert len(compiled) == 1
    second = Native(module_of(2.0))
    assert len(compiled) == 1
    assert call(first) == call(second) == [2.0 * n for n in range(1000)]
    del first
    assert call(second) == [2.0 * n for n in range(1000)]


def test_another_process_compiles_nothing_either(compiled, tmp_path):
    code = """
import sys
from programs import moons_step
from micrograd_mlp.compiler import jit
from micrograd_mlp.compiler.backends.llvm_native import Native
optimized = Native._optimized
Native._optimized = lambda self: print("compiled") or optimized(self)
function, args = moons_step(3)
print(jit(function, backend="llvm")(*args)[0])
"""
    path = {"PYTHONPATH": ":".join(sys.path)}
    outputs = []
    for seed in "123":  # of the hashes of text: nothing may depend on the order of a set
        env = {**path, "PYTHONHASHSEED": seed, "MICROGRAD_MLP_CACHE": str(tmp_path / "kept")}
        outputs.append(subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True).stdout)
    assert outputs[0] == b"compiled\n" + outputs[1]
    assert outputs[1] == outputs[2]


def test_whatever_changes_the_code_is_compiled_anew(compiled):
    variants = [
        {},
        {"level": 0},
        {"level": 2},
        {"features": features_without_fma()},
        {"features": ""},
    ]
    for options in variants * 2:
        assert call(Native(module_of(2.0), **options))[3] == 6.0
    assert len(compiled) == len(variants)
    assert call(Native(module_of(3.0)))[3] == 9.0
    assert len(compiled) == len(variants) + 1


def test_another_version_of_llvm_compiles_anew(compiled, monkeypatch):
    Native(module_of(2.0))
    monkeypatch.setattr("llvmlite.__version__", "0.0")
    Native(module_of(2.0))
    monkeypatch.setattr(binding, "llvm_version_info", (1, 2, 3))
    Native(module_of(2.0))
    assert len(compiled) == 3


def test_a_spoilt_file_is_compiled_anew_and_replaced(compiled, tmp_path):
    Native(module_of(2.0))
    (file,) = (tmp_path / "kept").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert call(Native(module_of(2.0)))[3] == 6.0
    assert len(compiled) == 2
    assert len(file.read_bytes()) == len(whole)
    Native(module_of(2.0))
    assert len(compiled) == 2


def test_without_a_folder_it_works_as_well(compiled, monkeypatch):
    monkeypatch.setenv("MICROGRAD_MLP_CACHE", "")
    for _ in range(2):
        assert call(Native(module_of(2.0)))[3] == 6.0
    assert len(compiled) == 2


def test_the_texts_are_those_of_the_code_that_runs(compiled):
    first, second = Native(module_of(2.0)), Native(module_of(2.0))
    assert first.llvm == second.llvm
    assert re.search(r"fmul <\d+ x double>", second.llvm)
    assert first.assembly == second.assembly
    assert "run:" in second.assembly
    assert call(second)[3] == 6.0
    assert len(compiled) == 3  # the texts are made only now, and once each


@pytest.mark.parametrize("level", range(4))
def test_loops_become_vectors_at_every_level_but_the_first(level):
    native = Native(module_of(2.0), level=level)
    assert bool(re.search(r"fmul <\d+ x double>", native.llvm)) == (level > 0)
    assert call(native)[3] == 6.0


def test_a_wrong_module_is_refused(compiled):
    module = module_of(2.0)
    module.get_global("run").append_basic_block()  # without an end
    with pytest.raises(RuntimeError, match="parsing error|expected instruction"):
        Native(module)
    assert cache.load("anything") is None


def test_threads_compile_and_load_at_once(compiled):
    results, ready = [], threading.Barrier(4)

    def work(number):
        ready.wait()
        for factor in range(6):
            native = Native(module_of(float(factor % 3 + number // 2)))  # two threads at a time want the same
            results.append(call(native)[7] == 7.0 * (factor % 3 + number // 2))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 24
