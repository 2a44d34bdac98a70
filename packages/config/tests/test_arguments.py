"""The command line's tokens: what each form means, and what is refused."""

import pytest
from attrs import field, frozen

from treadle_config import SchemaError, load, resolve, setting


@frozen
class Inner:
    use_cache: bool = True
    learning_rate: float = 0.1
    names: list[str] = field(factory=list)


@frozen
class Outer:
    inner: Inner = Inner()
    verbose: bool = False
    track: list[str] = field(factory=lambda: ["a"])
    device: str | None = "cpu"
    no_wait: bool = False
    amount: int = 0
    table: dict[str, float] = field(factory=dict)
    either: str | list[str] = "x"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--inner.learning-rate", "3"], Outer(Inner(learning_rate=3))),
        (["--inner.learning_rate=3"], Outer(Inner(learning_rate=3))),
        (["--inner.learning-rate=-3"], Outer(Inner(learning_rate=-3))),
        (["--amount", "-3"], Outer(amount=-3)),
        (["--amount", "3", "--amount", "4"], Outer(amount=4)),
        (["--verbose"], Outer(verbose=True)),
        (["--verbose", "no"], Outer(verbose=False)),
        (["--verbose", "--amount", "1"], Outer(verbose=True, amount=1)),
        (["--verbose=on"], Outer(verbose=True)),
        (["--no-inner.use-cache"], Outer(Inner(use_cache=False))),
        (["--no-inner.use_cache", "--inner.use-cache"], Outer(Inner(use_cache=True))),
        (["--no-wait"], Outer(no_wait=True)),
        (["--no-no-wait"], Outer(no_wait=False)),
        (["--no-device"], Outer(device=None)),
        (["--device="], Outer(device="")),
        (["--device", "a=b"], Outer(device="a=b")),
        (["--device=--x"], Outer(device="--x")),
        (["--track", "b"], Outer(track=["b"])),
        (["--track", "b", "--track", "c"], Outer(track=["b", "c"])),
        (["--track", "b", "--track", '["c"]'], Outer(track=["c"])),
        (["--track", '["b"]', "--track", "c"], Outer(track=["b", "c"])),
        (["--track", "[]"], Outer(track=[])),
        (["--inner", '{"names": ["x"]}', "--inner.use-cache=0"], Outer(Inner(False, names=["x"]))),
        (["--inner.use-cache=0", "--inner", '{"names": ["x"]}'], Outer(Inner(False, names=["x"]))),
        (["--table.my-key", "1"], Outer(table={"my-key": 1.0})),
        (["--table.a.b", "1"], Outer(table={"a.b": 1.0})),
        (["--table", '{"a": 1}', "--table.b", "2"], Outer(table={"a": 1.0, "b": 2.0})),
        (["--either", "a"], Outer(either="a")),
        (["--either", "a", "--either", "b"], Outer(either=["a", "b"])),
        (["--either", '["a"]'], Outer(either=["a"])),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_each_form_of_a_flag_has_one_meaning(argv, expected):
    """Position means nothing, save among flags of one name."""
    assert expected == load(Outer, argv=argv)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["amount=3"], "cli argv[1]: expected a flag such as --name VALUE, got 'amount=3'"),
        (["-v"], "cli argv[1]: expected a flag such as --name VALUE, got '-v'"),
        (
            ["--amou", "3"],
            (
                "amou (cli --amou): expected the flag of a setting, got '--amou'; "
                "did you mean --amount?"
            ),
        ),
        (["--amount"], "amount (cli --amount): expected int, got nothing"),
        (
            ["--device", "--verbose"],
            (
                "device (cli --device): expected str | null, got nothing; "
                "write --device=--verbose if that is the value"
            ),
        ),
        (["--verbose", "maybe"], "cli argv[2]: expected a flag such as --name VALUE, got 'maybe'"),
        (
            ["--verbose=maybe"],
            "verbose (cli --verbose): expected bool, got maybe; write true or false",
        ),
        (
            ["--no-verbose=1"],
            "verbose (cli --no-verbose): expected no value after --no-..., got '1'",
        ),
        (
            ["--no-amount"],
            (
                "amount (cli --no-amount): expected int, got '--no-amount'; "
                "amount is neither a bool nor may it be null"
            ),
        ),
        (["--help"], "help (cli --help): expected the flag of a setting, got '--help'"),
        (["--config"], "cli --config: expected a file, got nothing"),
        (["--track", "[1"], "track (cli --track): expected JSON, got [1; expecting ',' delimiter"),
        (
            ["--amount.x", "3"],
            (
                "amount.x (cli --amount.x): expected the flag of a setting, "
                "got '--amount.x'; did you mean --amount?"
            ),
        ),
        (["--config="], "cli --config: expected a file, got ''"),
        (
            ["--"],
            (
                "cli argv[1]: expected a flag such as --name VALUE, got '--'; "
                "a lone -- is not used here; leave it out"
            ),
        ),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_what_is_not_understood_is_a_problem(argv, expected, said):
    """No abbreviation, no positional argument, no value that is not one."""
    assert [expected] == said(load, Outer, argv=argv)


