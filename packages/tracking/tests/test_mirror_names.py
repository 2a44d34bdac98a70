"""Names for stores that refuse some."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking.mirrors.names import (
    escape_artifact,
    escape_file,
    escape_key,
    escape_tag,
    is_shortened,
    unescape,
)

# Texts that look like escapes, and every other.
LETTERS = st.sampled_from("_x0040AEMPTYSH256/.@ab \n")
NAMES = st.text(LETTERS) | st.text()
SHORT_NAMES = st.text(LETTERS, max_size=12) | st.text(max_size=12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("val/loss", "val/loss"),
        ("größe_x: 1.5-b", "größe_x: 1.5-b"),
        ("lr@0", "lr_x0040_0"),
        ("a[0]", "a_x005B_0_x005D_"),
        ("a%", "a_x0025_"),
        ("a//b", "a/_x002F_b"),
        ("/a", "_x002F_a"),
        ("a/", "a_x002F_"),
        ("a/../b", "a/_x002E_./b"),
        ("./a", "_x002E_/a"),
        ("..a", "_x002E_.a"),
        ("", "_xEMPTY_"),
        ("a_x0040_", "a_x005F_x0040_"),
        ("a\n", "a_x000A_"),
        ("😀", "_x1F600_"),
    ],
)
def test_a_key_keeps_what_mlflow_takes_and_spells_the_rest(name, expected):
    """A key changes only where MLflow would refuse it."""
    actual = escape_key(name)

    assert expected == actual


@settings(deadline=None)
@given(SHORT_NAMES)
def test_unescape_gives_the_name_back(name):
    """Escaping loses nothing, so different names stay different."""
    actual = [
        unescape(escape(name)) for escape in (escape_key, escape_tag, escape_file, escape_artifact)
    ]

    assert [name] * 4 == actual


@pytest.fixture(scope="module")
def validation():
    return pytest.importorskip(
        "mlflow.utils.validation", reason="needs the extra treadle-tracking[mlflow]"
    )


@settings(deadline=None)
@given(name=NAMES)
def test_escaped_names_are_taken_by_mlflow(validation, name):
    """Every name, whatever is in it, becomes one that MLflow's own check accepts."""
    escaped = escape_key(name * 10)

    assert validation.validate_param_and_metric_name(escaped)
    assert not validation.path_not_unique(escaped)


def test_nothing_of_the_users_takes_the_place_of_ours():
    """A tag or file that is named as ours are is spelled otherwise, within the limit; its neighbours are not."""
    tag = "treadle." + "a" * 242

    assert 250 == len(escape_tag(tag)) == len(tag)
    assert ("_x0074_readle.uid", "treadle") == (escape_tag("treadle.uid"), escape_tag("treadle"))
    assert ["_x0070_arams.json", "_x0074_exts/a", "_x0068_istograms/a", "_x0069_mages"] == [
        escape_artifact(path) for path in ("params.json", "texts/a", "histograms/a", "images")
    ]
    assert ["images/a", "texts.txt", "a/texts", "tables/a.json"] == [
        escape_artifact(path) for path in ("images/a", "texts.txt", "a/texts", "tables/a.json")
    ]


def test_a_long_name_ends_in_a_digest_of_all_of_it():
    """Two names that differ only beyond the limit stay different, and within the limit."""
    one, other = escape_key("a" * 300), escape_key("a" * 300 + "b")

    assert (True, True, 250, 250, True) == (
        is_shortened(one),
        is_shortened(other),
        len(one),
        len(other),
        one != other,
    )


def test_a_name_that_pretends_to_be_shortened_is_not():
    """Only a name that was cut reads as cut."""
    name = "a_xSHA256_" + "0" * 32

    escaped = escape_key(name)

    assert (False, name) == (is_shortened(escaped), unescape(escaped))


def test_a_shortened_name_stays_as_it_is():
    """What cannot be turned back is not turned into something else."""
    escaped = escape_key("@" * 300)

    assert escaped == unescape(escaped)


def test_a_foreign_name_beyond_unicode_stays_as_it_is():
    """A name that somebody else wrote never raises."""
    assert "_x110000_" == unescape("_x110000_")
