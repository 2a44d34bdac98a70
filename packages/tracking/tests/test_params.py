import argparse
import datetime as dt
import functools
import os
import subprocess
import sys
import types
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from pathlib import Path, PurePosixPath
from textwrap import dedent
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking.errors import InvalidMapping, UnsupportedParam
from treadle_tracking.exact_json import dumps, loads
from treadle_tracking.params import flatten, given_params, plain_params


class Scalar:
    """Stands for a numpy scalar or array, or a tensor: anything with a `tolist`."""

    def __init__(self, value):
        self.value = value

    def tolist(self):
        return self.value


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2**70, 2**70),
        (1e-3, 1e-3),
        ("1e-3", "1e-3"),
        ((1, 2.0), [1, 2.0]),
        ([None, {"a": ()}], [None, {"a": []}]),
        (Path("data/train"), "data/train"),
        (PurePosixPath("a"), "a"),
        (Scalar(0.5), 0.5),
        (Scalar([[1, 2]]), [[1, 2]]),
        ({"deep": {"deeper": 1}}, {"deep": {"deeper": 1}}),
        ({10, 9, "a"}, [9, 10, "a"]),
        (frozenset(), []),
        (dt.date(2026, 11, 22), "2026-11-22"),
        (dt.datetime(2026, 11, 22, 5, tzinfo=dt.UTC), "2026-11-22T05:00:00+00:00"),
        (dt.timedelta(minutes=90), "1:30:00"),
        (Decimal("0.10"), "0.10"),
        (Fraction(1, 3), "1/3"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (types.SimpleNamespace(a=1), {"a": 1}),
        (len, "builtins:len"),
    ],
)
def test_a_parameter_is_kept_as_the_plain_value_it_stands_for(given_value, expected):
    """Paths are texts, tuples are lists, numpy's and torch's are numbers; nothing else changes, nor a type."""
    kept = plain_params({"name": given_value})

    assert repr({"name": expected}) == repr(kept)


def test_numpys_numbers_are_pythons():
    """A numpy scalar is kept as the Python number it is, an array as lists."""
    np = pytest.importorskip("numpy", reason="numpy is no dependency of treadle-tracking")
    kept = plain_params(
        {"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True), "d": np.eye(1)}
    )

    assert repr({"a": 0.5, "b": 3, "c": True, "d": [[1.0]]}) == repr(kept)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"optim": {"betas": [0.9, 1j]}},
            (
                "parameter 'optim.betas[1]' is 1j (complex). Expected None, bool, int, float, str, a path, a function "
                "or class, an attrs or dataclass object, or lists and mappings of these: give str(...) of it"
            ),
        ),
        (
            {"a": {1: "x"}},
            "parameter 'a' has the key 1 (int). Keys are non-empty texts",
        ),
        (
            {"": 1},
            "the mapping of parameters has the key '' (str). Keys are non-empty texts",
        ),
        (
            {"a": {"b": 1}, "a.b": 2},
            (
                "parameter 'a.b' is given twice, nested and with a dot in its key. Give it once: other programs see "
                "only its dotted name"
            ),
        ),
        (
            {"big": 10**5000},
            (
                "parameter 'big' is an integer of 16610 bits, more than Python writes in decimal. Give it as a text in "
                "a base of your choice"
            ),
        ),
    ],
)
def test_what_has_no_exact_form_is_an_error_that_names_it(params, message):
    """The message has the dotted name, what was given, and what to do."""
    with pytest.raises(UnsupportedParam) as caught:
        plain_params(params)

    assert message == str(caught.value)


def test_nested_parameters_have_dotted_names():
    """Flattening joins the names of mappings with dots and leaves lists whole."""
    nested = {"optim": {"name": "adam", "betas": [0.9, 0.99]}, "seed": 1, "empty": {}}

    assert {"optim.name": "adam", "optim.betas": [0.9, 0.99], "seed": 1} == flatten(nested)


@given(st.dictionaries(st.text(min_size=1), st.integers() | st.text()))
def test_flat_parameters_are_as_they_were(params):
    """Without mappings inside, flattening changes nothing."""
    assert params == flatten(plain_params(params))


def test_a_member_of_an_enumeration_is_its_value():
    """A text or number that is a member of an enumeration too is kept as the text or number."""

    class Kind(str, Enum):  # noqa: UP042  # whose `str` is not its text, unlike a StrEnum's
        ADAM = "adam"

    class Size(IntEnum):
        SMALL = 1

    assert "{'adam': ['adam', 1]}" == repr(plain_params({Kind.ADAM: [Kind.ADAM, Size.SMALL]}))


def test_parameters_that_hold_themselves_are_an_error():
    """A circle is no traceback of a thousand lines."""
    circle = {}
    circle["a"] = circle
    with pytest.raises(UnsupportedParam) as caught:
        plain_params(circle)

    assert (
        "parameter 'a' holds itself, or is nested hundreds of levels deep. Give a tree of a few levels"
    ) == str(caught.value)


