from fractions import Fraction

import pytest

from treadle_units import Batches, Epochs, Length, Records, Seconds, Steps, UnitsError, parse

LEGAL = "the units are records, batches, steps, epochs, tokens, s, min, h, d, or count:<name>"
EXPECTED = (
    "write a number and a unit, such as '10 epochs', '1k records', '0.5 epochs' or '2 h', "
    "and join alternatives with '|'"
)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("10 epochs", Epochs(10)),
        (" 10ep ", Epochs(10)),
        ("1 Epoch", Epochs(1)),
        ("1k records", Records(1000)),
        ("1_000 steps", Steps(1000)),
        ("5e3 batches", Batches(5000)),
        ("1.5k rec", Records(1500)),
        ("2M tokens", Length(2_000_000, "tokens")),
        ("0.1 epochs", Epochs(Fraction(1, 10))),
        ("1/3 epochs", Epochs(Fraction(1, 3))),
        ("5 count:frames", Length(5, "frames")),
        ("90 s", Seconds(90)),
        ("1.5 h", Seconds(5400)),
        ("1h 30min", Seconds(5400)),
        ("10 epochs|2 h", Epochs(10) | Seconds(7200)),
    ],
)
def test_accepted(text, limit):
    """What a person would write is read, exactly."""
    assert limit == parse(text)


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (Epochs(1), "1 epoch"),
        (Epochs(Fraction(1, 3)), "1/3 epochs"),
        (Records(50_000), "50000 records"),
        (Length(1, "tokens"), "1 token"),
        (Length(5, "frames"), "5 count:frames"),
        (Seconds(7200), "2 h"),
        (Seconds(5400), "90 min"),
        (Seconds(86400), "1 d"),
        (Seconds(Fraction(1, 2)), "1/2 s"),
        (Length(5, "Prüfungen"), "5 count:Prüfungen"),
        (Records(10**99), f"{10**99} records"),
        (Epochs(Fraction(1, 10**99)), f"1/{10**99} epochs"),
    ],
)
def test_written(limit, text):
    """A limit is written with its largest whole unit, and read again from that."""
    assert (text, limit) == (str(limit), parse(str(limit)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "10",
            (
                "10 has no unit; write '10 epochs', '10 steps', '10 batches', '10 records' "
                "or a time such as '10 min'"
            ),
        ),
        ("0", "0 is not positive; give more than 0, or None for never"),
        ("1/2", "1/2 has no unit; write '1/2 epochs' or a time such as '1/2 min'"),
        ("5 recods", f"'recods' in '5 recods' is no unit; {LEGAL}; did you mean 'records'?"),
        ("10 parsecs", f"'parsecs' in '10 parsecs' is no unit; {LEGAL}"),
        (
            "1m records",
            f"'m' in '1m records' is no unit; {LEGAL}; write M for a million, or min for minutes",
        ),
        (
            "5 count:epoch",
            f"'count:epoch' in '5 count:epoch' is no unit; {LEGAL}; did you mean 'epoch'?",
        ),
        ("1,000 records", "'1,000 records' has a comma in its number; write 1_000"),
        ("-5 epochs", "'-5 epochs' is negative; write a positive number, or None for never"),
        ("0 epochs", "Length(0, 'epochs') is not positive; give more than 0, or None for never"),
        ("1/0 epochs", "'1/0 epochs' divides by zero; write a positive number"),
        ("1.5 batches", "3/2 batches is not whole; only epochs may be fractions, so use 1 or 2"),
        ("inf epochs", f"'inf epochs' is no length; {EXPECTED}"),
        ("nan epochs", f"'nan epochs' is no length; {EXPECTED}"),
        ("", f"'' is no length; {EXPECTED}"),
        ("1 epoch |", f"'' in '1 epoch |' is no length; {EXPECTED}"),
        ("1 epoch 2 steps", f"'1 epoch 2 steps' is no length; {EXPECTED}"),
        ("٣ epochs", f"'٣ epochs' is no length; {EXPECTED}"),
        (None, "None is no text; write a length such as '10 epochs'"),
        (
            "1" * 401 + " steps",
            (
                f"'{'1' * 401} steps' has a number of 401 characters; "
                "write at most 400, such as '1e9 records'"
            ),
        ),
    ],
)
def test_refused(text, message):
    """What cannot be read says why and how to write it."""
    with pytest.raises(UnitsError) as raised:
        parse(text)

    assert (message, True) == (str(raised.value), isinstance(raised.value, ValueError))


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (0, "0 is not positive; give more than 0, or None for never"),
        (-1, "'-1' is negative; write a positive number, or None for never"),
        (0.5, "0.5 has no unit; write '0.5 epochs' or a time such as '0.5 min'"),
        (float("nan"), f"'nan' is no length; {EXPECTED}"),
    ],
)
def test_bare_number_that_no_unit_mends(number, message):
    """No number is told to be written as what would be refused, too."""
    with pytest.raises(UnitsError) as raised:
        parse(number)

    assert message == str(raised.value)


def test_bare_number():
    """A number from a configuration file asks for its unit like its text does."""
    with pytest.raises(UnitsError) as raised:
        parse(10)

    assert (
        "10 has no unit; write '10 epochs', '10 steps', '10 batches', '10 records' "
        "or a time such as '10 min'"
    ) == str(raised.value)
