"""Writing in one step: whatever happens, the old file or the new one is there, whole."""

import errno
import os
import stat
import subprocess
import sys

import pytest

from micrograd_mlp.files import clear_temporaries, locked, refuse_same, write_atomically


def test_text_and_bytes_are_written_and_replace_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    assert write_atomically(path, "größer\n") == path
    assert path.read_bytes() == "größer\n".encode()
    write_atomically(str(path), b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, step, error):
    def fail(*_):
        raise error

    path = tmp_path / "a.txt"
    path.write_text("old")
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_missing_folder_is_named_by_the_path_that_was_asked_for(tmp_path):
    path = tmp_path / "nowhere" / "a.txt"
    with pytest.raises(FileNotFoundError) as caught:
        write_atomically(path, "new")
    assert (caught.value.filename, caught.value.strerror) == (str(path), "No such file or directory")


def test_a_folder_is_not_replaced(tmp_path):
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path, "new")


def test_new_files_obey_the_umask_and_old_ones_keep_their_permissions(tmp_path):
    mask = os.umask(0o027)
    try:
        path = write_atomically(tmp_path / "a.txt", "new")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o600)
        write_atomically(path, "newer")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(mask)


def test_private_files_are_their_owners_alone(tmp_path):
    mask = os.umask(0)
    try:
        path = write_atomically(tmp_path / "a.txt", "new", private=True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o666)
        write_atomically(path, "newer", private=True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(mask)


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_device_is_written_to_and_not_replaced(tmp_path):
    master, slave = os.openpty()
    name = os.ttyname(slave)
    write_atomically(name, "new\n")
    assert os.read(master, 100) == b"new\r\n"
    assert stat.S_ISCHR(os.stat(name).st_mode)
    os.close(master)
    os.close(slave)


def test_long_names_fit(tmp_path):
    path = tmp_path / ("ä" * 120 + ".txt")
    assert write_atomically(path, "new").read_text() == "new"


def test_a_source_is_not_written_over_by_whatever_name(tmp_path):
    source, link = tmp_path / "data.csv", tmp_path / "link.csv"
    source.write_text("1,2")
    link.symlink_to(source)
    for path in (source, link, tmp_path / "." / "data.csv"):
        with pytest.raises(ValueError, match=r"would replace .*data\.csv, which is read here; name another file"):
            refuse_same(path, [tmp_path / "missing", source])
    refuse_same(tmp_path / "other.csv", [source, tmp_path / "missing"])


HOLDER = """
import sys
from micrograd_mlp.files import locked
with locked(sys.argv[1], "this"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_one_processs_and_a_dead_one_keeps_none(tmp_path):
    path = tmp_path / "lock"
    arguments, pipes = [sys.executable, "-c", HOLDER, path], {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(arguments, **pipes) as holder:
        assert holder.stdout.readline() == b"held\n"
        sentence = (
            f"^what is written is being written by process {holder.pid}: wait for its end, or name another place$"
        )
        with pytest.raises(ValueError, match=sentence), locked(path, "what is written"):
            pass
        holder.kill()
        holder.wait()
        assert path.exists()
        with locked(path, "what is written"):
            assert path.read_text() == f"{os.getpid()}\n"
    assert not path.exists()


def test_a_lock_ends_with_its_block_however_that_ends(tmp_path):
    path = tmp_path / "lock"
    with pytest.raises(KeyError), locked(path, "it"):
        raise KeyError
    with locked(path, "it"):
        path.unlink()  # somebody cleans up
    assert os.listdir(tmp_path) == []
    with pytest.raises(FileNotFoundError), locked(tmp_path / "nowhere" / "lock", "it"):
        pass


def test_a_file_system_without_locks_is_used_without_them(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl", reason="locks of Unix")

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path / "lock", "it"):
        assert (tmp_path / "lock").exists()


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    for name in ("a.txt", ".a.txt.tmp-1", ".a.txt.tmp-2", ".b.txt.tmp-1", ".a.txt"):
        (tmp_path / name).write_text(name)
    clear_temporaries(tmp_path / "a.txt")
    assert sorted(os.listdir(tmp_path)) == [".a.txt", ".b.txt.tmp-1", "a.txt"]
    clear_temporaries(tmp_path / "nowhere" / "a.txt")
