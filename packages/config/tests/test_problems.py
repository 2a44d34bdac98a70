"""Problems: all at once, each with its path, its source, and what to do."""

import dataclasses
import json
import re

import pytest
from attrs import field, frozen
from attrs.validators import gt, lt

from treadle_config import ConfigError, Source, layer, link, load, resolve


def test_every_problem_is_reported_at_once_in_a_stable_order(schemas, written):
    """Eight mistakes in one file and on the command line are eight problems in one error."""
    pytest.importorskip("yaml", reason="needs the extra treadle-config[yaml]")
    name = written(
        "cfg.yaml",
        "optim:\n  lrr: 1\n  lr: xx\ndata: {batch_size: -1, workers: -2}\n"
        "mode: medium\nlayers: [1, a]\nmodee: 3\n",
    )

    with pytest.raises(ConfigError) as caught:
        load(schemas.Config, name, argv=["--data.root"])

    assert (
        "8 problems in the configuration:\n"
        "  optim.lrr (file cfg.yaml:2): expected a field of Adam, got 'lrr'; "
        "did you mean optim.lr?\n"
        "  optim.lr (file cfg.yaml:3): expected float, got xx\n"
        "  data.batch_size (file cfg.yaml:4): expected a value that its validator takes, got -1; "
        "'batch_size' must be > 0: -1\n"
        "  data.workers (file cfg.yaml:4): expected a value that its validator takes, got -2; "
        "'workers' must be >= 0: -2\n"
        "  mode (file cfg.yaml:5): expected one of fast, slow, got medium\n"
        "  layers[1] (file cfg.yaml:6): expected int, got a\n"
        "  modee (file cfg.yaml:7): expected a field of Config, got 'modee'; did you mean mode?\n"
        "  data.root (cli --data.root): expected Path, got nothing"
    ) == str(caught.value)


def test_a_problem_says_its_parts(schemas):
    """path, source, got, expected and hint can be read one by one."""
    with pytest.raises(ConfigError) as caught:
        load(schemas.Config, argv=["--seed", "None"])

    (problem,) = caught.value.problems

    assert ("seed", Source("cli", "--seed"), "None", "int | null", "write null for None") == (
        problem.path,
        problem.source,
        problem.got,
        problem.expected,
        problem.hint,
    )


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (
            "--batch-size 3",
            (
                "batch_size (cli --batch-size): expected the flag of a setting, got '--batch-size'; "
                "did you mean --data.batch-size?"
            ),
        ),
        (
            "--optim.momentum .4",
            (
                "optim.momentum (cli --optim.momentum): expected a field of Adam, got 'momentum'; "
                "momentum is a field of SGD; choose it with --optim.type sgd"
            ),
        ),
        (
            "--optim.type sgdd",
            "optim.type (cli --optim.type): expected one of adam, sgd, got sgdd; did you mean sgd?",
        ),
        (
            "--until 10",
            "until (cli --until): expected Span, got 10; write a span as '10 epochs', not '10'",
        ),
        (
            "--data 3",
            "data (cli --data): expected Data as a JSON object, got 3",
        ),
        (
            "--optim.betas 0.9",
            (
                "optim.betas (cli --optim.betas): expected tuple[float, float], got a list; "
                "it has 1 item instead of 2"
            ),
        ),
        (
            "--precision fp8",
            "precision (cli --precision): expected one of FP32 (fp32), BF16 (bf16), got fp8",
        ),
        (
            "--data.splits.train much",
            "data.splits.train (cli --data.splits.train): expected float, got much",
        ),
        ("--clip true", "clip (cli --clip): expected int | float | null, got true"),
        (
            "--optim.type SGD",
            "optim.type (cli --optim.type): expected one of adam, sgd, got SGD; did you mean sgd?",
        ),
    ],
)
def test_a_message_says_what_was_seen_what_was_expected_and_what_to_do(
    argv, expected, schemas, said
):
    """Each condition has one message."""
    assert [expected] == said(load, schemas.Config, argv=argv.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("optim:\n", "optim (file a.yaml:1): expected Adam | SGD, got null"),
        ("data: 3\n", "data (file a.yaml:1): expected Data, got 3"),
        ("data: {batch_size: null}\n", "data.batch_size (file a.yaml:1): expected int, got null"),
        ("data: {batch_size: 32.7}\n", "data.batch_size (file a.yaml:1): expected int, got 32.7"),
        ("data: {batch_size: true}\n", "data.batch_size (file a.yaml:1): expected int, got true"),
        ("data: {shuffle: 2}\n", "data.shuffle (file a.yaml:1): expected bool, got 2"),
        ("clip: true\n", "clip (file a.yaml:1): expected int | float | null, got true"),
        ("name: ~\n", "name (file a.yaml:1): expected str, got null"),
        (
            "batch_size: 8\n",
            "batch_size (file a.yaml:1): expected a field of Config, got 'batch_size'",
        ),
        ("layers: 5\n", "layers (file a.yaml:1): expected list[int], got 5"),
    ],
)
def test_a_file_is_as_strict(text, expected, schemas, said, written):
    """An empty value, a scalar for an object and a field at the wrong level are problems."""
    pytest.importorskip("yaml", reason="needs the extra treadle-config[yaml]")
    name = written("a.yaml", text)

    (actual,) = said(load, schemas.Config, name)

    assert expected == actual.partition(";")[0]