def test_the_environment_is_read_by_its_prefix(monkeypatch, said):
    """Case does not matter, two underscores go down, and an unknown name is a problem."""
    monkeypatch.setenv("APP_INNER__LEARNING_RATE", "3")
    monkeypatch.setenv("APP_TRACK", '["x", "y"]')
    monkeypatch.setenv("APP_TABLE", '{"a": 1}')
    good = load(Outer, env="APP_")
    monkeypatch.setenv("APP_INNER__LEARNING_RAT", "4")

    actual = said(load, Outer, env="APP_")

    assert (
        Outer(Inner(learning_rate=3), track=["x", "y"], table={"a": 1.0}),
        [
            (
                "inner.learning_rat (env APP_INNER__LEARNING_RAT): expected the name of a field, "
                "got 'APP_INNER__LEARNING_RAT'; did you mean APP_INNER__LEARNING_RATE?"
            )
        ],
    ) == (good, actual)


def test_a_field_with_a_name_of_the_command_line_is_a_schema_error():
    """`--config` could not mean both."""

    @frozen
    class Clash:
        print_config: int = 0

    with pytest.raises(SchemaError) as caught:
        load(Clash, argv=[])

    assert (
        "print_config: the command line keeps --print-config for itself; rename the field"
    ) == str(caught.value)
    assert Clash(1) == load(Clash, {"print_config": 1})


def test_argv_is_never_touched_unless_given(monkeypatch):
    """As a library, `load` looks at nothing but its arguments."""
    monkeypatch.setattr("sys.argv", ["train.py", "--amount", "3"])

    assert Outer() == load(Outer)


@pytest.mark.parametrize("argv", ["--amount 3", ["--amount", 3]], ids=["text", "number"])
def test_argv_is_a_list_of_words(argv):
    """One text, or a number among the words, is a mistake of the program's."""
    with pytest.raises(TypeError) as caught:
        load(Outer, argv=argv)

    assert f"argv={argv!r}: give a list of words, such as sys.argv[1:]" == str(caught.value)


@frozen
class Adding:
    runs: list[str] = field(factory=lambda: ["d"], metadata=setting(merge="append"))


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("--runs a", "d code a"),
        ("--runs a --runs b", "d code a b"),
        ("--runs a --runs b --runs c", "d code a b c"),
        ('--runs ["a","b"] --runs c', "d code a b c"),
        ('--runs a --runs ["b"]', "d code b"),
        ('--runs a --runs ["b"] --runs c', "d code b c"),
    ],
)
def test_a_repeated_flag_of_an_appended_list_adds_each_item_once(argv, expected):
    """Within argv a list grows flag by flag; it is added to weaker layers once."""
    actual = resolve(Adding, {"runs": ["code"]}, argv=argv.split())

    assert expected.split() == actual.config.runs


def test_a_repeated_flag_below_a_dict_key_adds_each_item_once():
    """However the key is spelled."""

    @frozen
    class Holder:
        by_number: dict[int, Adding] = field(factory=dict)

    actual = load(
        Holder,
        {"by_number": {1: {"runs": ["code"]}}},
        argv=["--by-number.01.runs", "a", "--by-number.01.runs", "b"],
    )

    assert ["code", "a", "b"] == [one for one in actual.by_number[1].runs if one != "d"]
