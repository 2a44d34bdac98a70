"""Changes of lists on the command line, over what weaker layers give."""

import pytest
from attrs import Factory, field, frozen

from treadle_config import layer, link, linked, load, resolve, setting


@frozen
class Block:
    width: int = 8
    tags: list[str] = Factory(lambda: ["t"])


@frozen
class Inner:
    sizes: list[int] = Factory(lambda: [1, 2])


@frozen
class Model:
    layers: list[int] = Factory(lambda: [1, 2])
    betas: tuple[float, float] = (0.9, 0.99)
    grid: list[list[int]] = Factory(lambda: [[1], [2, 3]])
    flags: list[bool] = Factory(lambda: [True, True])
    names: frozenset[str] = frozenset({"a"})
    blocks: list[Block] = Factory(lambda: [Block(1), Block(2)])
    by_name: dict[str, list[int]] = Factory(lambda: {"a": [1]})
    grown: list[str] = field(factory=lambda: ["d"], metadata=setting(merge="append"))
    either: str | list[str] = "x"
    maybe: list[int] | None = None
    inner: Inner = Inner([7, 8])
    first: list[int] = link(lambda layers: layers[:1], "layers")


@pytest.mark.parametrize(
    ("argv", "name", "expected"),
    [
        ("--layers 5", "layers", [5]),
        ("--layers+=5", "layers", [1, 2, 5]),
        ("--layers+ 5", "layers", [1, 2, 5]),
        ("--layers+=5 --layers+=6", "layers", [1, 2, 5, 6]),
        ("--layers[0]=9", "layers", [9, 2]),
        ("--layers[1] 9", "layers", [1, 9]),
        ("--layers[-1]=9", "layers", [1, 9]),
        ("--layers+=5 --layers[-1]=9", "layers", [1, 2, 9]),
        ("--layers[-1]=9 --layers+=5", "layers", [1, 9, 5]),
        ("--betas[1]=.5", "betas", (0.9, 0.5)),
        ("--names+=b", "names", {"a", "b"}),
        ("--flags[0]=no", "flags", [False, True]),
        ("--no-flags[1]", "flags", [True, False]),
        ("--flags+ --flags+ off", "flags", [True, True, True, False]),
        ("--maybe+=3", "maybe", [3]),
        ("--either=[] --either+=b", "either", ["b"]),
        ("--inner.sizes+=9", "inner", Inner([7, 8, 9])),
        ("--by-name.a+=2 --by-name.b+=3", "by_name", {"a": [1, 2], "b": [3]}),
        ("--grid[0]+=7 --grid[1][-1]=0", "grid", [[1, 7], [2, 0]]),
        ("--grid+ [4,5] --grid+ 6 --grid[-1]+=7", "grid", [[1], [2, 3], [4, 5], [6, 7]]),
        ("--grid[0] 5 --grid[0] 6", "grid", [[5, 6], [2, 3]]),
        (
            "--blocks[0].width 9 --blocks[-1].tags+=u",
            "blocks",
            [Block(9), Block(2, ["t", "u"])],
        ),
        ('--blocks[0] {"width":9}', "blocks", [Block(9), Block(2)]),
        (
            "--blocks+ {} --blocks[-1].tags a --blocks+ {} --blocks[-1].tags b",
            "blocks",
            [Block(1), Block(2), Block(8, ["a"]), Block(8, ["b"])],
        ),
        ("--blocks:=[{}] --blocks[0].tags+=u", "blocks", [Block(8, ["t", "u"])]),
    ],
)  # fmt: skip
def test_a_change_leaves_the_rest_of_the_list_as_it_was(argv, name, expected):
    """What weaker layers give, the default included, is changed and not replaced."""
    actual = load(Model, argv=argv.split())

    assert expected == getattr(actual, name)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("--layers 5 --layers 6", [5, 6]),
        ("--layers 5 --layers+=6", [5, 6]),
        ("--layers 5 --layers+=6 --layers 7", [5, 6, 7]),
        ("--layers 5 --layers[0]=9 --layers 7", [9, 7]),
        ("--layers [7,8] --layers[1]=0", [7, 0]),
        ("--layers+=6 --layers 5", [5]),
        ("--layers[0]=6 --layers 5 --layers 4", [5, 4]),
        ("--layers[0]=6 --layers [7,8]", [7, 8]),
        ("--layers+=6 --layers:=[7,8]", [7, 8]),
        ("--layers:=[7] --layers 8", [7, 8]),
    ],
)
def test_lists_and_changes_are_taken_in_the_order_of_argv(argv, expected):
    """A list begins with its first plain flag; what stood before it is gone."""
    assert expected == load(Model, argv=argv.split()).layers


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("--grown a", "d f a"),
        ("--grown+=a", "d f a"),
        ("--grown a --grown+=b", "d f a b"),
        ("--grown[0]=a", "a f"),
        ('--grown:=["a"]', "a"),
        ('--grown:=["a"] --grown+=b', "a b"),
    ],
)
def test_an_appended_list_is_changed_as_others_are(argv, expected):
    """`:=` says exactly this, and that nothing weaker is added."""
    actual = load(Model, {"grown": ["f"]}, argv=argv.split())

    assert expected.split() == actual.grown


