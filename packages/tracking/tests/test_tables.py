import datetime as dt
import html
import json
import math
from collections import UserDict
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking.errors import UnsupportedParam, UnsupportedTable
from treadle_tracking.tables import written_table

ADVICE = (
    "Give a pandas DataFrame, a list of records such as [{'digit': 3, 'score': 0.9}], or columns such as "
    "{'digit': [3], 'score': [0.9]}"
)


@pytest.fixture
def pd():
    return pytest.importorskip("pandas", reason="pandas is no dependency of treadle-tracking")


def read(table):
    """The columns and rows that a table is written as."""
    found = json.loads(written_table("t", table).data)
    assert found.keys() == {"columns", "data"}
    return found["columns"], found["data"]


def test_records_are_rows():
    """Columns are the union of the records' keys in the order in which they come; what one lacks is null."""
    assert (["a", "b", "c"], [[1, "x", None], [None, None, 0.5]]) == read(
        [{"a": 1, "b": "x"}, UserDict({"c": 0.5})]
    )


def test_columns_are_turned_into_rows():
    """A mapping of columns of one length is a table."""
    assert (["a", "b"], [[1, True], [2, None]]) == read({"a": [1, 2], "b": (True, None)})


@pytest.mark.parametrize(("table", "columns"), [([], []), ({}, []), ({"a": []}, ["a"])])
def test_a_table_may_be_empty(table, columns):
    """A table without rows is one."""
    assert (columns, []) == read(table)


def test_values_are_exact():
    """Integers of any size, doubles, texts, bools and None come back as they were."""
    row = [2**70, 0.1 + 0.2, 1.0, 5e-324, 'ü\n|"', True, None]
    ((_, (found,))) = read([{str(index): value for index, value in enumerate(row)}])

    assert repr(row) == repr(found)


def test_what_json_has_no_word_for_is_said_in_others():
    """NaN is null, an infinity is a text that reads as one, also inside a list; a date is ISO 8601."""
    row = {
        "nan": math.nan,
        "inf": [math.inf, {"low": -math.inf}],
        "day": dt.date(2026, 11, 22),
        "price": Decimal("0.10"),
    }

    assert [[None, ["Infinity", {"low": "-Infinity"}], "2026-11-22", "0.10"]] == read([row])[1]


@settings(max_examples=50)
@given(
    st.lists(
        st.dictionaries(
            st.text(min_size=1),
            st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text()
            | st.none(),
        )
    )
)
def test_every_record_comes_back(records):
    """A record is what its row has in its columns."""
    columns, rows = read(records)
    read_back = [
        {column: value for column, value in zip(columns, row, strict=True) if column in record}
        for record, row in zip(records, rows, strict=True)
    ]

    # JSON escapes a lone surrogate, and reads it back as what it was.
    assert records == read_back


def test_columns_of_one_name_are_told_apart():
    """Keys that are one text are columns of their own."""
    assert ["1", "1.1"] == read([{1: "a", "1": "b"}])[0]


def test_a_data_frame_is_its_columns(pd):
    """A frame's values are Python's, missing ones null, dates ISO 8601; an index that only counts is left out."""
    np = pytest.importorskip("numpy", reason="pandas needs it")
    frame = pd.DataFrame(
        {
            "i": np.array([1, 2], dtype=np.int64),
            "f": np.array([0.1, np.nan], dtype=np.float32),
            "s": ["x", None],
            "b": [True, False],
            "t": pd.to_datetime(["2026-11-22T05:00", None]),
            "n": pd.array([1, None], dtype="Int64"),
            "o": [np.float64(0.5), [np.int8(1)]],
        }
    )
    f = float(np.float32(0.1))

    assert (
        list("ifsbtno"),
        [
            [1, f, "x", True, "2026-11-22T05:00:00", 1, 0.5],
            [2, None, None, False, None, None, [1]],
        ],
    ) == read(frame)


def test_an_index_that_says_something_is_kept(pd):
    """An index of texts, or with a name, or of several levels, is the first columns."""
    frame = pd.DataFrame({"a": [1, 2]})
    levels = pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["run", None])

    assert (["index", "a"], [["mean", 1], ["std", 2]]) == read(frame.set_axis(["mean", "std"]))
    assert (["id", "a"], [[0, 1], [1, 2]]) == read(frame.rename_axis("id"))
    assert (["run", "index", "a"], [["x", 1, 1], ["y", 2, 2]]) == read(frame.set_axis(levels))
    assert (["a"], [[2]]) == read(frame[frame["a"] > 1])


