"""What several files of tests share: schemas, which are frozen, and a few helpers."""

import enum
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from attrs import Factory, field, frozen
from attrs.validators import ge, gt

from treadle_config import ConfigError, link, linked, run_cli, setting


class Precision(enum.Enum):
    FP32 = "fp32"
    BF16 = "bf16"


class Span:
    """A class with a text form, as a length in records or epochs would have."""

    def __init__(self, count: int, unit: str) -> None:
        self.count = count
        self.unit = unit

    @classmethod
    def parse(cls, text: str) -> "Span":
        count, _, unit = text.partition(" ")
        if not count.isdigit() or not unit:
            raise ValueError(f"write a span as '10 epochs', not {text!r}")
        return cls(int(count), unit)

    def __str__(self) -> str:
        return f"{self.count} {self.unit}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Span) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


@frozen
class Adam:
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)


@frozen
class SGD:
    lr: float = 0.1
    momentum: float = 0.9


@frozen
class Data:
    batch_size: int = field(default=32, validator=gt(0))
    workers: int = field(default=2, validator=ge(0))
    shuffle: bool = True
    root: Path = Path("data")
    splits: dict[str, float] = Factory(dict)


@frozen
class Config:
    name: str = "run"
    seed: int | None = 7
    mode: Literal["fast", "slow"] = "fast"
    precision: Precision = Precision.BF16
    clip: int | float | None = None
    layers: list[int] = Factory(lambda: [1, 2])
    until: Span = Span(10, "epochs")  # noqa: RUF009  # it is never changed
    device: str | None = None
    data: Data = Data()
    optim: Adam | SGD = Adam()
    warmup: int = link(lambda batch_size: 3_200 // batch_size, "data.batch_size")


@frozen
class Followed:
    data: Data = Data()
    optim: Adam | SGD = linked(Adam, lr=link(lambda size: 0.001 * size / 32, "data.batch_size"))


@frozen
class Holder:
    a: int = 0
    b: dict[str, int] = Factory(dict)
    deep: object = None


@frozen
class Optim:
    """How to learn."""

    lr: float = 1e-3
    """step size of the optimizer

    with more to say about it
    """
    weight_decay: float = 0.0


@frozen
class Train:
    optim: Optim = Optim()
    batch_size: int = field(
        default=32, validator=gt(0), metadata=setting(help="records in a batch")
    )
    track: tuple[str, ...] = ()
    device: str | None = None


@pytest.fixture(scope="session")
def schemas():
    """The classes above, by name."""
    return SimpleNamespace(
        Precision=Precision,
        Span=Span,
        Adam=Adam,
        SGD=SGD,
        Data=Data,
        Config=Config,
        Followed=Followed,
        Holder=Holder,
        Optim=Optim,
        Train=Train,
    )


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a file into the current directory, which is a new one; return its name."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str | bytes) -> str:
        data = text.encode() if isinstance(text, str) else text
        Path(name).write_bytes(data)
        return name

    return write


@pytest.fixture
def said():
    """Call something and give the messages of the problems it raises."""

    def call(function: Any, *args: Any, **kwargs: Any) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            function(*args, **kwargs)
        return [str(problem) for problem in caught.value.problems]

    return call


@pytest.fixture(scope="session")
def yaml():
    """PyYAML, for tests that need the extra."""
    return pytest.importorskip("yaml", reason="needs the extra treadle-config[yaml]")


@pytest.fixture(scope="session")
def train():
    """The main function of a program."""

    def main(config: Train) -> Train:
        """Train a model.

        And say so.
        """
        return config

    return main


@pytest.fixture
def stopped(capsys):
    """Run a program that stops; give its exit code, and what it printed to stdout and stderr."""

    def run(main: Any, *layers: Any, **kwargs: Any) -> tuple[Any, str, str]:
        with pytest.raises(SystemExit) as caught:
            run_cli(main, *layers, **kwargs)
        return caught.value.code, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def python():
    """Run Python in a process of its own; give its exit code, and what it printed."""

    def run(*arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    return run
