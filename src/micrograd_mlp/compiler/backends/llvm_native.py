"""From an LLVM module to functions that can be called: optimized for a machine, by default the one at hand.

What was compiled once is kept in a folder (see `cache`), so that the next process only loads it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import llvmlite
from llvmlite import binding

from ... import cache, memory

_OPTIONS = {"loop_unrolling": False}  # it doubles the time to compile, and short loops gain nothing


class Native:
    """The machine code of one module; it lives as long as this object."""

    def __init__(self, module: Any, *, cpu: str | None = None, features: str | None = None, level: int = 1) -> None:
        """Compile an `llvmlite.ir.Module`, or load what was compiled from the same text.

        `cpu` and `features` are named as LLVM names them, by default those of this machine. `level`, from 0 to 3, is
        how much is optimized; from 1 on, loops become vectors. Raises MemoryError where there is not enough of it:
        LLVM itself would end the process.
        """
        if not memory.is_left():
            raise MemoryError("there is no memory to compile in")
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        cpu = binding.get_host_cpu_name() if cpu is None else cpu
        features = binding.get_host_cpu_features().flatten() if features is None else features
        self._machine = binding.Target.from_default_triple().create_target_machine(
            cpu=cpu, features=features, opt=min(level, 2)
        )
        module.triple, module.data_layout = self._machine.triple, str(self._machine.target_data)
        self._text, self._level = str(module), level
        made_by = llvmlite.__version__, binding.llvm_version_info, cpu, features, level, _OPTIONS
        key = f"{made_by}\n{self._text}"
        code = cache.load(key)
        if code is None:
            code = self._machine.emit_object(self._optimized())
            cache.save(key, code)
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), self._machine)
        self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    @cached_property
    def llvm(self) -> str:
        """The optimized module as text."""
        return str(self._optimized())

    @property
    def assembly(self) -> str:
        """The machine code as text."""
        return str(self._machine.emit_assembly(binding.parse_assembly(self.llvm)))

    def address(self, name: str) -> int:
        """Return where the function `name` begins, for `ctypes`."""
        return int(self._engine.get_function_address(name))

    def _optimized(self) -> Any:
        module = binding.parse_assembly(self._text)
        module.verify()
        options = binding.create_pipeline_tuning_options(speed_level=self._level)
        for name, value in _OPTIONS.items():
            setattr(options, name, value)
        builder = binding.create_pass_builder(self._machine, options)
        builder.getModulePassManager().run(module, builder)
        return module


def features_without_fma() -> str:
    """Return the features of this machine except those that multiply and add in one instruction (on x86)."""
    features = binding.get_host_cpu_features()
    kept = {name: there and not name.startswith(("fma", "avx512")) for name, there in features.items()}
    return str(binding.FeatureMap(kept).flatten())
