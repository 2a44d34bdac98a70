"""What can be said to the demo: its whole configuration, as one frozen object."""

from math import inf

from attrs import field, frozen, validators

from treadle.demo.lengths import STEADY, counted, one_length
from treadle_config import link, linked, setting
from treadle_units import Limit, parse


@frozen
class Data:
    """Which images are trained on, and how many at a time."""

    batch_size: int = field(
        default=32,
        validator=[validators.gt(0), validators.le(1797)],
        metadata=setting(help="records in a batch"),
    )
    held_out: int = field(
        default=360,
        validator=[validators.gt(0), validators.lt(1797)],
        metadata=setting(help="records, of 1797, kept for validation"),
    )


@frozen
class Optim:
    """AdamW."""

    lr: float = field(
        default=1e-3,
        validator=[validators.gt(0), validators.lt(inf)],
        metadata=setting(help="learning rate"),
    )
    weight_decay: float = field(
        default=0.01,
        validator=[validators.ge(0), validators.lt(inf)],
        metadata=setting(help="decoupled weight decay"),
    )


def scaled_lr(batch_size: int) -> float:
    """Scale the learning rate with the batch size: 1e-3 for 32 records."""
    return 1e-3 * batch_size / 32


_LENGTHS = (*STEADY, "seconds")


@frozen
class Config:
    """The demo: a small convolutional network learns to read handwritten digits."""

    data: Data = Data()
    optim: Optim = linked(Optim, lr=link(scaled_lr, "data.batch_size"))
    until: Limit = field(
        default=parse("10 epochs"),
        validator=counted(*_LENGTHS),
        metadata=setting(help='when to stop: "5 epochs", "400 steps", "2 epochs | 30 s"'),
    )
    validate: Limit | None = field(
        default=parse("1 epoch"),
        validator=[counted(*_LENGTHS), one_length],
        metadata=setting(
            help='how often to validate: "2 epochs", "10 s"; --no-validate: at the end'
        ),
    )
    log: Limit | None = field(
        default=parse("50 steps"),
        validator=[counted(*_LENGTHS), one_length],
        metadata=setting(help="how often to log; --no-log: only validations"),
    )
    track: tuple[str, ...] = field(
        default=("tensorboard:runs", "mlflow:sqlite:///mlflow.db"),
        metadata=setting(help="where runs are recorded"),
    )
    experiment: str = field(default="digits", metadata=setting(help="what the run belongs to"))
    name: str | None = field(
        default=None, metadata=setting(help="the run's name; else one is made")
    )
    device: str | None = field(
        default=None, metadata=setting(help="cpu, cuda, mps, ...; else the fastest there is")
    )
    seed: int = field(
        default=0,
        validator=[validators.ge(0), validators.lt(2**63)],
        metadata=setting(help="of the split, the weights and the order"),
    )