def test_changes_are_made_to_what_weaker_layers_give(written):
    """Whichever layer that is, wherever in argv the file is named."""
    name = written("a.json", '{"layers": [4], "blocks": [{"width": 3}]}')

    actual = load(
        Model,
        {"layers": [7, 8]},
        argv=["--layers+=9", "--config", name, "--blocks[0].tags+=u"],
    )

    assert ([7, 8, 9], [Block(3, ["t", "u"])]) == (actual.layers, actual.blocks)


def test_each_item_keeps_its_source(written):
    """What was not changed still comes from where it was."""
    name = written("a.json", '{"layers": [4,\n 5]}')

    actual = resolve(Model, name, argv=["--layers[0]=3", "--layers+=9", "--blocks[1].width=7"])

    assert [
        "cli --layers[0]",
        "file a.json:2",
        "cli --layers+",
        "default",
        "cli --blocks[1].width",
        "default",
    ] == [
        str(actual.source(path))
        for path in (
            "layers[0]",
            "layers[1]",
            "layers[2]",
            "blocks[0].width",
            "blocks[1].width",
            "blocks[1].tags",
        )
    ]


def test_links_follow_a_changed_list():
    """A link is computed after all layers."""
    assert [9] == load(Model, argv=["--layers[0]=9"]).first


@frozen
class Late:
    base: int = 1
    followed: list[int] = link(lambda base: [base], "base")
    inner: Inner = field()
    chosen: Inner = linked(Inner, sizes=link(lambda base: [base], "base"))
    other: list[int] = field(kw_only=True)

    @inner.default
    def _inner(self) -> Inner:
        return Inner([self.base])


