"""Hostile inputs for every target, a finding told by its seed, and a judge who sees what is wrong."""

import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

import judge
import pytest
import run
from judge import Target, Verdict

QUICK = 6_000  # inputs of all targets together
FEW = {"svg": 4, "play messages": 6, "command line": 40, "play address": 10, "play session": 20}
TABLE = run.table()
HERE = Path(judge.__file__).parent


@pytest.mark.parametrize("name", TABLE)
def test_hostile_input_is_taken_or_refused_in_one_sentence(name):
    if TABLE[name].needs:
        pytest.importorskip(TABLE[name].needs, reason=f"{name} needs {TABLE[name].needs}, which is not installed")
    share = TABLE[name].share / sum(target.share for target in TABLE.values())
    verdicts = {
        seed: judge.judge(name, TABLE[name], seed) for seed in range(FEW.get(name, max(10, round(QUICK * share))))
    }
    findings = {seed: verdict.outcome for seed, verdict in verdicts.items() if verdict.is_finding}
    assert {
        seed: what for seed, what in findings.items() if not what.startswith("it took")
    } == {}  # no time is asserted
    worked = sum(verdict.outcome == "worked" for verdict in verdicts.values())
    assert name in FEW or worked > 0.03 * len(verdicts)  # hostile inputs come far


@pytest.mark.parametrize("name", TABLE)
def test_an_input_is_made_by_its_seed(name):
    for seed in range(3):
        one, two = (TABLE[name].make(random.Random(f"{name} {seed}")) for _ in range(2))
        if isinstance(one, str | bytes | dict | list):
            assert repr(one) == repr(two)
        else:
            assert type(one) is type(two)


def judged(action):
    return judge.judge("made up", Target(lambda rng: None, lambda case: action(), 1), 0).outcome


def refuse(error):
    raise error


@pytest.mark.parametrize(
    ("action", "outcome"),
    [
        (lambda: None, "worked"),
        (lambda: refuse(ValueError("no such thing")), "refused"),
        (lambda: refuse(FileNotFoundError(2, "No such file or directory", "x" * 1000)), "refused"),
        (lambda: refuse(ValueError("two\nlines")), "the sentence does not print"),
        (lambda: refuse(ValueError("")), "the sentence does not print"),
        (lambda: refuse(ValueError("x" * 501)), "the sentence has 501 characters"),
        (lambda: float("x"), "the sentence is not ours"),
        (b"\xff".decode, "UnicodeDecodeError from below"),
        (lambda: {}["x"], "KeyError"),
        (lambda: refuse(MemoryError()), "MemoryError"),
        (lambda: warnings.warn("beware", RuntimeWarning, stacklevel=1), "RuntimeWarning: 'beware'"),
    ],
)
def test_the_judge_sees_what_is_wrong(action, outcome):
    assert judged(action).startswith(outcome)


def test_the_judge_sees_what_does_not_end(monkeypatch):
    monkeypatch.setattr(judge, "SLOWEST", 0.0)
    assert judged(lambda: sum(range(1000))).startswith("it took 0.0 s")
    monkeypatch.setattr(judge, "HANGS", 0.05)
    assert judged(lambda: [0 for _ in iter(int, 1)]).startswith("Hang")
    assert Verdict("it took 2.0 s", 2.0).is_finding


def test_the_judge_sees_what_is_forbidden(tmp_path):
    actions = {
        "open('written', 'w').close()": "Forbidden: \"'written' was opened to write",
        "eval('1 + 1')": "Forbidden: 'exec(",
        "exec('x = 1')": "Forbidden: 'exec(",
        "pickle.loads(pickle.dumps(print))": "Forbidden: \"pickle.find_class('builtins', 'print')",
        "os.system('true')": 'Forbidden: "os.system(',
        "subprocess.run(['true'])": "Forbidden: ",
        "judge.Target(1, 2, 3)": "worked",
    }
    program = "import judge, os, pickle, subprocess\njudge.arm()\n" + "".join(
        f"print(judge.judge('x', judge.Target(lambda rng: 0, lambda case: {action}, 1), 0).outcome)\n"
        for action in actions
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=_environment(), capture_output=True, text=True, check=True
    )
    for found, outcome in zip(ended.stdout.splitlines(), actions.values(), strict=True):
        assert found.startswith(outcome)
    assert list(tmp_path.iterdir()) == []


def _environment():
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}


STAND_IN = """
import os, signal, sys, time
import judge, run

def act(seed):
    if seed == 3:
        os.abort()
    if seed == 5:
        raise KeyError("five")
    if seed == 7:
        while True:
            pass
    if seed == 9:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        time.sleep(60)
    if seed % 2:
        raise ValueError("odd")

judge.HANGS, run.SILENT = 0.2, 3
run.table = lambda: {"stand-in": judge.Target(lambda rng: next(seeds), act, 1)}
seeds = iter(())
judge_one = judge.judge

def judge_seed(name, target, seed):
    global seeds
    seeds = iter([seed])
    return judge_one(name, target, seed)

judge.judge = judge_seed
if __name__ == "__main__":
    sys.exit(run.run_all(["stand-in"], 20, 2, 0, lambda share: 20))
"""


def test_a_run_tells_every_finding_by_its_seed_and_goes_on(tmp_path):
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    ended = subprocess.run(
        [sys.executable, "stand_in.py"], cwd=tmp_path, env=_environment(), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1, ended.stderr
    lines = ended.stdout.splitlines()
    for seed, what in (
        (3, "the process ended with -6"),
        (5, "KeyError: \"'five'\""),
        (7, "Hang: "),
        (9, "no sign of life"),
    ):
        assert any(line.startswith(f"stand-in, seed {seed}: {what}") for line in lines), (seed, ended.stdout)
    assert "4 findings" in lines[-1]
