"""`--help` and `--print-config=schema`: whole pages, as they are printed."""

import pytest
from attrs import Factory, field, frozen

from treadle_config import link, linked, setting

HELP = """\
usage: train.py [--SETTING VALUE ...] [--config FILE ...]

Train a model.

  --optim.lr float            = 0.003 (cli --optim.lr)  step size of the optimizer
  --optim.weight-decay float  = 0.5 (file a.json:1)
  --batch-size int            = 32 (default)  records in a batch
  --track tuple[str, ...]     = [a] (cli --track)
  --device str | null         = null (default)
  --config FILE               read settings from this file; may be given again
  --print-config              print the config and stop; =source, =provenance, =schema, =argv
  --help                      print this and stop
"""


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_shows_every_setting_with_its_value_now(train, flag, written, stopped):
    """Flag, type, effective value, source and doc, then exit code 0."""
    name = written("a.json", '{"optim": {"weight_decay": 0.5}}')

    actual = stopped(
        train, name, argv=["--optim.lr", "3e-3", "--track", "a", flag], prog="train.py"
    )

    assert (0, HELP, "") == actual


@frozen
class Adam:
    lr: float = 1e-3
    """step size of the optimizer"""
    weight_decay: float = 0.0


@frozen
class SGD(Adam):
    momentum: float = 0.9
    """inertia"""


@frozen
class Schedule:
    warmup: int = 10
    """steps before the full rate"""
    decay: float | None = None


@frozen
class Span:
    count: int

    @classmethod
    def parse(cls, text: str) -> "Span":
        return cls(int(text.removesuffix(" epochs")))

    def __str__(self) -> str:
        return f"{self.count} epochs"


