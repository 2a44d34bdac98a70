from enum import Enum

import pytest

from treadle_tracking.errors import InvalidMapping, InvalidName
from treadle_tracking.names import checked_name, checked_tags


class Kind(str, Enum):  # noqa: UP042  # whose `str` is not its text, unlike a StrEnum's
    TRAIN = "train"


def test_a_member_of_an_enumeration_is_its_text():
    """Where `str` would say something else of a text, the text counts."""
    assert ("train", {"train": "train"}) == (
        checked_name("the name of a metric", Kind.TRAIN),
        checked_tags({Kind.TRAIN: Kind.TRAIN}),
    )


def test_what_is_no_mapping_is_an_error():
    """The message shows what was given, and a mapping."""
    with pytest.raises(InvalidMapping) as caught:
        checked_tags(["a"])

    assert ("tags are ['a'] (list); expected a mapping by name, such as {'dataset': 'v2'}") == str(
        caught.value
    )


@pytest.mark.parametrize("name", ["", "a\ud800", 3, None])
def test_what_is_no_name_is_an_error(name):
    """The message quotes what was given and says what a name is."""
    with pytest.raises(InvalidName) as caught:
        checked_name("the name of a metric", name)

    assert (
        f"the name of a metric is {name!r}; expected a text of at least one character that UTF-8 can write"
    ) == str(caught.value)


def test_tags_are_texts():
    """A tag may be empty; what is no text is an error that names the tag."""
    with pytest.raises(InvalidName) as caught:
        checked_tags({"note": "", "seed": 1})

    assert {"note": ""} == checked_tags({"note": ""})
    assert (
        "the value of tag 'seed' is 1; expected a text of at least one character that UTF-8 can write. "
        "Give str(…) of it"
    ) == str(caught.value)