def test_a_missing_value_says_how_to_give_it(said):
    """A field without a default is named with its flag."""

    @frozen
    class Inner:
        data_dir: str
        size: int = field(validator=gt(0))

    @frozen
    class Outer:
        inner: Inner
        other: Inner | None = None

    actual = [said(load, Outer, argv=["--inner.size", "-1"]), said(load, Outer)]

    hint = "it has no default; give it in a file, in code, or as --inner"
    assert [
        [
            f"inner.data_dir: expected str, got nothing; {hint}.data-dir",
            (
                "inner.size (cli --inner.size): expected a value that its validator takes, got -1; "
                "'size' must be > 0: -1"
            ),
        ],
        [f"inner: expected Inner, got nothing; {hint}"],
    ] == actual


def test_what_a_class_refuses_as_a_whole_is_a_problem_of_the_class(said):
    """`__attrs_post_init__`, `__post_init__` and converters are reported at their path."""

    @frozen
    class Post:
        a: int = 1

        def __attrs_post_init__(self):
            raise ValueError("a is never right")

    @dataclasses.dataclass(frozen=True)
    class PlainPost:
        a: int = 1

        def __post_init__(self):
            raise ValueError("nor is this")

    def three(text: str) -> int:
        return {"three": 3}[text]

    @frozen
    class Outer:
        post: Post = field(factory=lambda: None)
        plain: PlainPost | None = None
        number: int = field(default="three", converter=three)

    actual = said(load, Outer, argv=["--post.a", "2", "--plain.a", "2", "--number", "four"])

    assert [
        (
            "post (cli --post.a): expected values that make a Post, got values that it refuses; "
            "a is never right"
        ),
        (
            "plain (cli --plain.a): expected values that make a PlainPost, got values that it "
            "refuses; nor is this"
        ),
        "number (cli --number): expected int, got four; KeyError: four",
    ] == actual


