"""dump, then load, is the identity."""

import datetime as dt
import enum
import math
from collections import deque
from decimal import Decimal
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import UUID

import pytest
from attrs import asdict, field, frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle_config import Codecs, TreadleConfigError, diff, dump, load


class Mode(enum.Enum):
    FAST = "slow"
    SLOW = "fast"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Crop(NamedTuple):
    size: int
    name: str


@frozen
class Leaf:
    number: float = 0.0
    text: str = ""


@frozen
class Other:
    text: str | None = "a"
    either: int | float | str | bool | None = None


@frozen
class Whole:
    required: int
    one: Leaf | Other = Leaf()
    many: list[Leaf | Other] = field(factory=list)
    by_name: dict[str, Leaf] = field(factory=dict)
    by_number: dict[int, float | None] = field(factory=dict)
    pair: tuple[int, str] = (1, "a")
    unordered: frozenset[int] = frozenset()
    mode: Mode = Mode.FAST
    literal: Literal[1, "1", True] | None = 1
    path: Path = Path("a")
    when: dt.datetime | None = None
    ratio: Fraction = Fraction(1, 2)
    maybe: Leaf | None = Leaf(3)
    flag: bool | None = True
    access: Access = Access.READ
    day: dt.date = dt.date(2000, 1, 1)
    hour: dt.time | None = None
    length: dt.timedelta = dt.timedelta(0)
    exact: Decimal = Decimal(0)
    key: UUID | None = None
    named: Mode | float | None = None
    nested: dict[str, dict[int, list[tuple[bool, str | None]]]] | None = None
    texts: frozenset[str] = frozenset()
    anything: Any = None
    crop: Crop = Crop(1, "a")  # noqa: RUF009  # a tuple, which never changes
    recent: deque[float | None] = field(factory=deque)


CODECS = Codecs()
"""Kept for all examples, so that the classes are planned once."""

texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8
) | st.sampled_from(
    ["no", "null", "~", "1e-3", "1_000", "0x1F", "12:30", " lead", "#x", "a: b", "", "true", "nan"]
)
floats = st.floats()
leafs = st.builds(Leaf, floats, texts)
others = st.builds(
    Other, st.none() | texts, st.none() | st.booleans() | st.integers() | floats | texts
)
wholes = st.builds(
    Whole,
    required=st.integers(),
    one=leafs | others,
    many=st.lists(leafs | others, max_size=2),
    by_name=st.dictionaries(texts, leafs, max_size=2),
    by_number=st.dictionaries(st.integers(), st.none() | floats, max_size=2),
    pair=st.tuples(st.integers(), texts),
    unordered=st.frozensets(st.integers(), max_size=3),
    mode=st.sampled_from(Mode),
    literal=st.sampled_from([1, "1", None, True]),
    path=texts.filter(lambda text: "\0" not in text).map(Path),
    # ISO 8601 has no word for the second pass through an hour, python's fold.
    when=st.none() | st.datetimes().map(lambda when: when.replace(fold=0)),
    ratio=st.fractions(),
    maybe=st.none() | leafs,
    flag=st.none() | st.booleans(),
    access=st.sampled_from([Access(0), Access.READ, Access.READ | Access.WRITE]),
    day=st.dates(),
    hour=st.none() | st.times().map(lambda hour: hour.replace(fold=0)),
    length=st.timedeltas(),
    exact=st.decimals(),
    key=st.none() | st.uuids(),
    named=st.none() | st.sampled_from(Mode) | floats,
    nested=st.none()
    | st.dictionaries(
        texts,
        st.dictionaries(
            st.integers(),
            st.lists(st.tuples(st.booleans(), st.none() | texts), max_size=2),
            max_size=1,
        ),
        max_size=1,
    ),
    texts=st.frozensets(texts, max_size=2),
    anything=st.none() | st.booleans() | st.integers() | floats | texts | st.just([1, {"a": None}]),
    crop=st.builds(Crop, st.integers(), texts),
    recent=st.lists(st.none() | floats, max_size=2).map(deque),
)


