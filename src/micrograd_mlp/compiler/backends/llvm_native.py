"""From an LLVM module to functions that can be called: optimized for a machine, by default the one at hand.

What was compiled once is kept in a folder (see `cache`), so that the next process only loads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import llvmlite
from llvmlite import binding

from ... import cache, memory

_OPTIONS = {"loop_unrolling": False}  # it doubles the time to compile, and short loops gain nothing
FEW = ("always_inliner", "simplify_cfg", "loop_rotate", "instruction_combine")  # for loops written with vectors


class Loaded:
    """Machine code that can be called, from an object file for this machine; it lives as long as this object.

    Raises MemoryError as `Native` does.
    """

    def __init__(self, code: bytes, machine: Any = None) -> None:
        self.code = code
        self._machine = _machine_for() if machine is None else machine
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), self._machine)
        self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Return where the function `name` begins, for `ctypes`."""
        return int(self._engine.get_function_address(name))


class Native(Loaded):
    """The machine code of one module."""

    def __init__(
        self,
        module: Any,
        *,
        cpu: str | None = None,
        features: str | None = None,
        level: int = 1,
        passes: Sequence[str] = (),
    ) -> None:
        """Compile an `llvmlite.ir.Module`, or load what was compiled from the same text.

        `cpu` and `features` are named as LLVM names them, by default those of this machine. `level`, from 0 to 3, is
        how much is optimized; from 1 on, loops become vectors. Where `passes` are named, these are all. Raises
        MemoryError where there is not enough of it: LLVM itself would end the process.
        """
        self._machine = _machine_for(cpu, features, level)
        self._passes = tuple(passes)
        module.triple, module.data_layout = self._machine.triple, str(self._machine.target_data)
        self._text, self._level = str(module), level
        key = f"{made_by(cpu, features)}, {level}, {_OPTIONS}, {self._passes}\n{self._text}"
        code = cache.load(key)
        if code is None:
            code = self._machine.emit_object(self._optimized())
            cache.save(key, code)
        super().__init__(code, self._machine)

    @cached_property
    def llvm(self) -> str:
        """The optimized module as text."""
        return str(self._optimized())

    @property
    def assembly(self) -> str:
        """The machine code as text."""
        return str(self._machine.emit_assembly(binding.parse_assembly(self.llvm)))

    def _optimized(self) -> Any:
        module = binding.parse_assembly(self._text)
        module.verify()
        options = binding.create_pipeline_tuning_options(speed_level=self._level)
        for name, value in _OPTIONS.items():
            setattr(options, name, value)
        builder = binding.create_pass_builder(self._machine, options)
        passes = binding.create_new_module_pass_manager() if self._passes else builder.getModulePassManager()
        for name in self._passes:
            getattr(passes, f"add_{name}_pass")()
        passes.run(module, builder)
        return module


def made_by(cpu: str | None = None, features: str | None = None) -> str:
    """Return which compiler makes code, and for what machine: by default this one."""
    return repr((llvmlite.__version__, binding.llvm_version_info, *_this_machine(cpu, features)))


def _machine_for(cpu: str | None = None, features: str | None = None, level: int = 1) -> Any:
    """Return what LLVM writes code for a machine with, if there is memory to do so; else MemoryError."""
    if not memory.is_left():
        raise MemoryError("there is no memory to compile in")
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    cpu, features = _this_machine(cpu, features)
    return binding.Target.from_default_triple().create_target_machine(cpu=cpu, features=features, opt=min(level, 2))


def _this_machine(cpu: str | None, features: str | None) -> tuple[str, str]:
    """Return the processor and its features as LLVM names them, those of this machine where none are given."""
    cpu = binding.get_host_cpu_name() if cpu is None else cpu
    return cpu, binding.get_host_cpu_features().flatten() if features is None else features


def features_without_fma() -> str:
    """Return the features of this machine except those that multiply and add in one instruction (on x86)."""
    features = binding.get_host_cpu_features()
    kept = {name: there and not name.startswith(("fma", "avx512")) for name, there in features.items()}
    return str(binding.FeatureMap(kept).flatten())