def test_a_validator_that_looks_at_a_bad_field_is_no_second_problem(said):
    """The problem is the field that is bad, not the validator that misses it."""

    @frozen
    class Pair:
        low: int = 10
        high: int = field(default=11)
        between: int = link(lambda low, high: low + (high - low) // 2, "low", "high")

        @high.validator
        def _above(self, _attribute, value):
            if value <= self.low:
                raise ValueError("high must be above low")

    actual = [
        said(load, Pair, argv=["--low", "x", "--high", "5"]),
        said(load, Pair, argv=["--low", "15"]),
    ]

    assert [
        ["low (cli --low): expected int, got x"],
        [
            (
                "high (default): expected a value that its validator takes, got 11; "
                "high must be above low"
            )
        ],
    ] == actual


def test_an_element_that_cannot_be_read_is_one_problem(said):
    """A scalar where a list of objects is wanted."""

    @frozen
    class Block:
        width: int = 1

    @frozen
    class Net:
        blocks: list[Block] = field(factory=list)

    actual = said(load, Net, argv=["--blocks", "3"])

    assert ["blocks[0] (cli --blocks): expected Block as a JSON object, got 3"] == actual


def test_a_long_value_is_cut_short(said, schemas):
    """A message is a line."""
    (actual,) = said(load, schemas.Config, argv=["--seed", "x" * 100])

    assert f"seed (cli --seed): expected int | null, got {'x' * 59}…" == actual


def test_a_choice_without_a_default_asks_for_a_tag(schemas, said):
    """A union of classes with no default cannot be guessed from its fields."""

    @frozen
    class Needs:
        optim: schemas.Adam | schemas.SGD

    actual = said(load, Needs, argv=["--optim.lr", "3"])

    assert [
        (
            "optim (cli --optim.lr): expected Adam | SGD, got no choice; "
            "choose one with optim.type: adam, sgd"
        )
    ] == actual


@frozen
class Dense:
    size: int
    act: str = "relu"


@frozen
class Model:
    layers: list[Dense] = field(factory=list)


@frozen
class Momentum:
    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)


@frozen
class Trained:
    model: Model = Model()
    optim: Momentum = Momentum()


@pytest.mark.parametrize(
    ("given", "argv", "expected"),
    [
        (
            '{"model": {"layers": [{"size": 1}, {}]}}',
            (),
            (
                "model.layers[1].size: expected int, got nothing; "
                "it has no default; give it in a file, in code, or within --model.layers"
            ),
        ),
        (
            '{"model": {"layers": [{"size": 1, "atc": "x"}]}}',
            (),
            (
                "model.layers[0].atc (file a.json:1): expected a field of Dense, got 'atc'; "
                "did you mean model.layers[0].act?"
            ),
        ),
        (
            '{"model": {"layers": [{"size": 1, "layer": "x"}]}}',
            (),
            "model.layers[0].layer (file a.json:1): expected a field of Dense, got 'layer'",
        ),
        (
            '{"optim.lr": 1}',
            (),
            (
                "optim.lr (file a.json:1): expected a field of Trained, got 'optim.lr'; "
                "write it nested, `optim:` and below it `lr:`; dotted keys are for code"
            ),
        ),
        (
            '{"optim.lrr": 1}',
            (),
            (
                "optim.lrr (file a.json:1): expected a field of Trained, got 'optim.lrr'; "
                "write it nested, `optim:` and below it `lr:`; dotted keys are for code"
            ),
        ),
        (
            "{}",
            ("--optim", '{"mom": 3}'),
            "optim.mom (cli --optim): expected a field of Momentum, got 'mom'",
        ),
        (
            "{}",
            ("--optim.mom", "3"),
            "optim.mom (cli --optim.mom): expected the flag of a setting, got '--optim.mom'",
        ),
    ],
)
def test_a_hint_names_what_is_there(given, argv, expected, written, said):
    """No flag that does not exist, no key that a file cannot have, no parent for its field."""
    name = written("a.json", given)

    assert [expected] == said(load, Trained, name, argv=list(argv))


@frozen
class Cosine:
    steps: int = 10


@frozen
class Constant:
    rate: float = 1.0


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("track: tensorboard:runs\n", "write a list: [tensorboard:runs]"),
        ("track: my runs\n", 'write a list: ["my runs"]'),
        ("track: 'no'\n", 'write a list: ["no"]'),
        ("numbers: 5\n", "write a list: [5]"),
        ("numbers: 5, 6\n", "write a list"),
        ("pair: 5\n", "write a list"),
        ("sched: cosine\n", "write {type: cosine} to choose it"),
        ("sched: cosin\n", ""),
        ("until: [50 steps]\n", "write it without the brackets: 50 steps"),
        ("until: [fifty]\n", "write a span as '10 epochs', not 'fifty'"),
        ("until: {50: steps}\n", ""),
    ],
)
def test_a_shorthand_is_answered_with_the_right_form(text, hint, schemas, written, said):
    """A scalar for a list, a tag for an object, and brackets around a text."""
    pytest.importorskip("yaml", reason="needs the extra treadle-config[yaml]")

    @frozen
    class Short:
        track: tuple[str, ...] = ()
        numbers: list[int] = field(factory=list)
        pair: tuple[int, int] = (1, 2)
        sched: Cosine | Constant = Constant()
        until: schemas.Span = schemas.Span(1, "epochs")  # noqa: RUF009  # it is never changed

    name = written("a.yaml", text)

    (actual,) = said(load, Short, name)

    assert hint == actual.partition("; ")[2]