@frozen
class Full:
    """Of every kind of row."""

    name: str = field(metadata=setting(help="what to call it"))
    batch_size: int = 32
    optim: Adam = linked(SGD, lr=link(lambda size: size / 100, "batch_size"))
    """what to learn with"""
    second: Adam | None = None
    other: Adam = SGD(lr=3.0)
    schedule: Schedule | None = None
    """how the rate goes"""
    steps: int = link(lambda size: 100 // size, "batch_size")
    until: Span = Span(3)
    layers: list[int] = Factory(lambda: [1, 2])
    table: dict[str, float] = Factory(dict)
    device: str = field()

    @device.default
    def _device(self) -> str:
        return f"cpu:{self.batch_size}"


def full(config: Full) -> None:
    raise AssertionError("called")


FULL_HELP = """\
usage: train.py [--SETTING VALUE ...] [--config FILE ...]

  --name str                  required  what to call it
  --batch-size int            = 50 (cli --batch-size)
  --optim.type adam|sgd       = sgd (default)  what to learn with
  --optim.lr float            = 0.5 (link)  step size of the optimizer
  --optim.weight-decay float  = 0.0 (default)
  --optim.momentum float      = 0.9 (default)  inertia
  --second.type adam|sgd      = null (default)
  --other.type adam|sgd       = adam (cli --other.type)
  --other.lr float            = 0.001 (default)  step size of the optimizer
  --other.weight-decay float  = 0.0 (default)
  --schedule Schedule | null  = null (default)  how the rate goes
  --steps int                 = 2 (link)
  --until Span                = 3 epochs (default)
  --layers list[int]          = [1, 2] (default)
  --table dict[str, float]    = {} (default)
  --device str                = cpu:50 (default)
  --config FILE               read settings from this file; may be given again
  --print-config              print the config and stop; =source, =provenance, =schema, =argv
  --help                      print this and stop; all: with what is not chosen
"""


def test_help_is_scoped_to_what_is_chosen(stopped):
    """Fields of a subtype that is not chosen, and of an object that is not there, are left out."""
    actual = stopped(full, argv=["--batch-size=50", "--other.type=adam", "--help"], prog="train.py")

    assert (0, FULL_HELP, "") == actual


FULL_HELP_ALL = """\
usage: train.py [--SETTING VALUE ...] [--config FILE ...]

  --name str                       required  what to call it
  --batch-size int                 = 32 (default)
  --optim.type adam|sgd            = sgd (default)  what to learn with
  --optim.lr float                 = 0.32 (link)  step size of the optimizer
  --optim.weight-decay float       = 0.0 (default)
  --optim.momentum float           = 0.9 (default)  inertia
  with --optim.type adam:
    --optim.lr float               = 0.001 (default)  step size of the optimizer
    --optim.weight-decay float     = 0.0 (default)
  --second.type adam|sgd           = null (default)
  with --second.type adam:
    --second.lr float              = 0.001 (default)  step size of the optimizer
    --second.weight-decay float    = 0.0 (default)
  with --second.type sgd:
    --second.lr float              = 0.001 (default)  step size of the optimizer
    --second.weight-decay float    = 0.0 (default)
    --second.momentum float        = 0.9 (default)  inertia
  --other.type adam|sgd            = sgd (default)
  --other.lr float                 = 3.0 (default)  step size of the optimizer
  --other.weight-decay float       = 0.0 (default)
  --other.momentum float           = 0.9 (default)  inertia
  with --other.type adam:
    --other.lr float               = 0.001 (default)  step size of the optimizer
    --other.weight-decay float     = 0.0 (default)
  --schedule Schedule | null       = null (default)  how the rate goes
  with --schedule {}:
    --schedule.warmup int          = 10 (default)  steps before the full rate
    --schedule.decay float | null  = null (default)
  --steps int                      = 3 (link)
  --until Span                     = 3 epochs (default)
  --layers list[int]               = [1, 2] (default)
  --table dict[str, float]         = {} (default)
  --device str                     = cpu:32 (default)
  --config FILE                    read settings from this file; may be given again
  --print-config                   print the config and stop; =source, =provenance, =schema, =argv
  --help                           print this and stop; all: with what is not chosen
"""


@pytest.mark.parametrize("argv", [["--help", "all"], ["--help=all"], ["-h", "all"]])
def test_help_all_lists_what_is_not_chosen_as_well(argv, stopped):
    """With how to choose it, and the defaults of its class."""
    assert (0, FULL_HELP_ALL, "") == stopped(full, argv=argv, prog="train.py")


SCHEMA = """\
name                        str               required            what to call it
batch_size                  int               32
optim.type                  adam|sgd          sgd                 what to learn with
optim.lr [adam]             float             0.001               step size of the optimizer
optim.weight_decay [adam]   float             0.0
optim.lr [sgd]              float             follows batch_size  step size of the optimizer
optim.weight_decay [sgd]    float             0.0
optim.momentum [sgd]        float             0.9                 inertia
second.type                 adam|sgd          null
second.lr [adam]            float             0.001               step size of the optimizer
second.weight_decay [adam]  float             0.0
second.lr [sgd]             float             0.001               step size of the optimizer
second.weight_decay [sgd]   float             0.0
second.momentum [sgd]       float             0.9                 inertia
other.type                  adam|sgd          sgd
other.lr [adam]             float             0.001               step size of the optimizer
other.weight_decay [adam]   float             0.0
other.lr [sgd]              float             3.0                 step size of the optimizer
other.weight_decay [sgd]    float             0.0
other.momentum [sgd]        float             0.9                 inertia
schedule                    Schedule | null   null                how the rate goes
schedule.warmup             int               10                  steps before the full rate
schedule.decay              float | null      null
steps                       int               follows batch_size
until                       Span              3 epochs
layers                      list[int]         [1, 2]
table                       dict[str, float]  {}
device                      str               computed
"""


def test_the_schema_is_every_path_with_type_default_and_doc(stopped):
    """Whatever is chosen, and whether or not what is required is there."""
    assert (0, SCHEMA, "") == stopped(full, argv=["--print-config=schema"])


@pytest.mark.parametrize(
    ("argv", "row", "expected"),
    [
        (
            ["--batch-size", "x", "--lr", "3", "--config", "no.json"],
            "--batch-size int            not right (cli --batch-size)  records in a batch",
            (
                "  file no.json: expected a readable file, got no such file or directory\n"
                "  batch_size (cli --batch-size): expected int, got x\n"
                "  lr (cli --lr): expected the flag of a setting, got '--lr'; "
                "did you mean --optim.lr?\n"
            ),
        ),
        (
            ["--config", "broken.json", "--config", "wrong.json"],
            "--optim.lr float",
            (
                "  file broken.json:1: is not valid JSON: "
                "expecting property name enclosed in double quotes at column 2\n"
                "  batch_size (file wrong.json:1): expected a value that its validator takes, got -1; "
                "'batch_size' must be > 0: -1\n"
                "  batchsize (file wrong.json:2): expected a field of Train, got 'batchsize'; "
                "did you mean batch_size?\n"
            ),
        ),
    ],
    ids=["argv", "files"],
)
def test_help_works_with_mistakes_and_reports_them_at_the_end(
    argv, row, expected, train, written, stopped
):
    """A flag, a file that is missing or no JSON, a value or a key stops no help."""
    written("broken.json", "{")
    written("wrong.json", '{"batch_size": -1,\n "batchsize": 2}')

    code, page, said = stopped(train, argv=["--help", *argv], prog="train.py")

    assert (0, True, f"\n3 problems in the configuration:\n{expected}") == (code, row in page, said)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--help", "optim"], "argv[2]: expected a flag such as --name VALUE, got 'optim'"),
        (["--help=optim"], "--help: expected nothing after --help, or all, got 'optim'"),
    ],
)
def test_help_takes_no_value_but_all(train, argv, expected, stopped):
    """`--help=optim` is not what it looks like."""
    code, _, said = stopped(train, argv=argv)

    assert (0, f"\ncli {expected}\n") == (code, said)


