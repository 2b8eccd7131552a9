"""Where trials run: in this process, in processes on the cores of this machine, or on the workers of a Dask scheduler.

Each place gives the same outcomes, in the order in which they come; a worker that dies costs the trials that it was at,
which are made again.
"""

from __future__ import annotations

import asyncio
import logging
import math
import pickle
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from time import perf_counter
from typing import Any

from .. import __version__
from .trials import Ground, Outcome, Trial, make, outcome_of, run_remote

START = 4.0  # seconds that processes take to start, to import and to find their machine code
MOST_DEATHS = 3  # of workers, with no trial done in between
PATIENCE = 8  # seconds to reach a scheduler in, and its workers
NEEDED = f"micrograd-mlp {__version__}, as here"

Ended = tuple[Trial, Outcome]


def refuse_without_dask() -> None:
    """Raise ValueError where Dask is not installed."""
    if missing := [name for name in ("dask", "distributed") if find_spec(name) is None]:
        raise ValueError(f"scheduler needs {' and '.join(missing)}, missing here: pip install 'micrograd-mlp[dask]'")


@contextmanager
def place_of(ground: Ground, jobs: int | None, scheduler: str | None) -> Iterator[Cores | Cluster]:
    """Within this block, trials run where it was said. Raises ValueError if that place cannot be had."""
    if scheduler is None:
        yield Cores(ground, jobs)
        return
    with _silent_dask(), _client(scheduler) as client:
        yield Cluster(ground, client, scheduler)


class Cores:
    """Runs trials on this machine, one a core at a time, or in so many processes as `jobs` says.

    Processes take seconds to start. Unless their number is given, as much time goes by here first, as the start would
    take; if there are more trials left than were done in it, processes take over.
    """

    def __init__(self, ground: Ground, jobs: int | None) -> None:
        from joblib import cpu_count

        self.ground, self.jobs = ground, jobs or cpu_count()
        self.spread = jobs is not None and jobs > 1

    def run(self, trials: Sequence[Trial]) -> Iterator[Ended]:
        """Yield each trial when it has ended, with what came of it. Raises ValueError if processes die all the time."""
        left = {trial.number: trial for trial in trials}
        if not self.spread:
            yield from self._here(left)
        deaths = 0
        while left:
            try:
                for number, outcome in self._spread(list(left.values())):
                    deaths = 0
                    yield left.pop(number), outcome
            except _killed():
                deaths += 1
                if deaths == MOST_DEATHS:
                    raise ValueError(
                        f"processes that ran trials were killed {deaths} times in a row, as where memory is short; "
                        f"fewer jobs, or another option than trial {min(left)} has, may help"
                    ) from None

    def _here(self, left: dict[int, Trial]) -> Iterator[Ended]:
        """Run trials in this process, until others are worth their start."""
        deadline, done = perf_counter() + START, 0
        while left:
            helped = self.jobs > 1 and len(left) > 1
            if helped and perf_counter() > deadline and len(left) * (1 - 1 / self.jobs) > done:
                break
            trial = next(iter(left.values()))
            run = make(trial.options, self.ground, deadline if helped and not done else math.inf)
            if run is not None:
                done += 1
                yield left.pop(trial.number), outcome_of(run)
        self.spread = bool(left)

    def _spread(self, trials: list[Trial]) -> Iterator[tuple[int, Outcome]]:
        from joblib import Parallel, parallel_config

        with parallel_config("loky", inner_max_num_threads=1, initializer=_leave_interrupts):
            parallel = Parallel(self.jobs, batch_size=1, return_as="generator_unordered")
        return _ended(parallel, trials, self.ground)


class Cluster:
    """Runs trials on the workers of a Dask scheduler, by joblib's own backend for it."""

    def __init__(self, ground: Ground, client: Any, address: str) -> None:
        self.ground, self.client, self.address = ground, client, address
        self.where = f"the scheduler at {address}"

    def run(self, trials: Sequence[Trial]) -> Iterator[Ended]:
        """Yield each trial when it has ended, with what came of it. Raises ValueError if a worker cannot run it."""
        from joblib import Parallel, parallel_config

        self._refuse_poor()
        backend = _dask_backend()(client=self.client, wait_for_workers_timeout=PATIENCE)
        numbered = {trial.number: trial for trial in trials}
        with parallel_config(backend):
            parallel = Parallel(-1, batch_size=1, return_as="generator_unordered")
        try:
            for number, outcome in _ended(parallel, trials, self.ground):
                yield numbered[number], outcome
        except (_LostTrialError, RuntimeError) as error:
            raise ValueError(self._reason(error)) from None

    def _refuse_poor(self) -> None:
        """Raise ValueError if there is no worker, or one that lacks what trials need: sent one, it would end."""
        try:
            self.client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise ValueError(f"{self.where} has no worker; start one there: dask worker {self.address}") from None
        for worker, lack in self.client.run(_probe(), __version__, on_error="ignore").items():
            if lack:
                raise ValueError(f"the worker at {worker} cannot run trials: {lack}; it needs {NEEDED}")

    def _reason(self, error: BaseException) -> str:
        """Return in a sentence why the cluster could not run a trial."""
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        cause = error.cause if isinstance(error, _LostTrialError) else error
        if self.client.status != "running" or isinstance(cause, CancelledError):
            return f"{self.where} is gone"
        if isinstance(cause, KilledWorker):
            return f"every worker that took one of the trials was killed, as where memory is short ({self.where})"
        why = (str(cause) or type(cause).__name__).splitlines()[0]
        return f"a worker of {self.where} could not run a trial: {why}; it needs {NEEDED}"


