"""Try hostile input in numbers: every target of `targets`, in processes of their own, each input by a seed."""

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib.util import find_spec

SILENT = 60  # seconds without a sign of life, after which a process is ended and its input is a finding
EACH = 1_000  # inputs after which a process tells what came of them


@dataclass
class Tally:
    """What came of the inputs of a target."""

    outcomes: Counter = field(default_factory=Counter)
    seconds: float = 0.0
    slowest: tuple = (0.0, 0)  # seconds, and the seed
    memory: int = 0  # bytes that the process grew by
    findings: list = field(default_factory=list)

    def add(self, other):
        self.outcomes += other.outcomes
        self.seconds += other.seconds
        self.slowest = max(self.slowest, other.slowest)
        self.memory = max(self.memory, other.memory)
        self.findings += other.findings

    def row(self, name):
        count = sum(self.outcomes.values())
        per = 1e6 * self.seconds / max(count, 1)
        return (
            f"{name:<16}{count:>9,} inputs, {self.outcomes['worked'] / max(count, 1):>4.0%} worked,"
            f" {per:>7.0f} us each,"
            f" slowest {1e3 * self.slowest[0]:>5.0f} ms (seed {self.slowest[1]}), {self.memory / 2**20:>4.0f} MB,"
            f" {len(self.findings)} findings"
        )


def table():
    """Return all targets by name."""
    import command_targets
    import playground_targets
    import targets

    return targets.TARGETS | playground_targets.TARGETS | command_targets.TARGETS


def run_chunk(name, first, count, at, results):
    """Judge the inputs of `count` seeds in this process; `at` holds the seed, for the one who watches.

    What came of them is sent after each finding and every so many inputs, lest a crash take it along; None at the end.
    """
    import judge

    target, tally = table()[name], Tally()
    judge.arm()
    for seed in range(5):  # loads what is loaded on first use
        judge.judge(name, judge.Target(target.make, target.run, 0, None), -1 - seed)
    begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(first, first + count):
        at.value = seed
        outcome, seconds = verdict = judge.judge(name, target, seed)
        tally.seconds += seconds
        tally.slowest = max(tally.slowest, (seconds, seed))
        tally.outcomes["finding" if verdict.is_finding else outcome] += 1
        if verdict.is_finding:
            tally.findings.append((seed, outcome))
        if verdict.is_finding or seed % EACH == EACH - 1 or seed == first + count - 1:
            tally.memory = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begin)
            results.send(tally)
            tally = Tally()
    results.send(None)


class Worker:
    """A process with a chunk of the inputs of a target."""

    def __init__(self, name, first, count):
        context = multiprocessing.get_context("spawn")
        self.name, self.end = name, first + count
        self.at = context.Value("q", first, lock=False)
        self.results, sending = context.Pipe(duplex=False)
        self.seen, self.since = first, time.monotonic()
        self.process = context.Process(target=run_chunk, args=(name, first, count, self.at, sending))
        self.process.start()
        sending.close()
        self.tally, self.left = Tally(), None

    def poll(self):
        """Return whether the process has ended; then there is its tally, and what is left because it ended early."""
        try:
            while self.results.poll():
                if (tally := self.results.recv()) is None:
                    self.process.join()
                    return True
                self.tally.add(tally)
        except EOFError:
            self.process.join()
        if self.at.value != self.seen:
            self.seen, self.since = self.at.value, time.monotonic()
        silent = time.monotonic() - self.since > SILENT
        if self.process.exitcode is None and not silent:
            return False
        self.process.kill()
        self.process.join()
        why = f"no sign of life for {SILENT} s" if silent else f"the process ended with {self.process.exitcode}"
        seed = self.at.value
        self.tally.add(Tally(Counter(finding=1), findings=[(seed, why)]))
        self.left = seed + 1
        return True


def run_all(names, inputs, jobs, first, chunk):
    """Share `inputs` out to the targets `names`, and return 1 if there is any finding."""
    targets, begun = table(), time.perf_counter()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        os.environ["FUZZ_FOLDER"] = folder  # what processes leave there goes with it
        tallies = _run(names, targets, inputs, jobs, first, chunk)
    for name, tally in tallies.items():
        print(tally.row(name))
    findings = sum(len(tally.findings) for tally in tallies.values())
    count = sum(sum(tally.outcomes.values()) for tally in tallies.values())
    slowest = max((tally.slowest[0], name) for name, tally in tallies.items())
    print(
        f"{count:,} inputs in {time.perf_counter() - begun:.0f} s,"
        f" the slowest {slowest[0]:.2f} s ({slowest[1]}): {findings} findings"
    )
    return 1 if findings else 0


def _run(names, targets, inputs, jobs, first, chunk):
    """Return the tally of each target."""
    shares = {name: targets[name].share for name in names}
    counts = {name: max(1, round(inputs * share / sum(shares.values()))) for name, share in shares.items()}
    waiting = [
        (name, first + start, min(chunk(share), counts[name] - start))
        for name, share in shares.items()
        for start in range(0, counts[name], chunk(share))
    ]
    told, tallies, running = Counter(), {name: Tally() for name in names}, []
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(Worker(*waiting.pop(0)))
        time.sleep(0.05)
        for worker in list(running):
            if worker.poll():
                running.remove(worker)
                tally, left = worker.tally, worker.left
                tallies[worker.name].add(tally)
                for seed, what in tally.findings:
                    place = worker.name, what.rpartition(" at ")[2]
                    told[place] += 1
                    if told[place] <= 3:  # of findings at one place
                        print(f"{worker.name}, seed {seed}: {what}", flush=True)
                if left is not None and left < worker.end:
                    waiting.append((worker.name, left, worker.end - left))
    return tallies


def run_one(name, seed):
    """Show one input, and what comes of it."""
    import judge

    target = table()[name]
    import random

    print(repr(target.make(random.Random(f"{name} {seed}")))[:2000])
    judge.arm()
    verdict = judge.judge(name, target, seed)
    print(verdict)
    if verdict.is_finding:
        target.run(target.make(random.Random(f"{name} {seed}")))
    return int(verdict.is_finding)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of all targets together")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--targets", help="names between commas [default: all]")
    parser.add_argument("--seed", type=int, help="one input of one target: it is shown")
    given = parser.parse_args()
    there = [name for name, target in table().items() if not target.needs or find_spec(target.needs)]
    if missing := table().keys() - set(there):
        print(f"left out for want of a module: {', '.join(sorted(missing))}")
    names = given.targets.split(",") if given.targets else there
    if given.seed is not None:
        return run_one(names[0], given.seed)
    return run_all(
        names,
        given.inputs,
        given.jobs,
        given.first,
        lambda share: 20_000 if share > 20 else 2_000 if share > 2 else 200,
    )


if __name__ == "__main__":
    sys.exit(main())
