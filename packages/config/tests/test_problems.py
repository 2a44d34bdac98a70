"""Problems: all at once, each with its path, its source, and what was expected."""

import pytest
from attrs import field, frozen

from treadle_config import ConfigError, Source, load


@pytest.mark.usefixtures("yaml")
def test_every_problem_is_reported_at_once_in_a_stable_order(schemas, written):
    """Eight mistakes in one file and on the command line are eight problems in one error."""
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
@pytest.mark.usefixtures("yaml")
def test_a_file_is_as_strict(text, expected, schemas, said, written):
    """An empty value, a scalar for an object and a field at the wrong level are problems."""
    name = written("a.yaml", text)

    (actual,) = said(load, schemas.Config, name)

    assert expected == actual.partition(";")[0]


def test_an_element_that_cannot_be_read_is_one_problem(schemas, said):
    """A scalar where a list of objects is wanted."""

    @frozen
    class Net:
        blocks: list[schemas.Data] = field(factory=list)

    actual = said(load, Net, argv=["--blocks", "3"])

    assert ["blocks[0] (cli --blocks): expected Data as a JSON object, got 3"] == actual


def test_a_long_value_is_cut_short(said, schemas):
    """A message is a line."""
    (actual,) = said(load, schemas.Config, argv=["--seed", "x" * 100])

    assert f"seed (cli --seed): expected int | null, got {'x' * 59}…" == actual


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
                "file a.json:1: is not valid JSON: "
                "expecting property name enclosed in double quotes at column 2"
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
