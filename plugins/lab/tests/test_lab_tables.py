"""Data files: every format reads back what was written, and every fault is named with its row and column."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tain import DataError
from tain_lab.tables import FORMATS, read_table, write_table

floats = st.floats(allow_nan=False, allow_infinity=False, width=32)


@pytest.mark.parametrize("suffix", sorted(set(FORMATS) - {".npy"}))
@given(values=arrays(np.float32, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=5), elements=floats))
def test_a_written_table_reads_back_to_the_bit(suffix, values, tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / f"t{suffix}"
    columns = [f"c{i}" for i in range(values.shape[1])]
    write_table(path, columns, values)
    table = read_table(path, columns)
    assert table.columns == tuple(columns)
    assert np.array_equal(table.values.astype(np.float32), values)


def test_npy_columns_are_called_by_their_numbers(tmp_path):
    np.save(tmp_path / "t.npy", np.arange(6.0).reshape(3, 2))
    table = read_table(tmp_path / "t.npy", ["1"])
    assert table.values.tolist() == [[1.0], [3.0], [5.0]]


def test_matrices_within_an_archive_are_columns_by_name_and_number(tmp_path):
    np.savez(tmp_path / "t.npz", shares=np.eye(2), age=np.array([30, 40]))
    assert read_table(tmp_path / "t.npz").columns == ("shares[0]", "shares[1]", "age")


def test_columns_come_in_the_order_asked_for(tmp_path):
    (tmp_path / "t.csv").write_text('b,"a, quoted",text\n1,2,x\n3,4,y\n')
    table = read_table(tmp_path / "t.csv", ["a, quoted", "b"])
    assert table.values.tolist() == [[2.0, 1.0], [4.0, 3.0]]


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("a,b\n1,2\n3,x\n", None, r"row 2, column 'b' is 'x', but must be a number"),
        ("a,b\n1,2\n3,\n", None, r"row 2, column 'b' is empty"),
        ("a,b\n1,nan\n3,4\n", None, r"row 1, column 'b' is nan, but must be a finite number"),
        ("a,b\n1,2\n-inf,4\n", None, r"row 2, column 'a' is -inf"),
        ("a,b\n1,2\n3,nan\n5,nan\n", None, r"and 1 more row"),
        ("a,b\n1,2\n", ["a", "c"], r"no column 'c'\. Known: a, b"),
        ("food,fuel\n1,2\n", ["foot"], r"no column 'foot'\. Did you mean: food"),
        ("a,a\n1,2\n", None, r"the column 'a' stands twice"),
        ("a,b\n", None, r"the table is empty"),
        ("", None, r"cannot be read as CSV"),
        ("a,b\n1,2\n3\n", None, r"row 2 has 1 values, but the header names 2 columns. Mend the row: 3"),
    ],
)
def test_a_fault_in_a_csv_file_is_named(tmp_path, content, columns, message):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(DataError, match=message) as error:
        read_table(tmp_path / "t.csv", columns)
    assert str(error.value).count("t.csv") == 1


def test_a_missing_file_is_named_with_the_nearest(tmp_path):
    (tmp_path / "budgets.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"no such file\. Did you mean: budgets\.csv"):
        read_table(tmp_path / "budget.csv")


def test_an_unknown_suffix_is_refused_for_reading_and_writing(tmp_path):
    with pytest.raises(DataError, match=r"unknown kind of data file '\.xls'"):
        read_table(tmp_path / "t.xls")
    with pytest.raises(DataError, match=r"unknown kind of data file '\.xls'"):
        write_table(tmp_path / "t.xls", ["a"], np.ones((1, 1)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".parquet", ".npy", ".npz", ".safetensors"])
def test_a_truncated_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    write_table(path, ["a", "b"], np.ones((5, 2)))
    whole = path.read_bytes()
    for length in (0, 1, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cannot be read|no column|empty"):
            read_table(path, ["a", "b"] if suffix != ".npy" else None)


def test_nothing_is_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.write_text, (tmp_path / "exploded", "boom"))

    np.save(tmp_path / "t.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "t.npz", a=np.array([Bomb()], dtype=object))
    for name in ("t.npy", "t.npz"):
        with pytest.raises(DataError, match="cannot be read"):
            read_table(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_text_in_a_parquet_file_is_named(tmp_path):
    pyarrow.parquet.write_table(pa.table({"a": ["1", "two"]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"row 2, column 'a' is 'two'"):
        read_table(tmp_path / "t.parquet")


def test_arrays_of_other_shapes_are_refused(tmp_path):
    np.savez(tmp_path / "t.npz", images=np.ones((2, 3, 3)))
    with pytest.raises(DataError, match=r"column 'images' has dtype float64 and shape \(2, 3, 3\)"):
        read_table(tmp_path / "t.npz")
    np.savez(tmp_path / "u.npz", a=np.ones(2), b=np.ones(3))
    with pytest.raises(DataError, match=r"different lengths \(a: 2, b: 3\)"):
        read_table(tmp_path / "u.npz")