def _probe() -> Callable[[str], str]:
    """Return a function that tells what a worker lacks, or "". It travels as its code, so the worker needs nothing."""

    def lack(version: str) -> str:
        import importlib

        try:
            importlib.import_module("joblib")
            importlib.import_module("micrograd_mlp.sweeps.trials")
            found = importlib.import_module("micrograd_mlp").__version__
        except Exception as error:
            return str(error) or type(error).__name__
        return "" if found == version else f"it has micrograd-mlp {found}"

    return lack


def _ended(parallel: Any, trials: Sequence[Trial], ground: Ground) -> Iterator[tuple[int, Outcome]]:
    """Yield the number of each trial and what came of it, as they end in the workers of joblib's `parallel`."""
    from joblib import delayed

    content = pickle.dumps(ground)  # bytes, which travel with the trial: arrays would be kept on a worker that may die
    calls = [delayed(run_remote)(trial.number, trial.options, content, __version__) for trial in trials]
    ended = parallel(calls)
    try:
        yield from ended
    finally:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*still being processed")  # nobody waits for them, after Ctrl-C
            ended.close()


def _leave_interrupts() -> None:
    """Leave Ctrl-C to the process that asked: it ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _killed() -> type[Exception]:
    from joblib.externals.loky import BrokenProcessPool

    return BrokenProcessPool  # type: ignore[no-any-return]


class _LostTrialError(Exception):
    """A trial did not come back from the cluster; the `cause` says why."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _dask_backend() -> type[Any]:
    """Return joblib's backend for Dask, made to say when a task is lost, where its own waits for ever."""
    from joblib._dask import DaskDistributedBackend

    class Backend(DaskDistributedBackend):  # type: ignore[misc]
        def effective_n_jobs(self, n_jobs: int) -> int:
            found: int = super().effective_n_jobs(n_jobs)
            return max(2, found)  # joblib takes 1 as a word to run all in this process

        async def _collect(self) -> None:
            while self._continue:
                async for future, result in self.waiting_futures:
                    self._results.pop(future)
                    callback = self._callbacks.pop(future)
                    if future.status == "finished":
                        callback(result)
                    else:
                        callback(_LostTrialError(result[1] if isinstance(result, tuple) else result))
                await asyncio.sleep(0.01)

        def retrieve_result_callback(self, out: Any) -> Any:
            if isinstance(out, _LostTrialError):
                raise out
            return super().retrieve_result_callback(out)

    return Backend


@contextmanager
def _client(address: str) -> Iterator[Any]:
    """Within this block there is a client of the scheduler. Raises ValueError if it cannot be reached."""
    from distributed import Client

    try:
        with ThreadPoolExecutor(1) as pool:  # a thread, for a notebook has a loop of its own
            pool.submit(_reach, address).result()
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError, MemoryError) as error:  # the last: its length is no length
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"scheduler takes the address of a Dask scheduler that runs, got {address!r}: {why}") from None
    try:
        yield client
    finally:
        client.close(timeout=2)


def _reach(address: str) -> None:
    """Connect to the address once: a Client that could not would complain whenever it is cleared away."""
    from distributed import Security
    from distributed.comm import connect

    async def connect_once() -> None:
        connecting = connect(address, timeout=PATIENCE, **Security().get_connection_args("client"))
        (await asyncio.wait_for(connecting, PATIENCE + 1)).abort()

    asyncio.run(connect_once())


@contextmanager
def _silent_dask() -> Iterator[None]:
    """Within this block Dask keeps its own messages to itself."""
    import_module("distributed")  # it sets levels of its own
    known = logging.root.manager.loggerDict
    loggers = [
        logging.getLogger(name) for name in known if name.partition(".")[0] in ("distributed", "tornado", "asyncio")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
