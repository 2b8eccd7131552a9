"""Sweeps: many training runs over architectures, optimisers and seeds, ranked, kept as they end, spread over cores.

`sweep("moons", hidden="8/16,16", lr="0.003/0.03")` is the whole of it; `micrograd-mlp sweep` does the same.
"""

from ..options import SEARCHED, SEARCHES, SweepOptions
from .results import Record, Result, Standing
from .run import sweep
from .trials import Outcome, Trial

__all__ = ["SEARCHED", "SEARCHES", "Outcome", "Record", "Result", "Standing", "SweepOptions", "Trial", "sweep"]