def test_a_tag_for_an_object_is_answered_with_its_flag(said, schemas):
    """On the command line an object is JSON, and its tag has a flag of its own."""
    assert [
        (
            "optim (cli --optim): expected Adam | SGD as a JSON object, got sgd; "
            "choose it with --optim.type sgd"
        )
    ] == said(load, schemas.Config, argv=["--optim", "sgd"])


def test_a_validators_problem_shows_what_was_given():
    """What a validator refuses is shown as it was written, not as what it was read as."""

    @frozen
    class Schema:
        size: int = field(default=1, validator=lt(10))

    with pytest.raises(ConfigError) as caught:
        load(Schema, {"size": "1_000"})

    assert ["1_000"] == [problem.got.strip("'") for problem in caught.value.problems]


def test_a_validator_is_asked_where_another_field_cannot_be_read(schemas, said):
    """Both mistakes are told, though the object was never made."""
    actual = said(load, schemas.Config, argv=["--data.batch-size", "-1", "--data.workers", "q"])

    assert [
        (
            "data.batch_size (cli --data.batch-size): expected a value that its validator takes, "
            "got -1; 'batch_size' must be > 0: -1"
        ),
        "data.workers (cli --data.workers): expected int, got q",
    ] == actual


@pytest.mark.parametrize("source", ["file", "code", "env", "cli"])
def test_only_the_first_problems_have_a_suggestion(source, schemas, written, monkeypatch):
    """A file of another schema is answered at once, however many keys it has."""
    names = [f"optim_{index:03}" for index in range(100)]
    layers, argv, asked = [], [], []
    if source == "file":
        layers = [written("a.json", json.dumps(dict.fromkeys(names, 1)))]
    elif source == "code":
        layers = [dict.fromkeys(names, 1)]
    elif source == "env":
        for name in names:
            monkeypatch.setenv(f"APP_{name}", "1")
    else:
        argv = [f"--{name}=1" for name in names]

    def counted(*args, **kwargs):
        asked.append(args)
        return ["optim"]

    monkeypatch.setattr("difflib.get_close_matches", counted)
    with pytest.raises(ConfigError) as caught:
        load(schemas.Config, *layers, argv=argv, env="APP_")

    hints = [problem.hint.startswith("did you mean") for problem in caught.value.problems]
    assert (100, [True] * 20, True) == (len(hints), hints[:20], len(asked) <= 2 * 20)


@frozen
class Required:
    size: int
    depth: int


def test_what_is_missing_is_told_only_where_that_is_known(said, written):
    """A file that cannot be read may have said it, and a flag that lacks its value did."""
    broken = written("a.json", "{")

    actual = [said(load, Required, broken), said(load, Required, argv=["--size"])]

    assert [
        [
            (
                "file a.json:1: expected JSON, got something else; "
                "expecting property name enclosed in double quotes"
            )
        ],
        [
            (
                "depth: expected int, got nothing; "
                "it has no default; give it in a file, in code, or as --depth"
            ),
            "size (cli --size): expected int, got nothing",
        ],
    ] == actual


