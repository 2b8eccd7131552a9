"""Writing in one step: whatever happens, the old file or the new one is there, whole."""

import os
import stat

import pytest

from micrograd_mlp.files import refuse_same, write_atomically


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
