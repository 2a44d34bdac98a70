"""Dumps of a resolution: what is written beside the values, and what reading it does."""

import json
from pathlib import Path

import pytest
from attrs import Factory, evolve, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from treadle_config import Codecs, diff, dump, layer, link, linked, load, resolve, setting


@frozen
class Adam:
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)


@frozen
class Block:
    width: int = 4
    hidden: int = link(lambda width: 4 * width, "width")
    marks: dict[str, int] = Factory(lambda: {"d": 1})


@frozen
class Config:
    size: int = 32
    optim: Adam | Block = linked(Adam, lr=link(lambda size: size / 8, "size"))
    warmup: int = link(lambda size: 3_200 // size, "size")
    half: int = field()
    splits: dict[str, float] = Factory(lambda: {"train": 0.8, "val": 0.2})
    flags: list[str] = field(factory=lambda: ["d"], metadata=setting(merge="append"))
    blocks: list[Block] = Factory(list)
    named: dict[str, Block] = Factory(dict)
    seed: int | None = 7

    @half.default
    def _half(self):
        return self.warmup // 2


GIVEN = {"size": 64, "blocks": [{"width": 2}, {"hidden": 9}], "flags": ["x"], "seed": None}


def test_the_source_dump_holds_what_layers_said():
    """Loaded again it makes an equal config, with its links alive and its defaults defaults."""
    resolution = resolve(Config, GIVEN)

    actual = resolution.dump("source")

    assert (
        {
            **GIVEN,
            "flags": ["d", "x"],
            "treadle-config": {"precedence": "code_over_file", "whole": ["flags"]},
        },
        resolution.config,
        400,
        8,
    ) == (
        actual,
        load(Config, actual),
        resolve(Config, actual).replace({"size": 8}).config.warmup,
        resolve(Config, actual).replace({"size": 8}).config.blocks[0].hidden,
    )


def test_the_source_dump_goes_into_dicts_of_objects():
    """An entry that is an object holds what was said of it, and its defaults stay out."""
    resolution = resolve(Config, {"named": {"a": {"width": 3}}})

    actual = resolution.dump("source")

    assert ({"a": {"width": 3}}, resolution.config) == (actual["named"], load(Config, actual))


def test_the_resolved_dump_holds_every_value_and_says_which_are_linked():
    """What was given is not among those, also where a link would give the same."""
    resolution = resolve(Config, GIVEN, argv=["--half", "25"])

    actual = resolution.dump("resolved")

    assert {
        "size": 64,
        "optim": {"type": "adam", "lr": 8.0, "betas": [0.9, 0.999]},
        "warmup": 50,
        "half": 25,
        "splits": {"train": 0.8, "val": 0.2},
        "flags": ["d", "x"],
        "blocks": [
            {"width": 2, "hidden": 8, "marks": {"d": 1}},
            {"width": 4, "hidden": 9, "marks": {"d": 1}},
        ],
        "named": {},
        "seed": None,
        "treadle-config": {
            "precedence": "code_over_file",
            "linked": ["optim.lr", "warmup", "blocks[0].hidden"],
            "whole": ["flags"],
        },
    } == actual


@pytest.mark.parametrize("suffix", ["json", "yaml"])
@pytest.mark.parametrize("values", ["source", "resolved"])
def test_links_in_a_dump_are_live(values, suffix, tmp_path):
    """What is given for their inputs is followed, from a file of either format."""
    if suffix == "yaml":
        pytest.importorskip("yaml", reason="needs the extra treadle-config[yaml]")
    path = tmp_path / f"out.{suffix}"
    resolution = resolve(Config, GIVEN)
    written = resolution.dump(values, path)

    actual = load(Config, path, argv=["--size", "16"])

    assert (resolution.config, resolution.config, Adam(2.0), 200, 100, 8, 9) == (
        load(Config, path),
        load(Config, written),
        actual.optim,
        actual.warmup,
        actual.half,
        actual.blocks[0].hidden,
        actual.blocks[1].hidden,
    )


def test_a_link_that_was_given_a_value_stays_pinned_in_a_dump():
    """Its value is in both kinds, and no input moves it."""
    resolution = resolve(Config, {"warmup": 3, "optim.lr": 9})

    actual = [
        load(Config, resolution.dump(values), {"size": 8}) for values in ("source", "resolved")
    ]

    assert [(3, 9.0)] * 2 == [(one.warmup, one.optim.lr) for one in actual]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"warmup": 51}, (64, 51, 25)),
        ({"size": 100}, (100, 50, 25)),
        ({"warmup": 51, "half": 26}, (64, 51, 26)),
    ],
)
def test_a_dump_that_was_changed_says_what_stands_in_it(changes, expected):
    """A linked value that its link does not give any more is one that was given."""
    written = resolve(Config, {"size": 64}).dump("resolved")

    actual = load(Config, written | changes)

    assert expected == (actual.size, actual.warmup, actual.half)


