"""Processes that take training steps on request, so that implementations can take turns without sharing threads."""

import os
from multiprocessing import get_context
from time import perf_counter
from typing import Any

from workloads import Run, Weights

# Set before any process starts, for libraries read these when they load.
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


class LeftOut(Exception):  # noqa: N818  # no error: there is nothing to time
    """An implementation cannot do a workload; the reason is in one line."""


class Worker:
    """A process for the implementations under one name in peers.PROCESSES, on one core where the system allows it."""

    def __init__(self, process: str, core: int | None) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, process, core), daemon=True)
        self._process.start()
        theirs.close()

    def run(self, implementation: str, workload: str, dtype: str, steps: int) -> tuple[float, Weights]:
        """Return the seconds that so many steps took, and the weights they led to; LeftOut if there are none."""
        try:
            self._connection.send((implementation, workload, dtype, steps))
            reply = self._connection.recv()
        except (EOFError, OSError):
            raise LeftOut("its process ended") from None
        if isinstance(reply, str):
            raise LeftOut(reply)
        seconds, weights = reply
        return seconds, weights

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.join()


def _serve(connection: Any, process: str, core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})  # before a library starts threads, for they inherit it
    runs: dict[tuple[str, str, str], Run] = {}
    while True:
        try:
            implementation, workload, dtype, steps = connection.recv()
        except EOFError:
            return
        try:
            from peers import PROCESSES
            from workloads import WORKLOADS

            key = implementation, workload, dtype
            if key not in runs:
                runs[key] = PROCESSES[process][implementation](WORKLOADS[workload](), dtype)
            start = perf_counter()
            weights = runs[key](steps)
            reply: Any = perf_counter() - start, weights
        except Exception as error:  # whatever is wrong with a peer, the others go on
            reply = (str(error) or repr(error)).splitlines()[0]
        connection.send(reply)