def test_parameters_that_are_no_mapping_are_an_error():
    """A list is no parameters by name."""
    with pytest.raises(InvalidMapping) as caught:
        plain_params([1])

    assert (
        "params are [1] (list); expected a mapping by name, such as {'lr': 1e-3}, or an attrs or dataclass object"
    ) == str(caught.value)


def test_parsed_arguments_are_parameters():
    """What a parser of the command line gives is taken as it is."""
    assert {"lr": 0.1} == plain_params(argparse.Namespace(lr=0.1))


def test_an_object_that_parses_its_own_text_is_its_text():
    """A value class with `parse` and `__str__`, such as a length, is what it can be read back from."""

    @attrs.frozen
    class Epochs:
        count: int

        @classmethod
        def parse(cls, text):
            return cls(int(text.split()[0]))

        def __str__(self):
            return f"{self.count} epochs"

    assert {"until": "3 epochs"} == plain_params({"until": Epochs(3)})


def augment(image):
    return image


def test_functions_are_told_by_dotted_name():
    """The functions and classes among the parameters are given back, so that their sources can be kept; secrets are not."""

    @attrs.frozen
    class Config:
        hidden: object = attrs.field(default=augment, metadata={"secret": True})
        act: object = len

    step = functools.partial(augment, 1)
    given = given_params(
        {"data": {"augment": augment}, "steps": [step], "config": Config(), "n": 1}
    )

    assert (("data.augment", augment), ("steps[0]", step), ("config.act", len)) == given.functions


def test_a_text_that_reads_as_a_number_is_doubtful():
    """Without a type, a text that reads as a number is named, in a sentence that says what to do; in a list it is not."""
    given = given_params(
        {"optim": {"lr": "1e-3", "betas": ["0.9", {"x": "1"}]}, "seed": "7", "version": "007"}
    )

    assert ("optim.lr", "seed") == given.doubtful
    assert (
        "the run 'baseline' has texts that read as numbers as parameters: 'optim.lr' ('1e-3'), 'seed' ('7'). One text "
        "makes TensorBoard treat that parameter of every run as text: give numbers, such as float('1e-3'), or an attrs "
        "or dataclass object, whose types say what is meant"
    ) == given.notice("baseline")


def test_a_declared_text_is_not_doubtful():
    """A class that declares a text means one, and numbers as numbers need no word."""

    @attrs.frozen
    class Config:
        version: str = "2"
        lr: float = "0.1"
        names: dict[str, str] = attrs.field(factory=lambda: {"a": "1"})

    given = given_params({"config": Config(), "n": 3, "name": "adam"})

    assert () == given.doubtful
    assert given.notice("baseline") is None


def test_many_doubtful_texts_are_counted():
    """Of more than five, five are named."""
    notice = given_params({f"p{index}": "1" for index in range(8)}).notice("r")

    assert "'p4' ('1') and 3 more. One text" in notice
    assert "'p5'" not in notice


SCRIPT = dedent(
    """
    import enum, sys
    from dataclasses import dataclass
    from pathlib import Path
    from treadle_tracking.exact_json import dumps
    from treadle_tracking.params import plain_params

    class Kind(enum.Enum):
        ADAM = 1
    @dataclass
    class Optim:
        kind: Kind = Kind.ADAM
        lr: float = 1e-3
    def augment(image, noise=0.1):
        return image
    sys.stdout.buffer.write(dumps(plain_params({
        "augment": augment, "act": lambda x: x if x in {"a", "b"} else 0, "root": Path("data"), "optim": Optim(),
        "names": {"c", "b", "a"}, "nan": float("nan"),
    })))
    """
)


def test_two_processes_write_the_same_parameters(tmp_path):
    """Functions, lambdas, paths, enumerations and dataclasses are the same bytes in two processes, and read back typed."""
    (tmp_path / "train.py").write_text(SCRIPT)
    said = [
        subprocess.run(
            [sys.executable, "train.py"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    read = loads(said[0])

    assert said[0] == said[1]
    assert said[0] == dumps(read)
    assert ("train:augment", "data", ["a", "b", "c"]) == (
        read["augment"],
        read["root"],
        read["names"],
    )
    assert {"type": "optim", "kind": "ADAM", "lr": 0.001} == read["optim"]
    assert read["act"].startswith("train:<lambda>#")


def test_torchs_values_are_texts():
    """A dtype and a device are what torch calls them, a scalar tensor its number."""
    torch = pytest.importorskip("torch", reason="torch is no dependency of treadle-tracking")
    given = {"dtype": torch.bfloat16, "device": torch.device("cuda:0"), "x": torch.tensor(2.0)}

    assert {"dtype": "torch.bfloat16", "device": "cuda:0", "x": 2.0} == plain_params(given)