LATE = "its default is computed after all layers; give the whole list"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (
            "--layers[2]=9",
            (
                "layers[2] (cli --layers[2]): expected the index of an item, got 2; "
                "the list has 2 items here"
            ),
        ),
        (
            "--layers[-3]=9",
            (
                "layers[-3] (cli --layers[-3]): expected the index of an item, got -3; "
                "the list has 2 items here"
            ),
        ),
        (
            "--blocks [] --blocks[0].width 9",
            (
                "blocks[0] (cli --blocks[0].width): expected the index of an item, got 0; "
                "the list has 0 items here"
            ),
        ),
        (
            "--maybe[0]=9",
            (
                "maybe[0] (cli --maybe[0]): expected the index of an item, got 0; "
                "the list has 0 items here"
            ),
        ),
        ("--layers+=x", "layers[2] (cli --layers+): expected int, got x"),
        ("--layers[1]=x", "layers[1] (cli --layers[1]): expected int, got x"),
        ("--blocks[0].width", "blocks[0].width (cli --blocks[0].width): expected int, got nothing"),
        ("--layers+", "layers (cli --layers+): expected int, got nothing"),
        (
            "--betas+=1",
            (
                "betas (cli --betas+): expected tuple[float, float], got a list; "
                "it has 3 items instead of 2"
            ),
        ),
        (
            "--either+=b",
            (
                "either (cli --either+): expected a list to change, got 'x'; "
                "that is of default; give the whole list"
            ),
        ),
        (
            "--names[0]=b",
            (
                "names[0] (cli --names[0]): expected the flag of a setting, got '--names[0]'; "
                "the items of a set have no index; add one with --names+=VALUE"
            ),
        ),
        (
            "--layers[x]=b",
            (
                "layers[x] (cli --layers[x]): expected the flag of a setting, got '--layers[x]'; "
                "an item is --layers[0]; add one with --layers+=VALUE"
            ),
        ),
        (
            "--layers[1234567890]=1",
            (
                "layers[1234567890] (cli --layers[1234567890]): expected the flag of a setting, "
                "got '--layers[1234567890]'; an item is --layers[0]; add one with --layers+=VALUE"
            ),
        ),
        (
            "--inner+=1",
            (
                "inner+ (cli --inner+): expected the flag of a setting, got '--inner+'; "
                "inner is not a list but Inner"
            ),
        ),
        (
            "--blocks[0].widht=1",
            (
                "blocks[0].widht (cli --blocks[0].widht): expected the flag of a setting, "
                "got '--blocks[0].widht'; did you mean --blocks[0].width?"
            ),
        ),
        (
            "--first+=1",
            f"first (cli --first+): expected a whole list, got a change of it; {LATE}",
        ),
    ],
)
def test_a_change_that_cannot_be_made_is_a_problem(argv, expected, said):
    """With its index, and how long the list is."""
    assert [expected] == said(load, Model, argv=argv.split())


def test_a_default_that_is_computed_late_cannot_be_changed(said):
    """Neither a link's, nor one within what a decorated default or `linked` makes."""
    actual = said(
        load, Late, argv=["--followed+=1", "--inner.sizes[0]=1", "--chosen.sizes+=1", "--other+=1"]
    )

    assert [
        f"followed (cli --followed+): expected a whole list, got a change of it; {LATE}",
        f"inner.sizes (cli --inner.sizes[0]): expected a whole list, got a change of it; {LATE}",
        f"chosen.sizes (cli --chosen.sizes+): expected a whole list, got a change of it; {LATE}",
    ] == actual


def test_what_is_given_for_a_late_default_can_be_changed():
    """Then it is known what there is to change; and a list that is required begins empty."""
    actual = load(
        Late,
        {"followed": [4], "inner": {"sizes": [5]}, "chosen": {"sizes": [6]}},
        argv=["--followed+=1", "--inner.sizes[0]=1", "--chosen.sizes+=1", "--other+=1"],
    )

    assert Late(1, [4, 1], Inner([1]), Inner([6, 1]), other=[1]) == actual


def test_a_change_of_what_must_win_is_a_problem(said):
    """It would no longer be what the layer says."""
    searched = layer("trial", {"layers": [4]}, at="code", must_win=True)

    assert [
        (
            "layers (cli --layers+): expected a list of trial, which must win, got a list; "
            "remove one of the two"
        )
    ] == said(load, Model, searched, argv=["--layers+=5"])


def test_a_key_of_a_dict_may_look_like_a_change():
    """Where no list can be meant."""

    @frozen
    class Table:
        table: dict[str, float] = Factory(dict)

    actual = load(Table, argv=["--table.a[0]=1", "--table.c+", "2"])

    assert {"a[0]": 1.0, "c+": 2.0} == actual.table


def test_a_list_below_a_decorated_default_is_appended_once():
    """The default is laid below all layers at the end."""

    @frozen
    class Adding:
        runs: list[str] = field(factory=lambda: ["class"], metadata=setting(merge="append"))

    @frozen
    class Holder:
        base: str = "b"
        adding: Adding = field()

        @adding.default
        def _adding(self) -> Adding:
            return Adding([self.base])

    actual = load(Holder, {"adding": {"runs": ["code"]}}, argv=["--adding.runs", "cli"])

    assert ["b", "code", "cli"] == actual.adding.runs
