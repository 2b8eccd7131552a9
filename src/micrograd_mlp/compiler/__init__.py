"""The compiler: scalars in, arrays out. It runs scalar code on symbols, finds the arrays in it, and runs those."""

from .batch import vmap
from .jit import jit, replay

__all__ = ["jit", "replay", "vmap"]
