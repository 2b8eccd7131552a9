"""What is kept comes back whole or not at all, and only if nobody else could have written it."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from micrograd_mlp import cache

posix = pytest.mark.skipif(os.name != "posix", reason="access rights of POSIX")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROGRAD_MLP_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


def the_file(folder):
    (path,) = folder.iterdir()
    return path


def test_what_is_saved_is_found_under_its_key_alone(folder):
    assert cache.load("a") is None
    assert not folder.exists()  # looking makes nothing
    cache.save("a", b"\x00 one")
    cache.save("b" * 1_000_000, b"")
    assert cache.load("a") == b"\x00 one"
    assert cache.load("b" * 1_000_000) == b""
    assert cache.load("c") is None
    cache.save("a", b"another")
    assert cache.load("a") == b"another"
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("switch", ["", "0"])
def test_it_can_be_switched_off(tmp_path, monkeypatch, switch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("MICROGRAD_MLP_CACHE", switch)
    cache.save("a", b"one")
    assert cache.load("a") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("platform", "variables", "place"),
    [
        ("linux", {}, "home/.cache/micrograd-mlp"),
        ("linux", {"XDG_CACHE_HOME": "relative/paths/are/ignored"}, "home/.cache/micrograd-mlp"),
        ("linux", {"XDG_CACHE_HOME": "{root}/xdg"}, "xdg/micrograd-mlp"),
        ("darwin", {"XDG_CACHE_HOME": "{root}/xdg"}, "home/Library/Caches/micrograd-mlp"),
        ("win32", {"LOCALAPPDATA": "{root}/local"}, "local/micrograd-mlp"),
        ("win32", {}, "home/AppData/Local/micrograd-mlp"),
        ("linux", {"MICROGRAD_MLP_CACHE": "{root}/chosen"}, "chosen"),
    ],
)
def test_it_lies_where_the_system_keeps_such_files(tmp_path, monkeypatch, platform, variables, place):
    for name in ("MICROGRAD_MLP_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(root=tmp_path))
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    cache.save("a", b"one")
    assert the_file(tmp_path / place).name.endswith(".kept")
    assert cache.load("a") == b"one"


@posix
def test_folders_and_files_are_the_users_alone_whatever_the_umask(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROGRAD_MLP_CACHE", str(tmp_path / "new" / "kept"))
    mask = os.umask(0)
    try:
        cache.save("a", b"one")
    finally:
        os.umask(mask)
    file = the_file(tmp_path / "new" / "kept")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, *file.parents[:2])] == [0o600, 0o700, 0o700]


@posix
@pytest.mark.parametrize("mode", [0o770, 0o720, 0o702, 0o1777])
@pytest.mark.parametrize("which", ["folder", "file", "above"])
def test_nothing_is_taken_from_where_others_can_write(folder, mode, which):
    cache.save("a", b"one")
    place = {"folder": folder, "file": the_file(folder), "above": folder.parent}[which]
    place.chmod(mode)
    guarded = which == "above" and mode == 0o1777  # like /tmp, where each can only rename what is his own
    assert cache.load("a") == (b"one" if guarded else None)
    if which != "file":
        cache.save("b", b"two")
        assert (len(list(folder.iterdir())) == 2) == guarded
    place.chmod(0o700)
    assert cache.load("a") == b"one"


@posix
def test_nothing_is_taken_from_other_users(folder, monkeypatch):
    cache.save("a", b"one")
    another = folder.stat().st_uid + 1
    monkeypatch.setattr(os, "geteuid", lambda: another)
    assert cache.load("a") is None
    cache.save("b", b"two")
    assert len(list(folder.iterdir())) == 1


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("which", ["folder", "file", "above"])
def test_nothing_is_taken_that_another_user_owns_nor_made_among_his_files(folder, monkeypatch, which):
    cache.save("a", b"one")
    os.chown({"folder": folder, "file": the_file(folder), "above": folder.parent}[which], 12345, -1)
    assert cache.load("a") is None
    for place in (folder / "more", folder.parent / "more"):
        monkeypatch.setenv("MICROGRAD_MLP_CACHE", str(place))
        cache.save("a", b"one")
        assert place.exists() == (which == "file" or (which == "folder" and place.parent != folder))


@posix
def test_a_link_is_not_followed(folder, tmp_path):
    cache.save("a", b"one")
    file = the_file(folder)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert cache.load("a") is None


def test_a_folder_may_be_named_through_a_link(folder, tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "real")
    cache.save("a", b"one")
    assert cache.load("a") == b"one"
    assert the_file(tmp_path / "real")


@pytest.mark.parametrize("size", [0, 5, 32, 40])
def test_a_part_of_a_file_is_no_file(folder, size):
    cache.save("a", b"one" * 5)
    file = the_file(folder)
    file.write_bytes(file.read_bytes()[:size])
    assert cache.load("a") is None
    cache.save("a", b"one" * 5)
    assert cache.load("a") == b"one" * 5


def test_every_wrong_bit_is_seen(folder):
    cache.save("a", b"one")
    file = the_file(folder)
    right = file.read_bytes()
    for place in range(len(right)):
        file.write_bytes(right[:place] + bytes([right[place] ^ 1]) + right[place + 1 :])
        assert cache.load("a") is None
    file.write_bytes(right)
    assert cache.load("a") == b"one"


def test_a_file_under_another_name_is_not_taken(folder):
    cache.save("a", b"one")
    first = the_file(folder)
    cache.save("b", b"two")
    (second,) = set(folder.iterdir()) - {first}
    os.replace(second, first)
    assert cache.load("a") is None


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "below", tmp_path / "file"):
        monkeypatch.setenv("MICROGRAD_MLP_CACHE", str(place))
        cache.save("a", b"one")
        assert cache.load("a") is None


def test_a_user_without_a_home_is_no_error(monkeypatch):
    def fail():
        raise RuntimeError("Could not determine home directory.")

    for name in ("MICROGRAD_MLP_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", fail)
    cache.save("a", b"one")
    assert cache.load("a") is None


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_is_no_error(folder, monkeypatch, step):
    def fail(*_):
        raise OSError(28, "No space left on device")

    cache.save("a", b"one")
    monkeypatch.setattr(os, step, fail)
    cache.save("a", b"two")
    cache.save("b", b"two")
    assert (cache.load("a"), cache.load("b")) == (b"one", None)
    assert len(list(folder.iterdir())) == 1


def test_a_file_that_cannot_be_marked_as_used_is_still_read(folder, monkeypatch):
    def fail(*_):
        raise OSError(30, "Read-only file system")

    cache.save("a", b"one")
    monkeypatch.setattr(os, "utime", fail)
    assert cache.load("a") == b"one"


def test_what_was_not_used_for_long_makes_room(folder, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 3 * (100 + 32))  # a checksum goes with each
    folder.mkdir(mode=0o700)
    (folder / "notes.txt").write_bytes(b"a" * 1000)  # not ours: neither counted nor removed
    left = folder / f".{'0' * 50}.x1_y"  # by a process that was ended
    left.write_bytes(b"a" * 100)
    os.utime(left, (999.0, 999.0))
    for age, name in enumerate("abc"):
        cache.save(name, b"n" * 100)
        newest = max(folder.glob("*.kept"), key=lambda path: path.stat().st_ctime_ns)
        os.utime(newest, (1000.0 + age, 1000.0 + age))
    assert not left.exists()
    assert cache.load("a")  # used just now
    cache.save("d", b"n" * 100)
    assert {name for name in "abcd" if cache.load(name)} == {"a", "c", "d"}
    assert (folder / "notes.txt").exists()
    assert len(list(folder.iterdir())) == 4


def test_many_writers_and_readers_at_once(folder):
    wrong = []

    def work(number):
        for turn in range(20):
            cache.save("a", bytes([number]) * 50_000)
            found = cache.load("a")
            if found is None or found != found[:1] * 50_000:
                wrong.append((number, turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    code = "from micrograd_mlp import cache; [cache.save('a', b'p' * 50_000) for _ in range(20)]"
    process = subprocess.Popen([sys.executable, "-c", code])
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert process.wait() == 0
    assert wrong == []
    assert len(list(folder.iterdir())) == 1
