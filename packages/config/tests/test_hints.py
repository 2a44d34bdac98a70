"""Hints: what a problem says that can be done about it."""

import json
from dataclasses import dataclass

import pytest
from attrs import field, frozen
from attrs.validators import gt

from treadle_config import ConfigError, load


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
        [
            f"inner.data_dir: expected str, got nothing; {hint}.data-dir",
            f"inner.size: expected int, got nothing; {hint}.size",
        ],
    ] == actual


def test_a_slip_in_the_name_of_a_nested_setting_is_seen_through(said):
    """A short name, unlike the whole path, is compared with its end; nothing is guessed beyond that."""

    @frozen
    class Outer:
        optim: Momentum = Momentum()
        spare: Momentum = Momentum()

    actual = [said(load, Outer, argv=[flag, "3"]) for flag in ("--lrr", "--gamma")]

    told = "expected the flag of a setting, got"
    assert [
        [f"lrr (cli --lrr): {told} '--lrr'; did you mean --optim.lr?"],
        [f"gamma (cli --gamma): {told} '--gamma'"],
    ] == actual


def test_a_field_without_an_annotation_is_named_as_that(said):
    """In code and on the command line, at any depth; what is no value, such as a method, is not."""

    @frozen
    class Inner:
        size = 3

        def act(self) -> None: ...

    @dataclass
    class Outer:
        lr = 0.1
        inner: Inner = Inner()

    values = {"lr": 0.2, "inner": {"size": 4}}
    argv = ["--lr", "0.2", "--inner.size", "4"]

    actual = [
        said(load, Outer, values),
        said(load, Outer, argv=argv),
        said(load, Outer, {"inner": {"act": 5}}),
    ]

    lr, size = (
        f"it has no annotation in {cls}, so it is not a field; write {annotated}"
        for cls, annotated in (("Outer", "lr: float"), ("Inner", "size: int"))
    )
    assert [{lr, size}, {lr, size}, {""}] == [
        {one.partition("; ")[2] for one in found} for found in actual
    ]


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
@pytest.mark.usefixtures("yaml")
def test_a_shorthand_is_answered_with_the_right_form(text, hint, schemas, written, said):
    """A scalar for a list, a tag for an object, and brackets around a text."""

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


def test_another_class_of_the_same_name_is_told(schemas, said):
    """As it is after a module was loaded again."""
    other = frozen(type("Adam", (), {}))

    (actual,) = said(load, schemas.Config, {"optim": {"type": other}})

    assert "it is a different class from the declared Adam" == actual.partition("; ")[2]


def test_a_long_value_is_not_said_again_in_the_hint(said):
    """A message is a line, the right form included."""

    @frozen
    class Many:
        track: list[str] = field(factory=list)

    (actual,) = said(load, Many, {"track": "x" * 1000})

    assert "write a list" == actual.partition("; ")[2]
