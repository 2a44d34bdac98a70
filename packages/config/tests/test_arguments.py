"""The command line's tokens: what each form means, and what is refused."""

import contextlib
import io
import sys

import pytest
from attrs import field, frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle_config import Codecs, SchemaError, load, resolve, run_cli, setting

codecs = Codecs()


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
        (["--either", "[a]"], Outer(either="[a]")),
        (["--either", "[a]", "--either", "b"], Outer(either=["[a]", "b"])),
        (["--either", "a", "--either+=b"], Outer(either=["a", "b"])),
        (["--device:=null"], Outer(device=None)),
        (['--device:="null"'], Outer(device="null")),
        (["--device", "null"], Outer(device="null")),
        (["--amount:", "3"], Outer(amount=3)),
        (["--verbose:=true"], Outer(verbose=True)),
        (['--inner:={"names": ["x"]}'], Outer(Inner(names=["x"]))),
        (["--inner.use-cache=0", '--inner:={"names": ["x"]}'], Outer(Inner(names=["x"]))),
        (['--inner:={"names": ["x"]}', "--inner.use-cache=0"], Outer(Inner(False, names=["x"]))),
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
        (
            ["-v"],
            "cli argv[1]: expected a flag such as --name VALUE, got '-v'; did you mean --verbose?",
        ),
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
        (
            ["--verbose", "maybe"],
            (
                "cli argv[2]: expected a flag such as --name VALUE, got 'maybe'; "
                "--verbose takes true or false"
            ),
        ),
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
                "amount is neither a bool nor nullable"
            ),
        ),
        (["--help"], "help (cli --help): expected the flag of a setting, got '--help'"),
        (["--config"], "cli --config: expected a file, got nothing"),
        (
            ["--amount.x", "3"],
            (
                "amount.x (cli --amount.x): expected the flag of a setting, "
                "got '--amount.x'; did you mean --amount?"
            ),
        ),
        (["--config="], "cli --config: expected a file, got ''"),
        (
            ["--verbose", "no", "yes"],
            (
                "cli argv[3]: expected a flag such as --name VALUE, got 'yes'; "
                "--verbose takes true or false"
            ),
        ),
        (
            ["--inner.no-use-cache"],
            (
                "inner.no_use_cache (cli --inner.no-use-cache): expected the flag of a setting, "
                "got '--inner.no-use-cache'; did you mean --no-inner.use-cache?"
            ),
        ),
        (
            ["--inner", "3", "--inner.learning-rate", "1"],
            "inner (cli --inner): expected Inner as a JSON object, got 3",
        ),
        (
            ["--inner", '{"use_cache": 1, "use_cache": 0}'],
            (
                "inner.use_cache (cli --inner): expected one value, got a second; "
                "the key 'use_cache' is given twice"
            ),
        ),
        (
            ["--inner", '{"learning_rate": "x", "names": [1]}'],
            "inner.learning_rate (cli --inner): expected float, got 'x'",
        ),
        (
            ["--device:=cpu"],
            'device (cli --device): expected JSON, got cpu; write text in quotes, as in "cpu"',
        ),
        (["--amount:=null"], "amount (cli --amount): expected int, got null"),
        (["--amount:"], "amount (cli --amount): expected int, got nothing"),
        (
            ["--amout:=3"],
            (
                "amout (cli --amout): expected the flag of a setting, got '--amout'; "
                "did you mean --amount?"
            ),
        ),
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


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (
            ["--inner", "{use_cache: no, names: [x, 1e-3]}"],
            Outer(Inner(False, names=["x", "1e-3"])),
        ),
        (["--inner", "{learning_rate: .5}", "--inner.use-cache=0"], Outer(Inner(False, 0.5))),
        (["--track", "[a, 'b c', no]"], Outer(track=["a", "b c", "no"])),
        (["--track", "[a, b]", "--track", "c"], Outer(track=["a", "b", "c"])),
        (["--table", "{a: .9, 'b c': 1}"], Outer(table={"a": 0.9, "b c": 1.0})),
        (["--table", "{\n  a: 1,  # a comment\n}"], Outer(table={"a": 1.0})),
        (["--inner:={names: [x]}"], Outer(Inner(names=["x"]))),
        (["--track+=a b"], Outer(track=["a", "a b"])),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
@pytest.mark.usefixtures("yaml")
def test_what_is_no_json_is_yaml(argv, expected):
    """In its flow style, with the same strict scalars."""
    assert expected == load(Outer, argv=argv)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (
            ["--track", "[1"],
            (
                "track (cli --track): expected JSON or YAML, got [1; "
                "while parsing a flow sequence: did not find expected ',' or ']'"
            ),
        ),
        (
            ["--inner", "{use_cache:no}"],
            (
                "inner (cli --inner): expected JSON or YAML, got {use_cache:no}; "
                "YAML needs a space after the colon: use_cache: no"
            ),
        ),
        (
            ["--table", "{a: 1, a: 2}"],
            ("table.a (cli --table): expected one value, got a second; the key is given twice"),
        ),
        (
            ["--table", "{a: !!float 1}"],
            (
                "table (cli --table): expected JSON or YAML, got {a: !!float 1}; "
                "the tag tag:yaml.org,2002:float is not read; the declared type decides"
            ),
        ),
        (
            ["--table", "{a: x, b: null}"],
            "table.a (cli --table): expected float, got x",
        ),
        (
            ["--table", "{\udcff: 1}"],
            (
                "table (cli --table): expected JSON or YAML, got '{\\udcff: 1}'; "
                "it holds bytes that are not UTF-8"
            ),
        ),
        (
            ["--inner:={names: [x"],
            (
                "inner (cli --inner): expected JSON or YAML, got {names: [x; "
                "while parsing a flow sequence: did not find expected ',' or ']'"
            ),
        ),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
