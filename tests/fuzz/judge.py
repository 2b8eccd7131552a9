"""Whether a hostile input did any harm: it works, or it is refused with one sentence; all else is a finding.

An input is made from the name of its target and a seed alone, so a finding is repeated by these two.
"""

import os
import random
import re
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

LONGEST = 500  # characters of a sentence
SLOWEST = 1.0  # seconds of an input, on the clock of the processor
HANGS = 20  # seconds on the wall, after which it is stopped
# What Python and its libraries say; whoever named the file learns nothing from it.
FOREIGN = re.compile(
    r"invalid literal for int|could not convert string|Exceeds the limit|codec can't|unhashable|object is not"
    r"|not supported between|has no attribute|positional arguments? but|object of type"
    r"|indices must be|maximum recursion|values to unpack|zip\(\) arg"
)
FORBIDDEN = {"write", "exec", "pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.remove",
             "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.link", "os.symlink", "shutil.rmtree",
             "subprocess.Popen", "socket.connect", "socket.bind", "ctypes.dlopen", "webbrowser.open"}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """What takes an input: `make(rng)` makes one, and `run` gives it to the library and looks at what comes of it.

    `share` is how many of a thousand inputs are for this target. Of what `judge` forbids, `allowed` is done by a
    library in the course of its work. `needs` is a module that may not be there.
    """

    make: Callable[[random.Random], Any]
    run: Callable[[Any], None]
    share: float
    allowed: frozenset[str] = frozenset()
    needs: str = ""


class Verdict(NamedTuple):
    """How an input ended: "worked", "refused", or what is wrong; and the seconds of the processor that it took."""

    outcome: str
    seconds: float

    @property
    def is_finding(self):
        """Return whether it is wrong."""
        return self.outcome not in ("worked", "refused")


class Hang(BaseException):
    """An input that does not end."""


class Forbidden(BaseException):
    """An input has made the library do what no input may."""


def judge(name, target, seed):
    """Return the verdict on the input that a target makes from `seed`. Warnings are to be errors already.

    What took too long is tried again, for the processor may have been busy: the quickest of three counts.
    """
    verdict = _judge(name, target, seed)
    for _ in range(2):
        if verdict.outcome in ("worked", "refused") and verdict.seconds > SLOWEST:
            verdict = min(verdict, _judge(name, target, seed), key=lambda each: each.seconds)
    if verdict.outcome in ("worked", "refused") and verdict.seconds > SLOWEST:
        return Verdict(f"it took {verdict.seconds:.1f} s", verdict.seconds)
    return verdict


def _judge(name, target, seed):
    try:
        case = target.make(random.Random(f"{name} {seed}"))
    except Exception as error:
        return Verdict(f"no input was made: {_of_crash(error)}", 0.0)
    begun = time.process_time() - _aside
    try:
        with _stopped(), _watched(target.allowed):
            target.run(case)
        outcome = "worked"
    except (ValueError, OSError) as error:
        outcome = _of_sentence(error)
    except (Exception, Hang, Forbidden) as error:
        outcome = _of_crash(error)
    return Verdict(outcome, time.process_time() - _aside - begun)


def _of_sentence(error):
    sentence = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        sentence = f"{error.strerror}"
    if isinstance(error, ValueError) and type(error) is not ValueError:
        return f"{type(error).__name__} from below: {sentence[:200]!r} at {_place(error)}"
    if not sentence or not sentence.isprintable():
        return f"the sentence does not print: {sentence[:200]!r} at {_place(error)}"
    if len(sentence) > LONGEST:
        return f"the sentence has {len(sentence)} characters: {sentence[:200]!r} at {_place(error)}"
    if FOREIGN.search(sentence):
        return f"the sentence is not ours: {sentence[:200]!r} at {_place(error)}"
    return "refused"


def _of_crash(error):
    return f"{type(error).__name__}: {str(error)[:200]!r} at {_place(error)}"


def _place(error):
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "micrograd_mlp" in frame.filename]
    frames = frames or traceback.extract_tb(error.__traceback__)
    return f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "?"


@contextmanager
def _stopped():
    """Stop what goes on for too long, where it is Python that goes on."""

    def ring(*_):
        raise Hang(f"stopped after {HANGS} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


_forbidden = None  # what is forbidden at this moment


@contextmanager
def _watched(allowed):
    global _forbidden
    before, _forbidden = _forbidden, None if allowed is None else FORBIDDEN - allowed
    try:
        yield
    finally:
        _forbidden = before


_aside = 0.0  # seconds for what is no work of the library


@contextmanager
def aside():
    """Look at what came back, by means that would be forbidden and in time that does not count."""
    global _aside
    begun = time.process_time()
    try:
        with _watched(None):
            yield
    finally:
        _aside += time.process_time() - begun


def _hook(event, args):
    if _forbidden is None:
        return
    if event == "open" and isinstance(args[2], int):
        if args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and "write" in _forbidden:
            raise Forbidden(f"{args[0]!r:.80} was opened to write")
    elif event == "exec" and args[0].co_filename.endswith(".py"):
        return  # a module that is imported
    elif event in _forbidden:
        raise Forbidden(f"{event}{args!r:.80}")


def arm():
    """Let this process see all that is forbidden, and make warnings errors. For the whole of its life."""
    sys.addaudithook(_hook)
    warnings.simplefilter("error")