def test_a_mapping_that_holds_itself_is_a_problem(schemas, said):
    """In a mapping, in a layer of one's own, and in `replace`."""
    endless: dict[str, object] = {}
    endless["data"] = [endless]

    actual = [
        *said(load, schemas.Config, endless),
        *said(load, schemas.Config, layer("cluster", endless, at="file")),
        *said(resolve(schemas.Config).replace, endless),
    ]

    wanted = "expected at most 100 levels, got more; does a mapping or a list hold itself?"
    assert [wanted, f"cluster: {wanted}", wanted] == [
        one.partition(": ")[2] if one.startswith("code") else one for one in actual
    ]


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("not ready")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"seed": Unspeakable()}, "expected int | null, got <Unspeakable>"),
        ({"optim": {"type": Unspeakable()}}, "expected one of adam, sgd, got <Unspeakable>"),
        ({"optim": {"type": int}}, "expected one of adam, sgd, got int"),
        ({"optim": {"type": ["adam"]}}, "expected one of adam, sgd, got a list"),
        ({"data": {"batch_size": -(10**5000)}}, "expected a value that its validator takes, got"),
    ],
    ids=["value", "tag", "class", "list", "digits"],
)
def test_whatever_is_given_in_code_can_be_told(given, expected, schemas, said):
    """A value that cannot be shown is shown by its class."""
    (actual,) = said(load, schemas.Config, given)

    assert actual.partition(": ")[2].startswith(expected)


def test_another_class_of_the_same_name_is_told(schemas, said):
    """As it is after a module was loaded again."""
    other = frozen(type("Adam", (), {}))

    (actual,) = said(load, schemas.Config, {"optim": {"type": other}})

    assert "it is another class than the Adam that is declared" == actual.partition("; ")[2]


@frozen
class Tables:
    by_name: dict[str, int] = field(factory=dict)
    by_number: dict[int, int] = field(factory=dict)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"by_name": {1: 1}}, "by_name.1 (code): expected a key of type str, got 1"),
        ({"by_name": {None: 1}}, "by_name.None (code): expected a key of type str, got null"),
        (
            {"by_number": {1: 1, "1.0": 2}},
            "by_number.1 (code): expected one value, got a second; 1 and '1.0' are one key",
        ),
    ],
)
def test_a_key_is_as_strict_as_a_value(given, expected, said):
    """A number is no text, and two spellings of a key are one key, given twice."""
    (actual,) = said(load, Tables, given)

    assert expected == re.sub(r"code [a-z.]*:\d+", "code", actual)


def test_two_spellings_of_a_key_in_a_file_are_one_key_twice(said, written):
    """Nothing is dropped in silence."""
    name = written("a.json", '{"by_number": {"1000": 1,\n"1_000": 2}}')

    assert [
        (
            "by_number.1000 (file a.json:2): expected one value, got a second; "
            "'1000' and '1_000' are one key"
        )
    ] == said(load, Tables, name)


def test_a_long_value_is_not_said_again_in_the_hint(said):
    """A message is a line, the right form included."""

    @frozen
    class Many:
        track: list[str] = field(factory=list)

    (actual,) = said(load, Many, {"track": "x" * 1000})

    assert "write a list" == actual.partition("; ")[2]


@frozen
class Endless:
    size: int = 1
    inner: "Endless | None" = None
    many: "list[Endless]" = field(factory=list)


@pytest.mark.parametrize(
    "path", [f"{'inner.' * 100}size", f"many[0]{'.many[0]' * 100}.size"], ids=["fields", "items"]
)
def test_a_path_has_an_end(path, said, monkeypatch):
    """In a class within itself, a hundred levels may be written."""
    monkeypatch.setenv("APP_INNER" + "__INNER" * 99 + "__SIZE", "1")
    deep = load(Endless, argv=[f"--{'inner.' * 99}size=2"])
    levels = 0
    while deep.inner is not None:
        deep, levels = deep.inner, levels + 1

    actual = said(load, Endless, argv=["--many+={}", f"--{path}=1"], env="APP_")

    assert (
        (99, 2),
        ["expected the name of a field", "expected the flag of a setting"],
    ) == ((levels, deep.size), [one.partition(": ")[2].partition(",")[0] for one in actual])


@pytest.mark.parametrize("values", [None, "seed", ["seed"]])
def test_a_layer_of_values_that_are_no_mapping_is_a_problem(values, schemas, said):
    """Its name is the source."""
    (actual,) = said(load, schemas.Config, layer("cluster", values, at="code"))

    assert actual.startswith("cluster: expected Config, got ")
