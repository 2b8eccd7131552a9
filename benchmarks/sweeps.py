"""What it costs to spread a sweep: trials of moons in this process, in two, and on one and two workers of Dask.

    python benchmarks/sweeps.py                200 trials
    python benchmarks/sweeps.py --trials 50

All come to the same table, which is checked. Each trial is a training run of 40 epochs on 225 points; machine code is
found in a folder that one run has filled before, as in a second sweep. Times are from the first line of the plan to the
tested model; the start of processes is in those of this machine, while workers of Dask are there before.
"""

import argparse
import csv
import io
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from micrograd_mlp.sweeps import Result, sweep

SPACE: dict[str, Any] = {"hidden": "8/16/8,8/16,16", "lr": "0.003..0.1", "search": "random"}


@contextmanager
def cluster(count: int) -> Iterator[str]:
    """Within this block there is a scheduler on this machine with so many workers of one thread; yield its address."""
    from distributed import Client

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    here = ("--host", "127.0.0.1", "--no-dashboard")
    commands = [["scheduler", *here, "--port", address.partition(":")[2]]]
    commands += [["worker", address, *here, "--nthreads", "1", "--no-nanny"]] * count
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [
        subprocess.Popen([sys.executable, "-m", f"distributed.cli.dask_{name}", *rest], **quiet)
        for name, *rest in commands
    ]
    try:
        with Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)
        yield address
    finally:
        for process in processes:
            process.kill()
            process.wait()


def scores(result: Result) -> list[list[str]]:
    """Return the table of a sweep without the seconds."""
    return [row[:-1] for row in csv.reader(io.StringIO(result.to_csv()))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    options = parser.parse_args()

    def timed(**given: Any) -> tuple[float, Result]:
        start = perf_counter()
        result = sweep("moons", **SPACE, trials=options.trials, **given)
        return perf_counter() - start, result

    with tempfile.TemporaryDirectory() as folder:
        os.environ["MICROGRAD_MLP_CACHE"] = folder
        sweep("moons", hidden=SPACE["hidden"], epochs=1, jobs=1)
        print(f"{options.trials} trials of moons, {SPACE['hidden']} hidden, on {os.cpu_count()} cores\n")
        print("| where | s | ms a trial | x one process |\n|---|---|---|---|")
        alone, expected = timed(jobs=1)

        def tell(where: str, seconds: float, result: Result) -> None:
            assert scores(result) == scores(expected), where
            each = 1000 * seconds / options.trials
            print(f"| {where} | {seconds:.1f} | {each:.0f} | {alone / seconds:.2f} |", flush=True)

        tell("this process", alone, expected)
        tell("2 processes", *timed(jobs=2))
        tell("as it chooses", *timed())
        for count in (1, 2):
            with cluster(count) as address:
                tell(f"Dask, {count} worker{'s' * (count > 1)}", *timed(scheduler=address))


if __name__ == "__main__":
    main()
