"""Tables of text."""

from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking.commands.table import Column, lines, natural_width
from treadle_tracking.terminal import width

COLUMNS = [Column("NAME", can_be_cut=True), Column("LOSS", right=True), Column("STATUS")]


def test_columns_are_aligned():
    """Texts begin below each other and numbers end so, whatever their characters."""
    rows = [("baseline", "0.5", "FINISHED"), ("日本語", "12.25", "KILLED")]

    assert [
        "NAME       LOSS  STATUS",
        "baseline    0.5  FINISHED",
        "日本語    12.25  KILLED",
    ] == list(lines(COLUMNS, rows, None))


def test_the_widest_text_is_cut():
    """As much as the terminal lacks, from what can be cut."""
    columns = [Column("A", can_be_cut=True), Column("B", can_be_cut=True), Column("C")]
    rows = [("a" * 30, "b" * 20, "c" * 10), ("a", "b", "c")]

    assert [
        f"{'A':18}  {'B':18}  C",
        f"{'a' * 17}…  {'b' * 17}…  {'c' * 10}",
        f"{'a':18}  {'b':18}  c",
    ] == list(lines(columns, rows, 50))


def test_a_text_has_an_end_where_there_is_no_terminal():
    """One that is very long does not make every line so; what cannot be cut is whole."""
    columns = [Column("A", can_be_cut=True), Column("B"), Column("C")]
    rows = [("a" * 5000, "b" * 300, "c"), ("a" * 200, "b", "c")]

    assert [
        f"{'A':200}  {'B':300}  C",
        f"{'a' * 199}…  {'b' * 300}  c",
        f"{'a' * 200}  {'b':300}  c",
    ] == list(lines(columns, rows, None))


def test_a_line_is_cut_where_nothing_else_helps():
    """It never wraps."""
    assert ["NAME      …", "aaaaaaa…  …"] == list(
        lines(COLUMNS, [("a" * 20, "0.5", "FINISHED")], 11)
    )


def test_a_name_that_would_act_does_not():
    """Nothing of it reaches the terminal, and the columns are still aligned."""
    assert [
        "NAME               LOSS  STATUS",
        "\\x1b[2J\\nbaseline   0.5  FINISHED",
    ] == list(lines(COLUMNS, [("\x1b[2J\nbaseline", "0.5", "FINISHED")], None))


TEXTS = st.text(max_size=30)


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=5), st.integers(1, 100))
def test_every_line_fits(rows, most):
    """Each row is one line, no wider than asked for, and as wide as it is where there is room."""
    made = list(lines(COLUMNS, rows, most))

    assert 1 + len(rows) == len(made)
    assert all(width(line) <= most for line in made)
    if natural_width(COLUMNS, rows) <= most:
        assert list(lines(COLUMNS, rows, None)) == made
