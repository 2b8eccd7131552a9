"""Sweeps as a whole: the same trials wherever they run, none made twice, and the best model tested once."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from micrograd_mlp.classifier import Classifier
from micrograd_mlp.experiment import load, split
from micrograd_mlp.options import Options
from micrograd_mlp.sweeps import Outcome, Record, Trial, run, sweep, workers
from micrograd_mlp.sweeps.results import rank

SMALL = {"problem": "moons", "samples": 40, "hidden": "2/3", "epochs": 2, "engine": "numpy", "jobs": 1}
SECONDS = "seconds"


def scores(text):
    """Return the lines of trials.csv as dicts, without what differs from run to run."""
    rows = list(csv.DictReader(io.StringIO(text)))
    for row in rows:
        del row[SECONDS]
    return rows


@pytest.fixture(scope="module")
def small():
    return sweep(**SMALL, seeds=2, lr="0.01/0.1")


def test_a_sweep_makes_all_trials_and_ranks_them(small):
    assert len(small.records) == 8
    assert small.varied == ("hidden", "lr")
    ranking = small.ranking
    assert [len(standing.records) for standing in ranking] == [2, 2, 2, 2]
    keys = [(-standing.accuracy, standing.loss) for standing in ranking]
    assert keys == sorted(keys)
    assert small.best in ranking[0].records
    held = [record.outcome for record in ranking[0].records]
    assert ranking[0].accuracy == pytest.approx(np.mean([outcome.held_accuracy for outcome in held]))


def test_the_best_model_is_tested_on_points_that_no_trial_saw(small):
    options = Options.of({"problem": "moons", "samples": 40})
    seen = split(load(options), options.test_share, options.seed)  # as `train` parts them
    assert small.test.accuracy == small.classifier.accuracy(seen.X_test, seen.y_test)
    assert small.classifier.about["accuracy"]["held out"] == small.best.outcome.held_accuracy
    assert small.classifier.about["accuracy"]["test"] == small.test.accuracy
    plan = run.plan(SMALL)
    points = plan.ground.points
    assert (len(points.y), len(points.y_test), len(plan.test[1])) == (22, 8, 10)
    everything = np.concatenate([points.X, points.X_test, plan.test[0]])
    assert len(np.unique(everything, axis=0)) == 40


def test_without_test_points_nothing_is_tested():
    assert sweep(**SMALL | {"hidden": 2}, test_share=0).test is None


def test_the_table_has_a_line_for_each_trial(small):
    rows = scores(small.to_csv())
    assert [row["trial"] for row in rows] == list("12345678")
    assert [(row["hidden"], row["lr"], row["seed"]) for row in rows[:3]] == [
        ("2", "0.01", "0"),
        ("2", "0.01", "1"),
        ("2", "0.1", "0"),
    ]
    assert {(row["rung"], row["epochs"], row["epochs_done"], row["ended"]) for row in rows} == {
        ("1", "2", "2", "epochs")
    }
    assert float(rows[0]["held_loss"]) == small.records[0].outcome.held_loss


def test_halving_trains_the_best_anew_for_longer():
    result = sweep(**SMALL | {"hidden": "2", "epochs": 4}, lr="0.001..1", search="halving", trials=4, eta=2)
    assert [(record.trial.rung, record.trial.options.epochs) for record in result.records] == [
        (1, 1), (1, 1), (1, 1), (1, 1), (2, 2), (2, 2), (3, 4),
    ]  # fmt: skip
    assert result.best == result.records[-1]
    alone = sweep(**SMALL | {"hidden": "2", "epochs": 4, "lr": result.best.trial.options.lr})
    assert alone.records[0].outcome == result.best.outcome


def test_a_trial_that_diverges_is_a_result_and_comes_last():
    result = sweep(
        **SMALL | {"hidden": "8", "epochs": 30}, lr="0.01/1e160", loss="mse", activation="relu", optimizer="sgd"
    )
    assert [record.outcome.ended for record in result.records] == ["epochs", "diverged"]
    assert [standing.diverged for standing in result.ranking] == [0, 1]
    assert np.isnan(result.ranking[1].accuracy)
    assert result.best == result.records[0]


def record(configuration, accuracy, loss, ended="epochs", rung=1, seed=0):
    trial = Trial(configuration * 10 + seed, configuration, rung, (), Options.of({"seed": seed}))
    return Record(trial, Outcome(ended, 1, 0.0, 0.0, accuracy, loss, 0.0))


def test_ranking_goes_by_rung_divergence_accuracy_loss_and_number():
    records = [
        record(1, 0.9, 0.5), record(2, 0.9, 0.4), record(3, 1.0, 0.1, "diverged"), record(4, 0.2, 2.0, rung=2),
        record(5, 0.9, 0.4), record(6, 0.95, 0.9), record(6, 0.99, 0.9, "diverged", seed=1),
        record(7, 0.9, float("nan")),
    ]  # fmt: skip
    assert [standing.configuration for standing in rank(records)] == [4, 2, 5, 1, 7, 6, 3]
    assert rank(records)[5].accuracy == 0.95


def test_two_processes_come_to_the_same(small):
    again = sweep(**SMALL | {"jobs": 2}, seeds=2, lr="0.01/0.1")
    assert scores(again.to_csv()) == scores(small.to_csv())
    assert again.classifier.model.state_dict() == small.classifier.model.state_dict()


def test_processes_take_over_only_where_much_is_left(monkeypatch, small):
    spread = []
    monkeypatch.setattr(workers, "START", 0.0)
    cores = workers.Cores(run.plan(SMALL).ground, None)
    cores.jobs = 4

    def elsewhere(trials):
        for trial in trials:
            spread.append(trial.number)
            yield trial.number, small.records[0].outcome

    cores._spread = elsewhere
    trials = [record.trial for record in small.records]
    assert len(list(cores.run(trials[:1]))) == 1
    assert spread == []
    assert len(list(cores.run(trials))) == 8
    assert spread == list(range(1, 9))  # the first was given up here, as it took too long
    monkeypatch.setattr(workers, "START", 100.0)
    cores.spread, spread[:] = False, []
    assert len(list(cores.run(trials))) == 8
    assert spread == []


def test_a_process_that_is_killed_costs_its_trials_only(tmp_path, small, monkeypatch):
    ended = []

    def kill(record, count, total):
        ended.append(record.trial.number)
        if count == 2:
            from joblib.externals.loky import reusable_executor

            os.kill(next(iter(reusable_executor._executor._processes)), signal.SIGKILL)

    again = sweep(**SMALL | {"jobs": 2}, seeds=2, lr="0.01/0.1", progress=kill)
    assert sorted(ended) == list(range(1, 9))
    assert scores(again.to_csv()) == scores(small.to_csv())


def test_processes_that_are_killed_all_the_time_end_it(monkeypatch):
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    def killed(self, trials):
        raise TerminatedWorkerError("a worker was killed")

    monkeypatch.setattr(workers.Cores, "_spread", killed)
    with pytest.raises(ValueError, match=r"^processes that ran trials were killed 3 times in a row, as where memory"):
        sweep(**SMALL | {"jobs": 2})


# In a folder


def asked(folder, **given):
    return SMALL | {"out": folder / "sweep"} | given


def test_a_folder_keeps_the_trials_and_the_best_model(tmp_path):
    result = sweep(**asked(tmp_path))
    folder = tmp_path / "sweep"
    assert set(os.listdir(folder)) == {"sweep.json", "trials.csv", "sweep.png", "model.safetensors"}
    assert (folder / "trials.csv").read_text() == result.to_csv()
    model = Classifier.load(folder / "model.safetensors")
    assert model.model.state_dict() == result.classifier.model.state_dict()
    assert model.about["sweep"]["trials"] == 2
    told = json.loads((folder / "sweep.json").read_text())
    assert (told["hidden"], told["search"], told["engine"]) == ("2/3", "grid", "numpy")


@pytest.mark.parametrize("kept", ["", "\n", "\n1", "one line", "one and a half", "all"])
def test_a_sweep_goes_on_from_whatever_was_written(tmp_path, kept):
    before = sweep(**asked(tmp_path, seeds=2))
    path, text = tmp_path / "sweep" / "trials.csv", before.to_csv()
    lines = text.splitlines(keepends=True)
    left = {"one line": 2, "one and a half": 3, "all": 5}.get(kept)
    torn = "".join(lines[:left]) if left else lines[0].removesuffix("\n") + kept
    path.write_text(torn[:-7] if kept == "one and a half" else torn)
    made = []
    again = sweep(**asked(tmp_path, seeds=2), progress=lambda record, *_: made.append(record.trial.number))
    assert made == [1, 2, 3, 4][{"one line": 1, "one and a half": 1, "all": 4}.get(kept, 0) :]
    assert scores(again.to_csv()) == scores(text)
    assert path.read_text() == again.to_csv()


def test_it_goes_on_after_being_killed_at_any_moment(tmp_path, small):
    given = SMALL | {"seeds": 2, "lr": "0.01/0.1", "out": "here"}
    code = f"from micrograd_mlp.sweeps import sweep; sweep(**{given!r})"
    lines = 0
    for pause in (0.0, 0.03):
        process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
        path = tmp_path / "here" / "trials.csv"
        while process.poll() is None and (not path.exists() or path.read_text().count("\n") < lines + 2):
            time.sleep(0.01)
        time.sleep(pause)
        process.kill()
        process.wait()
        kept = path.read_text()
        assert kept.count("\n") >= lines + 2
        lines = kept.count("\n") - 1
    done = sweep(**SMALL, seeds=2, lr="0.01/0.1", out=tmp_path / "here")
    assert done.to_csv().startswith("\n".join(kept.split("\n")[:2]))  # seconds too: no trial was made again
    assert scores(done.to_csv()) == scores(small.to_csv())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hidden": "2/4"}, r"holds a sweep with hidden 2/3, not 2/4; name another folder as out$"),
        ({"lr": 0.3}, r"holds a sweep with lr 0.02, not 0.3; name another"),
        ({"search": "random"}, r"holds a sweep with search grid, not random; name another"),
        ({"seeds": 2}, r"holds a sweep with seeds 1, not 2; name another"),
        ({"held_share": 0.5}, r"holds a sweep with held-share 0.25, not 0.5; name another"),
        ({"patience": 3}, r"holds a sweep with patience not given, not 3; name another"),
    ],
    ids=str,
)
def test_another_sweep_in_the_folder_is_refused(tmp_path, changed, message):
    plan = run.plan(asked(tmp_path))
    with run.opened(plan):
        pass
    with pytest.raises(ValueError, match=message), run.opened(run.plan(asked(tmp_path, **changed))):
        pass


def test_where_it_runs_may_change(tmp_path):
    for jobs in (1, 2, None):
        with run.opened(run.plan(asked(tmp_path, jobs=jobs))):
            pass


def test_other_points_in_the_file_are_refused(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("a,b,c\n" + "".join(f"{k},{k % 7},{k % 2}\n" for k in range(40)))
    given = {"problem": path, "samples": None}
    with run.opened(run.plan(asked(tmp_path, **given))):
        pass
    path.write_text("a,b,c\n" + "".join(f"{k},{k % 6},{k % 2}\n" for k in range(40)))
    message = r"sweep holds a sweep with other points than those here; name another folder as out$"
    with pytest.raises(ValueError, match=message), run.opened(run.plan(asked(tmp_path, **given))):
        pass


def test_two_sweeps_do_not_write_one_folder(tmp_path):
    plan = run.plan(asked(tmp_path))
    message = rf"^{tmp_path}/sweep is being written by process \d+"
    with run.opened(plan), pytest.raises(ValueError, match=message), run.opened(plan):
        pass


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n1,1,1,2,", "\n1,1,1,7,", r"trials.csv, trial 1: hidden is 7, where the sweep has 2$"),
        (
            "\n1,1,1,",
            "\nx,1,1,",
            r"trials.csv, line 2: this is no line of this sweep; without it, its trial is made again$",
        ),
        ("epochs,2,", "epochs,2,9,", r"trials.csv, line 2: 14 cells; the sweep has 13$"),
        ("trial,conf", "trail,conf", r"trials.csv, line 1: this is no line of this sweep"),
        ("\n1,1", '\n"1,1', r"trials.csv: unexpected end of data; without this file the sweep begins anew$"),
    ],
)
def test_lines_of_another_sweep_are_refused(tmp_path, old, new, message, small):
    given = asked(tmp_path)
    with run.opened(run.plan(given)) as ledger:
        (trials,) = run.plan(given).search.stages(lambda *_: [])
        ledger.add(trials[0], replace(small.records[0].outcome, epochs=2))
    path = tmp_path / "sweep" / "trials.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        sweep(**given)


def test_files_of_others_are_left_alone(tmp_path):
    folder = tmp_path / "sweep"
    folder.mkdir()
    (folder / "trials.csv").write_text("mine")
    with pytest.raises(ValueError, match=r"^out takes a new folder, or one of a sweep; .*trials.csv is there without"):
        sweep(**asked(tmp_path))
    (folder / "sweep.json").write_text("[]")
    with pytest.raises(ValueError, match=r"sweep.json does not say what was asked for; name another folder as out$"):
        sweep(**asked(tmp_path))
    assert (folder / "trials.csv").read_text() == "mine"
    with pytest.raises(ValueError, match=r"^out takes a folder that can be written; .*: it is a file$"):
        sweep(**SMALL, out=folder / "trials.csv")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hiden": "4"}, r"^there is no option 'hiden', did you mean 'hidden'\?$"),
        ({"trials": 3}, r"^trials is for a random or a halving search; a grid tries every combination$"),
        ({"eta": 3, "search": "random"}, r"^eta is for a halving search, not for random$"),
        (
            {"jobs": 2, "scheduler": "a:1"},
            r"^jobs is for this machine; with a scheduler, its workers say how many trials",
        ),
        ({"search": "best"}, r"^search takes one of grid, random, halving; got 'best'$"),
        ({"held_share": 0}, r"^held-share takes a number from 0 to 1 \(0 and 1 excluded\), got 0$"),
        ({"held_share": 0.999}, r"^test-share 0.999 of 30 points leaves none to learn from$"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        sweep(**SMALL | {"jobs": None} | given)