def test_a_frames_columns_may_have_levels_and_repeat(pd):
    """Levels are joined by dots, and a name that comes again has a number."""
    frame = pd.DataFrame(
        [[1, 2, 3]], columns=pd.MultiIndex.from_tuples([("a", 0), ("a", 0), ("b", 1)])
    )

    assert (["a.0", "a.0.1", "b.1"], [[1, 2, 3]]) == read(frame)


def test_pandas_reads_what_is_written(pd, tmp_path):
    """`pandas.read_json` with the orientation "split" has numbers again, infinities among them."""
    path = tmp_path / "t.json"
    path.write_bytes(
        written_table("t", {"x": [0.5, math.inf, math.nan], "s": ["a", "b", "c"]}).data
    )
    frame = pd.read_json(path, orient="split")

    assert [0.5, math.inf] == frame["x"].tolist()[:2]
    assert math.isnan(frame["x"][2])
    assert ["a", "b", "c"] == frame["s"].tolist()


def test_arrays_and_tensors_are_columns():
    """Whatever lists itself is a column."""
    np = pytest.importorskip("numpy", reason="numpy is no dependency of treadle-tracking")

    assert (["a"], [[1.0], [2.0]]) == read({"a": np.array([1.0, 2.0])})


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (3, "is 3 (int)"),
        ("text", "is 'text' (str)"),
        ([1], "has 1 (int) as a record"),
        ({"a": "text"}, "has 'text' (str) as the column 'a'"),
        ({"a": 1}, "has 1 (int) as the column 'a'"),
        ({"a": [1], "b": []}, "has columns of different lengths: {'a': 1, 'b': 0}"),
        ({1: [1], "1": [2]}, "has two columns of one name"),
    ],
)
def test_what_is_no_table_is_an_error(table, problem):
    """The message says what was given and what a table is."""
    with pytest.raises(UnsupportedTable) as caught:
        written_table("scores", table)

    assert f"the table 'scores' {problem}. {ADVICE}" == str(caught.value)


def test_a_cell_without_a_form_is_an_error():
    """The message says in which cell what is."""
    with pytest.raises(UnsupportedParam) as caught:
        written_table("scores", [{"a": 1}, {"a": 1j}])

    assert str(caught.value).startswith("the cell 'scores.a[1]' is 1j (complex). Expected ")


def test_a_preview_is_a_markdown_table():
    """Rows are lines, and nothing in a cell is taken for Markdown or HTML."""
    preview = written_table(
        "t", [{"a|b": "x\n\\y", "n": 0.5}, {"a|b": "<b>*_[`&", "n": None}]
    ).preview

    assert (
        "| a\\|b | n |\n| --- | --- |\n| x \\\\y | 0.5 |\n| &lt;b&gt;\\*\\_\\[\\`&amp; |  |"
    ) == preview


def test_a_preview_has_an_end():
    """The first 100 rows, 50 columns and 200 characters are shown, and it is said that there is more."""
    preview = written_table("t", [{str(index): "x" * 300 for index in range(60)}] * 120).preview
    lines = preview.split("\n")

    assert 100 + 2 == len([line for line in lines if line.startswith("|")])
    assert "| " + " | ".join(["x" * 199 + "…"] * 50) + " |" == lines[2]
    assert "… 20 more rows and 10 more columns" == lines[-1]


def test_tensorboard_renders_the_preview():
    """TensorBoard's own Markdown makes a table of it, with the texts as they were."""
    plugin_util = pytest.importorskip(
        "tensorboard.plugin_util", reason="needs the extra treadle-tracking[tensorboard]"
    )
    texts = ["a|b", "c\\d", "<i>e</i>", "*f* _g_", "`h`", "[i](j)", "~~k~~", "&amp;"]
    shown = plugin_util.markdown_to_safe_html(written_table("t", {"x": texts}).preview)
    cells = [part.partition("</td>")[0] for part in shown.split("<td>")[1:]]

    assert [html.escape(text).replace("~", "&#126;") for text in texts] == cells