def test_an_object_that_a_link_gives_stays_live_in_a_dump():
    """As a whole."""

    @frozen
    class Holder:
        size: int = 1
        optim: Adam = link(lambda size: Adam(lr=size), "size")

    resolution = resolve(Holder, {"size": 2})
    written = resolution.dump("resolved")
    changed = written | {"optim": {"lr": 5.0}}

    assert (["optim"], Holder(2), Holder(3), Adam(5.0)) == (
        written["treadle-config"]["linked"],
        load(Holder, written),
        load(Holder, written, {"size": 3}),
        load(Holder, changed).optim,
    )


def test_an_object_of_which_nothing_was_said_is_there_in_a_source_dump():
    """It was made by a mapping that is empty."""

    @frozen
    class Outer:
        inner: Adam | None = None

    resolution = resolve(Outer, {"inner": {}})

    assert Outer(Adam()) == load(Outer, resolution.dump("source"))


@pytest.mark.parametrize("values", ["source", "resolved"])
def test_what_a_link_in_a_layer_gave_is_written_as_a_value(values):
    """No file can hold the link, and nothing is lost."""
    resolution = resolve(Config, {"size": link(lambda seed: seed * 8, "seed"), "seed": 2})

    actual = load(Config, resolution.dump(values))

    assert (resolution.config, 16) == (actual, actual.size)


@pytest.mark.parametrize(
    "config",
    [
        Config(splits={}, flags=[], blocks=[Block(marks={})], named={"a": Block(marks={"e": 2})}),
        Config(splits={"val": 0.2}, flags=["x", "d"]),
        Config(splits={"more": 1.0, "train": 0.8, "val": 0.2}, flags=["d", "d"]),
    ],
)
def test_a_dump_is_complete_where_defaults_would_be_added(config):
    """A dict that lacks entries of its default, and a list that layers add to."""
    actual = [
        load(Config, dump(config)),
        load(Config, resolve(Config, config).dump("source")),
        load(Config, resolve(Config, config).dump("resolved")),
    ]

    assert [config] * 3 == actual


def test_a_plain_dump_says_only_what_is_needed():
    """Values, all of them pinned, and what is complete where reading would add to it."""
    actual = [
        dump(evolve(Config(), splits={}))["treadle-config"],
        load(Config, dump(Config(flags=[])), {"size": 64}).warmup,
        dump(Adam()),
    ]

    assert [{"whole": ["splits", "flags"]}, 100, {"lr": 0.001, "betas": [0.9, 0.999]}] == actual