@pytest.mark.usefixtures("yaml")
def test_what_is_neither_json_nor_yaml_is_a_problem(argv, expected, said):
    """With the flag as its source, and what is wrong."""
    assert expected == said(load, Outer, argv=argv)[0]


def test_without_pyyaml_what_is_no_json_says_what_to_install(monkeypatch, said):
    """JSON always works."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.delitem(sys.modules, "treadle_config.yaml_composer", raising=False)
    good = load(Outer, argv=["--inner", '{"names": ["x"]}'])

    actual = said(load, Outer, argv=["--inner", "{names: [x]}"])

    assert (
        Outer(Inner(names=["x"])),
        [
            (
                "inner (cli --inner): expected JSON, got {names: [x]}; "
                "expecting property name enclosed in double quotes at column 2; "
                "YAML is read here with pip install 'treadle-config[yaml]'"
            )
        ],
    ) == (good, actual)


def test_values_within_an_inline_text_come_from_their_flag():
    """Each of them, as if it had been given alone."""
    actual = resolve(Outer, argv=['--inner={"names": ["x"], "use_cache": "no"}'])

    assert ["cli --inner", "cli --inner", "default"] == [
        str(actual.source(path))
        for path in ("inner.names[0]", "inner.use_cache", "inner.learning_rate")
    ]


@pytest.mark.parametrize(
    "text", ["no", "12:30", "0x1F", "1_000", "2024-01-01", "null", "1e-3", "a: b", "#x", " lead"]
)
def test_text_is_taken_as_it_stands(text):
    """Argv has no quotes, and needs none."""
    assert (text, text) == (
        load(Outer, argv=["--device", text]).device,
        load(Outer, argv=[f"--device={text}"]).device,
    )


def test_a_number_is_the_same_as_from_a_file():
    """An int where it has no dot and no exponent, else a float; never a bool."""

    @frozen
    class Clip:
        clip: int | float | None = None

    found = [
        load(Clip, argv=["--clip", text]).clip for text in ("0.5", "1", "1.0", "1e3", "inf", "null")
    ]

    assert "[0.5, 1, 1.0, 1000.0, inf, None]" == repr(found)


words = st.sampled_from(
    ["inner", "names", "use-cache", "track", "device", "table", "either", "amount", "no-inner", "x"]
)
ends = st.sampled_from(["", "+", ":", "+:", "[0]", "[-1]", "[9]", "[0", "]", "[x]", "[0].a", "."])
flags = st.builds(
    lambda start, path, end: start + ".".join(path) + end,
    st.sampled_from(["--", "--no-", "--config", "-"]),
    st.lists(words, min_size=1, max_size=3),
    ends,
)
inline = ["3", "null", "[1, 2]", "{}", '{"use_cache": 0}', "[", "{a", "{a: b}", "[[]]", "{a: [b]}"]
words_of_its_own = ["--help", "--help=all", "--print-config=schema", "--print-config=argv", "all"]
values = st.sampled_from([*inline, *words_of_its_own, "a.json"])
line = st.lists(
    flags
    | st.builds("{}={}".format, flags, values | st.text(max_size=4))
    | values
    | st.text(max_size=4),
    max_size=5,
)


@given(line)
@settings(max_examples=700, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_argv_is_the_program_runs_or_stops(written, argv):
    """With a config, a page, or problems; never with a traceback."""
    written("a.json", '{"track": ["f"]}')

    def main(config: Outer) -> int:
        return 0

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            actual = run_cli(main, argv=argv, prog="x", codecs=codecs)
        except SystemExit as stopped:
            actual = stopped.code

    assert actual in {0, 2}


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
        {"by_number": {10: {"runs": ["code"]}}},
        argv=["--by-number.1_0.runs", "a", "--by-number.1_0.runs", "b"],
    )

    assert ["code", "a", "b"] == [one for one in actual.by_number[10].runs if one != "d"]


def test_every_field_has_a_variable(monkeypatch):
    """Also one with two underscores of its own, and one with letters that have no capital."""

    @frozen
    class Odd:
        größe: int = 1  # noqa: PLC2401
        a__b: int = 1
        inner: Inner = Inner()

    monkeypatch.setenv("APP_GRÖSSE", "2")
    monkeypatch.setenv("APP_A__B", "3")

    assert Odd(größe=2, a__b=3) == load(Odd, env="APP_")
