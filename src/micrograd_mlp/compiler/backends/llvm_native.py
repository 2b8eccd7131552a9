"""From an LLVM module to functions that can be called: optimized for a machine, by default the one at hand."""

from __future__ import annotations

from typing import Any

from llvmlite import binding


class Native:
    """The machine code of one module; it lives as long as this object."""

    def __init__(self, module: Any, *, cpu: str | None = None, features: str | None = None, level: int = 3) -> None:
        """Compile an `llvmlite.ir.Module`.

        `cpu` and `features` are named as LLVM names them, by default those of this machine. `level`, from 0 to 3, is
        how much is optimized; from 2 on, loops become vectors.
        """
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        machine = binding.Target.from_default_triple().create_target_machine(
            cpu=binding.get_host_cpu_name() if cpu is None else cpu,
            features=binding.get_host_cpu_features().flatten() if features is None else features,
            opt=min(level, 2),
        )
        module.triple, module.data_layout = machine.triple, str(machine.target_data)
        parsed = binding.parse_assembly(str(module))
        parsed.verify()
        builder = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=level))
        builder.getModulePassManager().run(parsed, builder)
        self.llvm: str = str(parsed)
        self._machine = machine
        self._engine = binding.create_mcjit_compiler(parsed, machine)
        self._engine.finalize_object()

    @property
    def assembly(self) -> str:
        """The machine code as text."""
        return str(self._machine.emit_assembly(binding.parse_assembly(self.llvm)))

    def address(self, name: str) -> int:
        """Return where the function `name` begins, for `ctypes`."""
        return int(self._engine.get_function_address(name))


def features_without_fma() -> str:
    """Return the features of this machine except those that multiply and add in one instruction (on x86)."""
    features = binding.get_host_cpu_features()
    kept = {name: there and not name.startswith(("fma", "avx512")) for name, there in features.items()}
    return str(binding.FeatureMap(kept).flatten())
