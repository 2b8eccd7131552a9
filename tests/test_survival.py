"""Runs on the command line survive: whatever stops one, a sentence says so, and it ends as if nothing had been."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

fcntl, pty, resource, termios = map(pytest.importorskip, ("fcntl", "pty", "resource", "termios"))  # on Unix

from click.testing import CliRunner  # noqa: E402

from micrograd_mlp import cli, experiment  # noqa: E402
from micrograd_mlp.checkpoints import load  # noqa: E402
from micrograd_mlp.experiment import claimed, run, stopped  # noqa: E402
from micrograd_mlp.options import Options  # noqa: E402

# As `python -m micrograd_mlp`, with a first checkpoint that comes long before the end also on a fast machine.
OFTEN = "from micrograd_mlp import checkpoints, cli; checkpoints.PAUSE = 0.1; cli.main(prog_name='micrograd-mlp')"
PROGRAM = (sys.executable, "-c", OFTEN)
SMALL = ("--samples", "40", "--hidden", "3", "--engine", "python", "--epochs", "250", "--batch", "8")


def start(folder, *options, **extra):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | extra
    return subprocess.Popen([*PROGRAM, "train", *options, "--out", str(folder)], text=True, **pipes)


def wait_for(process, beginning="epoch 1/"):
    for line in process.stdout:
        if line.startswith(beginning):
            return
    pytest.fail(f"{beginning!r} was not printed: {process.stderr.read()}")


def outcome(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def resumed(folder):
    """Go on with a run, here in this process, and return what it writes but pictures."""
    run(stopped(folder), resume=True)
    return contents(folder)


def contents(folder):
    assert not [name for name in os.listdir(folder) if name.startswith((".", "checkpoint"))]
    return {name: (folder / name).read_bytes() for name in ("model.safetensors", "history.csv", "explorer.html")}


@pytest.fixture(autouse=True, scope="module")
def no_pictures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "PICTURES", {})
        yield


@pytest.fixture(autouse=True)
def _as_usual():
    """SIGHUP acts as it usually does, also where the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    given = dict(zip([name[2:] for name in SMALL[::2]], SMALL[1::2], strict=True))
    run(Options.of({**given, "out": folder}))
    return contents(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_in_one_sentence_and_it_can_go_on(tmp_path, undisturbed, number):
    with start(tmp_path, "moons", *SMALL) as process:
        wait_for(process, "epoch 25/")
        process.send_signal(number)
        code, _, err = outcome(process)
    assert code == 128 + number
    on = f"micrograd-mlp train --resume --out {tmp_path} goes on with it"
    assert err == f"stopped by {number.name}; {on}\n"
    assert 24 <= len(load(tmp_path / "checkpoint.safetensors")[1].history) < 250
    assert resumed(tmp_path) == undisturbed


def test_a_killed_run_goes_on_and_one_that_has_ended_says_so(tmp_path, undisturbed):
    for seconds in (0.0, 0.4):  # before the first checkpoint, and after it
        with start(tmp_path, "moons", *SMALL, "--resume") as process:
            wait_for(process)
            time.sleep(seconds)
            process.kill()
            outcome(process)
    assert resumed(tmp_path) == undisturbed
    result = CliRunner().invoke(cli.main, ["train", "moons", *SMALL, "--resume", "--out", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (0, f"The run in {tmp_path} has come to its end: all epochs done\n")


def test_ctrl_c_twice_leaves_out_the_pictures_and_the_run_can_go_on(tmp_path, undisturbed, interruptible):
    with start(tmp_path, "moons", *SMALL) as process:
        wait_for(process, "epoch 25/")
        process.send_signal(signal.SIGINT)
        wait_for(process, "Ctrl-C again leaves out the pictures.")
        process.send_signal(signal.SIGINT)
        code, _, err = outcome(process)
    assert code == 130
    assert err.startswith("interrupted in epoch 2")
    on = f"micrograd-mlp train --resume --out {tmp_path} goes on with it"
    assert err.endswith(f"; what was learned until then is in {tmp_path}; {on}\n")
    assert err.count("\n") == 1
    assert resumed(tmp_path) == undisturbed


def test_a_closed_terminal(tmp_path, undisturbed):
    def take_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    master, slave = pty.openpty()
    ends = {"stdin": slave, "stdout": slave, "stderr": slave}
    process = start(tmp_path, "moons", *SMALL, **ends, start_new_session=True, preexec_fn=take_terminal)
    os.close(slave)
    seen = b""
    while not re.search(rb"[1-9]\d/250", seen):
        seen += os.read(master, 10_000)
    os.close(master)  # and nobody can read, and SIGHUP comes
    assert process.wait(60) == 128 + signal.SIGHUP
    assert resumed(tmp_path) == undisturbed


@pytest.fixture
def disk(tmp_path):
    """A small file system of its own, which can be full."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    done = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=4m", "none", place], capture_output=True, check=False
    )
    if not done or done.returncode:
        pytest.skip("a file system that can be full takes the right to mount one")
    yield place
    subprocess.run(["umount", place], check=True)


def fill(place):
    with open(place / "filler", "wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)


def no_checkpoint(reason, folder):
    """Return what a run says that cannot keep its state any more."""
    there = r"(that of epoch \d+ is there still|there is none)"
    where = re.escape(str(folder / "checkpoint.safetensors"))
    return rf"Error: {where}: {reason}; no checkpoint could be written after epoch \d+, {there}\n"


@contextlib.contextmanager
def halted(process, folder):
    """Wait for the first checkpoint of a run, and let the run stand still in this block, which has its bytes."""
    while not (folder / "checkpoint.safetensors").exists():
        assert process.poll() is None, outcome(process)
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)
    yield (folder / "checkpoint.safetensors").read_bytes()
    process.send_signal(signal.SIGCONT)


def test_a_full_disk(disk, undisturbed):
    with start(disk / "run", "moons", *SMALL) as process:
        with halted(process, disk / "run") as kept:
            fill(disk)
        code, _, err = outcome(process)
    assert code == 2
    assert re.fullmatch(no_checkpoint("No space left on device", disk / "run"), err)
    assert (disk / "run" / "checkpoint.safetensors").read_bytes() == kept
    (disk / "filler").unlink()
    assert resumed(disk / "run") == undisturbed


def test_a_disk_that_becomes_read_only(disk, undisturbed):
    with start(disk / "run", "moons", *SMALL) as process:
        with halted(process, disk / "run"):
            subprocess.run(["mount", "--bind", disk / "run", disk / "run"], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", disk / "run"], check=True)
        code, _, err = outcome(process)
    assert code == 2
    assert re.fullmatch(no_checkpoint("Read-only file system", disk / "run"), err)
    with pytest.raises(ValueError, match=r"^out takes a folder that can be written; .*/run: Read-only file system$"):
        resumed(disk / "run")
    subprocess.run(["umount", disk / "run"], check=True)
    assert resumed(disk / "run") == undisturbed


def test_a_limit_on_the_size_of_files(tmp_path, undisturbed):
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, 15_000))  # noqa: E731
    code, _, err = outcome(start(tmp_path, "moons", *SMALL, preexec_fn=limit))
    assert code == 2
    assert re.fullmatch(no_checkpoint("File too large", tmp_path), err)
    if (tmp_path / "checkpoint.safetensors").exists():
        assert resumed(tmp_path) == undisturbed


def test_a_folder_that_is_taken_away(tmp_path):
    with start(tmp_path / "run", "moons", *SMALL) as process:
        with halted(process, tmp_path / "run"):
            (tmp_path / "run").rename(tmp_path / "elsewhere")
        code, _, err = outcome(process)
    assert code == 2
    path = tmp_path / "run" / "checkpoint.safetensors"
    reason = r"No such file or directory; no checkpoint could be written after epoch \d+, there is none"
    assert re.fullmatch(rf"Error: {path}: {reason}\n", err)


def test_two_runs_in_one_folder(tmp_path):
    with start(tmp_path, "moons", *SMALL) as process:
        wait_for(process)
        result = CliRunner().invoke(cli.main, ["train", "moons", "--out", str(tmp_path)])
        sentence = f"{tmp_path} is being written by process {process.pid}: wait for its end, or name another place"
        assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {sentence}\n")
        process.kill()
        outcome(process)
    with claimed(tmp_path, "moons"):  # the dead one keeps no lock
        pass


def test_other_data_and_other_options_are_refused_by_name(tmp_path):
    def stop(epoch, model):
        raise RuntimeError("the power went")

    points, folder = tmp_path / "points.csv", tmp_path / "run"
    points.write_text("".join(f"{k},{k * k % 7},{'ab'[k % 2]}\n" for k in range(20)))
    options = Options.of({"problem": points, "out": folder, "engine": "python", "epochs": 3})
    with pytest.raises(RuntimeError, match="the power went"):
        run(options, [lambda epoch, model: stop(epoch, model) if epoch.epoch == 2 else None])
    result = CliRunner().invoke(cli.main, ["train", "--resume", "--out", str(folder), "--lr", "0.5", "--seed", "0"])
    what = f"Error: the run that was stopped in {folder} had other options: lr was 0.02, is 0.5 now; "
    way_out = "leave that out to go on with it, or --resume to begin anew\n"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", what + way_out)
    points.write_text(points.read_text() + "9,9,a\n")
    result = CliRunner().invoke(cli.main, ["train", "--resume", "--out", str(folder)])
    numbers = r"\d+ × 2 numbers \([0-9a-f]{16}\)"
    assert result.exit_code == 2
    assert re.fullmatch(rf"Error: .* is of another run: X was {numbers}, is {numbers} now; give .*\n", result.stderr)


def test_where_there_is_nothing_to_go_on_with(tmp_path):
    def call(*arguments):
        result = CliRunner().invoke(cli.main, ["train", *arguments, "--resume", "--out", str(tmp_path)])
        return result.exit_code, result.stdout, result.stderr

    sentence = f"Error: no run was stopped in {tmp_path}; name a problem or a file, and one begins there\n"
    assert call() == (2, "", sentence)
    code, out, err = call("moons", *SMALL[:4], "--epochs", "1")
    assert (code, err) == (0, "")
    assert out.startswith(f"No run was stopped in {tmp_path}: this one begins.\nmoons: 2-3-1")
    assert call() == (0, f"The run in {tmp_path} has come to its end: all epochs done\n", "")
    for content in (b"hi", (tmp_path / "model.safetensors").read_bytes()):
        (tmp_path / "checkpoint.safetensors").write_bytes(content)
        code, out, err = call()
        assert (code, out) == (2, "")
        assert re.fullmatch(r"Error: .*checkpoint.* (is no|holds) .*; without --resume, a run begins anew\n", err)


def test_a_limit_on_memory(tmp_path):
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (800_000_000, 800_000_000))  # noqa: E731
    options = ("--samples", "20000", "--hidden", "64,64", "--batch", "0", "--engine", "python")
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    code, _, err = outcome(start(tmp_path, "moons", *options, preexec_fn=limit, env=alone))
    what = "a smaller network, fewer points or fewer of them a step (--batch) take less"
    assert (code, err) == (2, f"Error: memory ran out; {what}\n")