def test_what_is_complete_is_added_to_by_stronger_layers_only():
    """It is a layer like others, save that nothing weaker comes through."""
    written = dump(evolve(Config(), splits={"a": 1.0}, flags=["b"]))

    actual = load(
        Config, {"splits": {"weak": 0.0}, "flags": ["weak"]}, written, {"splits": {"c": 2.0}}
    )

    assert ({"a": 1.0, "c": 2.0}, ["b"]) == (actual.splits, actual.flags)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            3,
            "treadle-config (x): expected a mapping of precedence, linked, whole, text, secret, got 3",
        ),
        (
            {"precedenc": "code_over_file"},
            (
                "treadle-config.precedenc (x): expected one of precedence, linked, whole, text, secret, "
                "got 'precedenc'; did you mean precedence?"
            ),
        ),
        (
            {"precedence": "cli_first"},
            (
                "treadle-config.precedence (x): expected one of code_over_file, file_over_code, "
                "got 'cli_first'"
            ),
        ),
        ({"linked": "warmup"}, "treadle-config.linked (x): expected a list of paths, got 'warmup'"),
        ({"whole": [3]}, "treadle-config.whole (x): expected a list of paths, got a list"),
    ],
)
def test_a_wrong_header_is_a_problem(header, expected, said):
    """With where it stands."""
    actual = said(load, Config, layer("x", {"treadle-config": header}, at="code"))

    assert [expected] == actual


def test_a_wrong_header_in_a_file_has_its_line(written, said):
    """As any value of a file."""
    name = written("a.json", '{"size": 1,\n "treadle-config": {\n  "linked": 3}}')

    assert ["treadle-config.linked (file a.json:3): expected a list of paths, got 3"] == said(
        load, Config, name
    )


def test_a_header_that_names_what_is_gone_changes_nothing():
    """A field that was removed from the file, or from the schema, follows no link."""
    header = {"linked": ["warmup", "gone", "blocks[3].hidden"], "whole": ["gone", "flags"]}

    actual = load(Config, {"size": 64, "treadle-config": header})

    assert Config(size=64) == actual


def test_the_policy_is_recorded_and_another_one_is_named(written):
    """The argument decides; `explain` says under which one the dump was written."""
    path = Path(written("out.json", "{}"))
    resolve(Config, precedence="file_over_code").dump("source", path)

    actual = [
        resolve(Config, "out.json", precedence=precedence).explain().splitlines()[:2]
        for precedence in ("file_over_code", "code_over_file")
    ]

    assert (
        {"treadle-config": {"precedence": "file_over_code"}},
        [
            ["precedence file_over_code: default < code < file < env < cli", ""],
            [
                "precedence code_over_file: default < file < env < code < cli",
                "out.json was written under file_over_code",
            ],
        ],
    ) == (json.loads(path.read_text()), actual)


def test_a_dump_of_something_else_is_refused():
    """With the two that there are."""
    with pytest.raises(ValueError, match="give") as caught:
        resolve(Config).dump("all")

    assert 'dump(\'all\'): give "source" or "resolved"' == str(caught.value)


_NUMBERS = st.floats(allow_nan=True)
_BLOCKS = st.builds(
    Block, st.integers(), marks=st.dictionaries(st.sampled_from("de."), st.integers(), max_size=2)
)
_CONFIGS = st.builds(
    Config,
    size=st.integers(1, 100),
    optim=st.builds(Adam, _NUMBERS, st.tuples(_NUMBERS, _NUMBERS)) | _BLOCKS,
    splits=st.dictionaries(st.sampled_from(["train", "val", "a.b"]), _NUMBERS),
    flags=st.lists(st.sampled_from("dx"), max_size=3),
    blocks=st.lists(_BLOCKS, max_size=2),
    named=st.dictionaries(st.sampled_from("ab"), _BLOCKS, max_size=2),
    seed=st.none() | st.integers(),
)
_CODECS = Codecs()


@given(_CONFIGS)
def test_a_config_does_not_differ_from_its_dump(config):
    """Whatever was dumped, and how."""
    resolution = resolve(Config, config, codecs=_CODECS)
    dumps = [
        dump(config, codecs=_CODECS),
        json.loads(json.dumps(resolution.dump("source"))),
        json.loads(json.dumps(resolution.dump("resolved"))),
    ]

    actual = [diff(config, load(Config, one, codecs=_CODECS), codecs=_CODECS) for one in dumps]

    assert [{}, {}, {}] == actual
