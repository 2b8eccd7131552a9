"""Sweeps on the workers of a Dask scheduler: the same results, whoever dies, and one sentence for what is missing."""

import csv
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress

import pytest

from micrograd_mlp import __version__
from micrograd_mlp.sweeps import sweep, workers

pytest.importorskip("distributed", reason="sweeps on a cluster need the extra `dask`")
SMALL = {
    "problem": "moons",
    "samples": 40,
    "hidden": "2/3",
    "lr": "0.01/0.1",
    "seeds": 2,
    "epochs": 2,
    "engine": "numpy",
}


def scores(result):
    """Return the lines of the table without the seconds, which differ from run to run."""
    return [row[:-1] for row in csv.reader(io.StringIO(result.to_csv()))]


@contextmanager
def processes(*commands, **options):
    """Run commands of Dask until the end of this block; yield the processes."""
    started = []
    try:
        for name, *arguments in commands:
            command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *arguments]
            started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options))
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
def scheduler():
    """The address of a scheduler on this machine, and its process."""
    port = free_port()
    command = ("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show")
    with processes(command) as (process,):
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.05)
        yield f"tcp://127.0.0.1:{port}", process


def worker(address):
    return ("worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard")


def wait_for(address, count):
    """Wait until the scheduler has so many workers: without it, the first one would do all the work."""
    from distributed import Client

    with workers._silent_dask(), Client(address, set_as_default=False, timeout=30) as client:
        client.wait_for_workers(count, timeout=60)


def test_a_worker_that_is_killed_costs_its_trial_only(scheduler, tmp_path, capfd):
    address, _ = scheduler
    here = sweep(**SMALL, jobs=1)
    ended = []
    with processes(worker(address), worker(address)) as (first, _):
        wait_for(address, 2)

        def kill(record, count, total):
            ended.append(record.trial.number)
            if count == 1:
                os.kill(first.pid, signal.SIGKILL)

        spread = sweep(**SMALL, scheduler=address, progress=kill, out=tmp_path)
        assert sorted(ended) == list(range(1, 9))
        assert scores(spread) == scores(here)
        assert spread.classifier.model.state_dict() == here.classifier.model.state_dict()
        again = sweep(**SMALL, scheduler=address, progress=kill, out=tmp_path)
        assert (len(ended), scores(again)) == (8, scores(here))
    assert capfd.readouterr() == ("", "")


def test_a_scheduler_that_is_killed_is_named_and_its_trials_stay(scheduler, tmp_path, monkeypatch, capfd):
    address, process = scheduler
    with processes(worker(address)):

        def kill(record, count, total):
            if count == 2:
                process.kill()

        monkeypatch.setattr(workers, "PATIENCE", 2)
        with pytest.raises(ValueError, match=rf"^the scheduler at {address} is gone$"):
            sweep(**SMALL, scheduler=address, progress=kill, out=tmp_path)
    ended = []
    sweep(**SMALL, jobs=1, out=tmp_path, progress=lambda record, *_: ended.append(record.trial.number))
    assert 1 <= len(ended) <= 6
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("raise ModuleNotFoundError('No module named numpy')", "No module named numpy"),
        ("", "No module named 'micrograd_mlp.sweeps'"),
    ],
)
def test_what_a_worker_lacks_is_said(scheduler, tmp_path, content, why):
    address, _ = scheduler
    (tmp_path / "micrograd_mlp").mkdir()
    (tmp_path / "micrograd_mlp" / "__init__.py").write_text(content)
    message = rf"^the worker at tcp://.* cannot run trials: {why}; it needs micrograd-mlp {__version__}, as here$"
    poor = os.environ | {"PYTHONPATH": str(tmp_path)}
    with processes(worker(address), env=poor), pytest.raises(ValueError, match=message):
        sweep(**SMALL, scheduler=address)


def test_another_version_is_refused(scheduler, monkeypatch):
    address, _ = scheduler
    monkeypatch.setattr(workers, "__version__", "9.9")
    message = rf"^the worker at tcp://.* cannot run trials: it has micrograd-mlp {__version__}; it needs micrograd-mlp"
    with processes(worker(address)):
        with pytest.raises(ValueError, match=message):
            sweep(**SMALL, scheduler=address)
        monkeypatch.setattr(workers, "_probe", lambda: lambda version: "")  # as of a worker that comes later
        message = rf"^a worker of the scheduler at {address} could not run a trial: it has micrograd-mlp {__version__};"
        with pytest.raises(ValueError, match=message):
            sweep(**SMALL, scheduler=address)


def test_no_worker_is_said(scheduler, monkeypatch):
    address, _ = scheduler
    monkeypatch.setattr(workers, "PATIENCE", 1)
    message = rf"^the scheduler at {address} has no worker; start one there: dask worker {address}$"
    with pytest.raises(ValueError, match=message):
        sweep(**SMALL, scheduler=address)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1", "nowhere://x", "", "::::", "tcp://127.0.0.1:x", "a b"])
def test_what_is_no_scheduler_is_one_sentence(address, monkeypatch, capfd):
    monkeypatch.setattr(workers, "PATIENCE", 1)
    with pytest.raises(
        ValueError, match=r"^scheduler takes the address of a Dask scheduler that runs, got '"
    ) as caught:
        sweep(**SMALL, scheduler=address)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_a_server_that_is_no_scheduler_is_one_sentence(answer, monkeypatch, capfd):
    monkeypatch.setattr(workers, "PATIENCE", 1)
    sentence = r"^scheduler takes the address of a Dask scheduler that runs, got '"
    with answering(answer) as port, pytest.raises(ValueError, match=sentence):
        sweep(**SMALL, scheduler=f"127.0.0.1:{port}")
    assert capfd.readouterr() == ("", "")


@contextmanager
def answering(answer):
    """Answer whoever connects and say no more, until the end of this block; yield the port."""
    ended = threading.Event()

    def answer_all():
        with ExitStack() as connections:
            while not ended.is_set():
                with suppress(OSError):  # nobody came in time, or who came has gone
                    connection = connections.enter_context(server.accept()[0])
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)  # then it looks whether the block has ended
        thread = threading.Thread(target=answer_all, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join()


def test_without_dask_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(workers, "find_spec", lambda name: None)
    message = r"^scheduler needs dask and distributed, missing here: pip install 'micrograd-mlp\[dask\]'$"
    with pytest.raises(ValueError, match=message):
        sweep(**SMALL, scheduler="127.0.0.1:1")