def typed(config: Whole) -> str:
    """The config with its types showing: `1 == True == 1.0` would hide a loss."""

    def ordered(_instance, _field, value):
        return sorted(value) if isinstance(value, frozenset) else value

    return repr(asdict(config, value_serializer=ordered))


SUFFIXES = ["json", "yaml"] if find_spec("yaml") else ["json"]


@given(wholes)
@settings(max_examples=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_config_is_read_back_as_it_was(tmp_path, config):
    """From a dict, from JSON and, where that is installed, from YAML: every value, with its type."""
    written = [dump(config, codecs=CODECS)]
    for suffix in SUFFIXES:
        written.append(tmp_path / f"a.{suffix}")
        dump(config, written[-1], codecs=CODECS)

    actual = [typed(load(Whole, one, codecs=CODECS)) for one in written]

    assert [typed(config)] * len(written) == actual


@pytest.mark.parametrize("text", ["no", "null", "~", "1e-3", "1_000", "0x1F", "1", "nan", ".inf"])
@pytest.mark.usefixtures("yaml")
def test_text_that_looks_like_something_else_is_quoted_in_yaml(text, tmp_path):
    """In a union with numbers, only quotes keep it text."""
    path = tmp_path / "a.yaml"
    dump(Other(either=text), path)

    assert text == load(Other, path).either


@pytest.mark.parametrize("suffix", ["json", "yaml"])
@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_is_read_back(number, suffix, tmp_path):
    """In JSON it is python's own word for it."""
    if suffix == "yaml":
        pytest.importorskip("yaml", reason="needs the extra treadle-config[yaml]")
    config = Whole(1, one=Leaf(number))
    path = tmp_path / f"a.{suffix}"

    dump(config, path)

    assert {} == diff(config, load(Whole, path))


def test_a_none_over_a_default_is_kept(schemas, tmp_path):
    """None is a value."""
    config = schemas.Config(seed=None)

    dump(config, tmp_path / "a.json")

    assert None is load(schemas.Config, tmp_path / "a.json").seed


def test_a_file_is_written_with_the_usual_mode(tmp_path):
    """Others may read it as they may any new file, and text that is no UTF-8 survives."""
    (tmp_path / "plain").touch()
    config = Leaf(text="\udcff")

    dump(config, tmp_path / "a.json")

    assert ((tmp_path / "plain").stat().st_mode, config) == (
        (tmp_path / "a.json").stat().st_mode,
        load(Leaf, tmp_path / "a.json"),
    )


def test_a_file_that_cannot_be_written_leaves_what_was_there(schemas, tmp_path):
    """Neither a wrong suffix nor a folder in the way leaves a half-written file."""
    (tmp_path / "a.json").write_text("before")
    (tmp_path / "b.json").mkdir()

    with pytest.raises(TreadleConfigError) as caught:
        dump(schemas.Config(), tmp_path / "a.toml")
    with pytest.raises(OSError, match="directory"):
        dump(schemas.Config(), tmp_path / "b.json")

    assert (
        ["a.json", "b.json"],
        "before",
        (
            f"{tmp_path / 'a.toml'} has the suffix '.toml'; a config is written as "
            ".json, .yaml or .yml"
        ),
    ) == (
        sorted(one.name for one in tmp_path.iterdir()),
        (tmp_path / "a.json").read_text(),
        str(caught.value),
    )


@pytest.mark.usefixtures("yaml")
def test_text_that_yaml_cannot_hold_is_refused_when_it_is_written(tmp_path):
    """Half a surrogate would make a file that cannot be read."""
    with pytest.raises(TreadleConfigError) as caught:
        dump(Leaf(text="a\udcff"), tmp_path / "a.yaml")

    assert (
        (
            "'a\\udcff' holds a lone surrogate, like a file name that is not UTF-8, and "
            "YAML has no way to write it; write a .json file"
        ),
        [],
    ) == (str(caught.value), list(tmp_path.iterdir()))
