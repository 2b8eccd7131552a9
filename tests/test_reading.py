import json
import struct

import numpy as np
import pytest
from safetensors.numpy import save

from micrograd_mlp.reading import json_of, tensors_of


def test_json_is_read():
    assert json_of(b'{"a": [1, 2.5, null, "\xc3\xa9"]}') == {"a": [1, 2.5, None, "é"]}
    assert json_of("[Infinity, " + 309 * "9" + "]") == [float("inf"), int(309 * "9")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"it is no JSON: Expecting value: line 1 column 1 \(char 0\)"),
        (b"\xff[]", r"it is no JSON in UTF-8 \(byte 0\)"),
        ("[" * 100_000, "it is JSON that is nested too deeply"),
        ("9" * 5000, "it holds a whole number of 5,000 digits"),
        ("[NaN]", "NaN is no number in JSON"),
        ("-Infinity", "-Infinity is no number in JSON"),
    ],
)
def test_what_is_no_json_is_refused(text, message):
    with pytest.raises(ValueError, match=f"^{message}$") as caught:
        json_of(text, finite=True)
    assert type(caught.value) is ValueError


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_tensors_are_read(tmp_path, kind):
    path = tmp_path / "x.safetensors"
    path.write_bytes(save({"a": np.eye(2, dtype=kind)}, metadata={"note": "1"}))
    tensors, metadata = tensors_of(path)
    np.testing.assert_array_equal(tensors["a"], np.eye(2))
    assert metadata == {"note": "1"}


def written(kind, shape, data, name="a"):
    header = json.dumps({name: {"dtype": kind, "shape": shape, "data_offsets": [0, len(data)]}}).encode()
    return struct.pack("<Q", len(header)) + header + data


STRANGE = "its numbers are of a kind that NumPy has not"  # unless a package that is loaded taught it


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Error while deserializing header: header too small"),
        (b"\xff" * 8, "Error while deserializing header: header too large"),
        (written("I64", [1], bytes(8)), "a holds numbers of type int64"),
        (written("C64", [1], bytes(8)), "a holds numbers of type complex64"),
        (written("BOOL", [1], b"\1", "a\n" * 1000), "a a .*… holds numbers of type bool"),
        (written("BF16", [1], bytes(2)), f"({STRANGE}|a holds numbers of type bfloat16)"),
        (written("F8_E4M3", [1], bytes(1)), f"({STRANGE}|a holds numbers of type float8_e4m3fn)"),
        (written("x\ny" * 1000, [1], bytes(1)), "Error while deserializing header: invalid JSON in header: .*…"),
    ],
)
def test_other_tensors_are_refused(tmp_path, content, message):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{message}$") as caught:
        tensors_of(path)
    assert str(caught.value).isprintable()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        tensors_of(tmp_path / "x.safetensors")