BLOCKED = """
import sys
sys.modules["yaml"] = None
from attrs import frozen
from treadle_config import run_cli
@frozen
class Config:
    lr: float = 1.0
def main(config: Config) -> None:
    raise AssertionError("called")
run_cli(main, "train.yaml")
"""


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--help"], (0, True)),
        (["--help", "all", "--lr=2"], (0, True)),
        (["--lr=2"], (2, False)),
    ],
)
def test_help_works_without_what_a_file_needs(argv, expected, written, python):
    """It is said at the end what to install."""
    written("train.yaml", "lr: 2")
    written("x.py", BLOCKED)

    code, page, said = python("x.py", *argv)

    assert (*expected, True) == (
        code,
        "  --lr float " in page,
        "pip install 'treadle-config[yaml]'" in said,
    )


@frozen
class Policy:
    pass


def policies(count, fields):
    """Subtypes with many fields, as a library of models has."""
    body = {f"field_{index}": int for index in range(fields)}
    return [
        frozen(
            type(
                f"Policy{number}",
                (Policy,),
                {"__annotations__": body, **dict.fromkeys(body, number)},
            )
        )
        for number in range(count)
    ]


def test_help_with_many_subtypes_is_short(stopped):
    """18 subtypes of 20 fields each are one row and twenty."""
    made = policies(18, 20)

    @frozen
    class Holder:
        policy: Policy = Factory(made[3])

    def main(config: Holder) -> None:
        raise AssertionError("called")

    argv = ["--policy.type=policy7", "--policy.field-3=1", "--help"]
    (_, short, _), (_, long, _) = stopped(main, argv=argv), stopped(main, argv=["--help=all"])

    assert (
        27,
        "  --policy.field-3 int              = 1 (cli --policy.field-3)",
        "  --policy.field-4 int              = 7 (default)",
        27 + 17 * 21 + 1,
    ) == (
        len(short.splitlines()),
        *(line for line in short.splitlines() if "field-3 " in line or "field-4 " in line),
        len(long.splitlines()),
    )
