"""Tables as people save them; and for whatever is none, one sentence with line and column."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrograd_mlp.tables import Table, load_csv, load_features, parse_csv, parse_numbers


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "points.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


PLAIN = "a,b,kind\n1,2,no\n3.5,-4e1,yes\n5,6,no\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.rstrip("\n"),
        PLAIN.replace("\n", "\n\n  \n,,\n"),
        "\n" + PLAIN,
        PLAIN.replace(",", " , "),
        '"a","b","kind"\n"1","2","no"\n"3.5","-4e1","yes"\n5,6,"no"\n',
        b"\xef\xbb\xbf" + PLAIN.encode(),
    ],
    ids=["plain", "semicolons", "tabs", "CRLF", "CR", "no end", "empty lines", "late", "spaces", "quotes", "BOM"],
)
def test_a_table_is_read_however_it_was_saved(write, content):
    table = load_csv(write(content))
    assert (table.features, table.classes) == (("a", "b"), ("no", "yes"))
    np.testing.assert_array_equal(table.X, [[1, 2], [3.5, -40], [5, 6]])
    np.testing.assert_array_equal(table.y, [0, 1, 0])
    assert table.y.dtype == np.int64


def test_what_stands_in_quotes_parts_no_cells(write):
    table = load_csv(write('"a; b; c","d\n; ""e"";",f" ;g\n1,2,no\n3,4,yes\n'))
    assert (table.features, table.classes) == (("a; b; c", 'd\n; "e";'), ("no", "yes"))
    table = load_csv(write('"1,5, or so";b;kind\n1;2;no\n3;4;yes\n'))
    assert table.features == ("1,5, or so", "b")


def test_without_a_header_columns_are_numbered(write):
    table = load_csv(write("1,2,0\n3,4,1\n"))
    assert (table.features, table.classes, table.X.tolist()) == (("x1", "x2"), ("0", "1"), [[1, 2], [3, 4]])


def test_a_column_without_a_name_gets_its_number(write):
    assert load_csv(write(",b,kind\n1,2,no\n3,4,yes\n")).features == ("x1", "b")


@pytest.mark.parametrize("label", ["kind", 0, "0", -3, "-3"])
def test_the_label_is_found_by_name_and_index(write, label):
    table = load_csv(write("kind,a,b\nno,1,2\nyes,3,4\n"), label)
    assert (table.features, table.classes, table.X.tolist()) == (("a", "b"), ("no", "yes"), [[1, 2], [3, 4]])


def test_a_name_comes_before_an_index(write):
    assert load_csv(write("a,0,k\n1,no,2\n2,yes,1\n".replace("0", "'0'")), "'0'").classes == ("no", "yes")


@pytest.mark.parametrize("label", ["Kind", 3, -4, "", "--1", "9" * 5000, "1.0"])
def test_a_label_that_is_not_there_is_refused(write, label):
    with pytest.raises(ValueError, match=r"points\.csv has no column .*; it has a, b, kind \(0 to 2\)$"):
        load_csv(write(PLAIN), label)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["1", "1.0", "01", "2"], ("1", "2")),
        (["10", "9", "b", "a"], ("9", "10", "a", "b")),
        (["1000001", "1000002"], ("1000001", "1000002")),
        (["-0", "0", "0.5"], ("0", "0.5")),
        (["nan", "inf", "1"], ("1", "inf", "nan")),
        (["9007199254740993", "9007199254740992"], ("9007199254740992", "9007199254740993")),
        (["1_0", "10"], ("10", "1_0")),
        (["<b>", "[red]\x1b[31m"], ("<b>", "[red]\x1b[31m")),
    ],
)
def test_labels_are_classes_by_number_then_by_text(write, labels, classes):
    assert load_csv(write("".join(f"1,{label}\n" for label in labels))).classes == classes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "points.csv is empty; a line for each point is needed"),
        (" \n,,\n", "points.csv is empty; a line for each point is needed"),
        ("a,b,kind\n", "points.csv has a header and no points"),
        ("1,2,0\n3,1\n", "points.csv, line 2: 2 cells, but line 1 has 3"),
        ("a,b,kind\n\n1,2,0\n3,4,5,1\n", "points.csv, line 4: 4 cells, but line 1 has 3"),
        ("a,b,kind\n1,x,0\n1,2,1\n", "points.csv, line 2, column 2 (b): a number is needed, got 'x'"),
        ("a,b,kind\n1,2,0\n1, ,1\n", "points.csv, line 3, column 2 (b): a number is needed, got nothing"),
        ("1,nan,0\n1,2,1\n", "points.csv, line 1, column 2 (x2): a number is needed, got 'nan'"),
        ("1,1e999,0\n1,2,1\n", "points.csv, line 1, column 2 (x2): a number is needed, got '1e999'"),
        ("1,1_0,0\n1,2,1\n", "points.csv, line 1, column 2 (x2): a number is needed, got '1_0'"),
        ("a;b\n1,5;no\n2,0;yes\n", "points.csv, line 2, column 1 (a): a number is needed, got '1,5'"),
        ("1,\x00,0\n1,2,1\n", "points.csv, line 1, column 2 (x2): a number is needed, got '\\x00'"),
        ("a,b,kind\n1,2,0\n1,2,\n", "points.csv, line 3, column 3 (kind): the label is missing"),
        ("a,b,a,kind\n1,2,3,0\n", "points.csv, line 1, column 3: 'a' is the name of a column before it"),
        ("kind\na\nb\n", "points.csv has one column; a table of labelled points has at least one of numbers and one"),
        ("1,0\n2,0\n", "points.csv, column 2 (x2): labels of 2 to 100 classes are needed, found 1: 0"),
        ("".join(f"1,{k}\n" for k in range(101)), "labels of 2 to 100 classes are needed, found 101: 0, 1, 2, ..."),
        ('a,b\n"1,2\n', "points.csv, line 2: unexpected end of data"),
        ('a,b\n"1"x,2\n', "points.csv, line 2: ',' expected after '\"'"),
        ("a,b\n" + "1" * 200_000 + ",2\n", "points.csv, line 2: field larger than field limit (131072)"),
        (b"a,b\n1,\xff\n", "points.csv is no UTF-8 text (byte 6); save it as CSV in UTF-8"),
        (b"1,2\n" * 20_000 + b"\xff", "points.csv is no UTF-8 text (byte 80000); save it as CSV in UTF-8"),
        ("1,2\n".encode("utf-16"), "points.csv is no UTF-8 text (byte 0); save it as CSV in UTF-8"),
    ],
)
def test_what_is_no_table_is_refused_with_its_place(write, content, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        load_csv(write(content))


def test_what_cannot_be_read_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_csv(tmp_path / "missing.csv")
    with pytest.raises(IsADirectoryError):
        load_features(tmp_path, ["a"])


@pytest.mark.parametrize(
    ("content", "features"),
    [
        ("b,a\n2,1\n4,3\n", ["a", "b"]),
        ("kind,b,note,a\nno,2,,1\nyes,4,,3\n", ["a", "b"]),
        ("1,2\n3,4\n", ["a", "b"]),
        ("1,2,no\n3,4,yes\n", ["a", "b"]),
        ("height,weight\n1,2\n3,4\n", ["a", "b"]),
        ("no,1,2\nyes,3,4\n", ["x2", "x3"]),
        ("1,2\n3,4\n", ["x2", "x3"]),
        ("x2,x1\n2,1\n4,3\n", ["x1", "x2"]),
    ],
)
def test_features_are_found_by_name_else_by_order(write, content, features):
    np.testing.assert_array_equal(load_features(write(content), features), [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,c\n1,2\n", "points.csv: columns a, b are needed, found a, c"),
        ("1\n2\n", "points.csv: columns a, b are needed, found x1"),
        ("1,2,3,4\n", "points.csv: columns a, b are needed, found x1, x2, x3, x4"),
        ("a,b\n1,x\n", "points.csv, line 2, column 2 (b): a number is needed, got 'x'"),
    ],
)
def test_other_columns_are_refused(write, content, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        load_features(write(content), ["a", "b"])


cells = st.one_of(
    st.floats().map(str), st.integers(-3, 3).map(str), st.text(max_size=3), st.sampled_from(["", '"', "a"])
)
lines = st.lists(st.lists(cells, min_size=1, max_size=4).map(",".join), max_size=6).map("\n".join)


@settings(max_examples=300, deadline=None)
@given(content=st.one_of(st.binary(max_size=60), lines.map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_bytes_are_a_table_or_a_value_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "random.csv"
    path.write_bytes(content)
    try:
        table = load_csv(path)
    except ValueError:
        return
    assert isinstance(table, Table)
    assert table.X.shape == (len(table.y), len(table.features))
    assert np.isfinite(table.X).all()
    assert set(table.y.tolist()) == set(range(len(table.classes)))
    assert len(set(table.classes)) == len(table.classes)
    assert load_features(path, table.features).tolist() == table.X.tolist()


def test_numbers_are_read_to_the_last_bit(write):
    numbers = [math.pi, 1 / 3, 5e-324, -1.7976931348623157e308]
    content = "".join(f"{number!r},{index % 2}\n" for index, number in enumerate(numbers))
    assert load_csv(write(content)).X[:, 0].tolist() == numbers


def test_content_that_is_no_file_is_read_alike(write):
    table, parsed = load_csv(write(PLAIN)), parse_csv(PLAIN.encode(), "upload")
    np.testing.assert_array_equal(parsed.X, table.X)
    assert (parsed.y.tolist(), parsed.features, parsed.classes) == (table.y.tolist(), table.features, table.classes)
    with pytest.raises(ValueError, match=r"^upload, line 2, column 1 \(a\): a number is needed, got 'x'$"):
        parse_csv(b"a,b,kind\nx,2,no\n1,2,yes\n", "upload")


def test_a_table_of_nothing_but_numbers():
    numbers, names = parse_numbers(b"a;b\n1;2\n3;4.5\n", "upload")
    assert (numbers.tolist(), names) == ([[1.0, 2.0], [3.0, 4.5]], ("a", "b"))
    with pytest.raises(ValueError, match=r"^upload, line 1, column 2 \(x2\): a number is needed, got 'inf'$"):
        parse_numbers(b"1,inf\n", "upload")


def test_names_of_any_length_and_kind_stay_out_of_the_sentence():
    long = '"' + 'a\nb""' * 200_000 + '"'
    for content in (f"{long},b,k\n1,oops,x\n2,3,y\n", f"{long},{long}\n1,x\n", f"a,k\n1,{long}\n2,{long}\n", long):
        with pytest.raises(ValueError, match=r"^points\.csv") as caught:
            parse_csv(content.encode(), "points.csv", None)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 500


def test_many_columns_are_read_as_quickly_as_many_rows():
    names = [f"f{k}" for k in range(200_000)]  # by the square of their number it would take half an hour
    table = parse_csv(
        "\n".join([",".join([*names, "k"]), *(f"{'1,' * len(names)}{k}" for k in "ny")]).encode(), "wide.csv"
    )
    assert table.features == tuple(names)
