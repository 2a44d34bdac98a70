"""What can be said to the demo: its whole configuration, most of which follows its size."""

from math import inf
from typing import Any, Literal, NamedTuple

from attrs import Attribute, field, frozen, validators

from treadle.demo.lengths import STEADY, counted, one_length
from treadle_config import link, linked, setting
from treadle_units import Length, Limit, parse

LENGTHS = (*STEADY, "tokens")


class Size(NamedTuple):
    """A model that has a name, and how it is trained unless something else is said."""

    layers: int
    heads: int
    width: int
    block: int
    dropout: float
    batch_size: int
    lr: float
    until: str
    validate: str
    threads: int | None


SIZES = {
    "tiny": Size(2, 2, 64, 64, 0.0, 32, 3e-3, "5 epochs", "1 epoch", 1),
    "small": Size(4, 4, 128, 128, 0.1, 32, 2e-3, "10 epochs", "1 epoch", None),
    # The shape for the works of Shakespeare in A. Karpathy's nanoGPT, and its learning rate.
    "full": Size(6, 6, 384, 256, 0.2, 64, 1e-3, "5k steps", "10 epochs", None),
}


def of_size(what: str) -> Any:
    """Find what a size says of one of its fields."""
    return lambda size: getattr(SIZES[size], what)


def limit_of_size(what: str) -> Any:
    """The same, as a limit."""
    return lambda size: parse(getattr(SIZES[size], what))


def without_times(limit: Limit) -> Limit | None:
    """Leave out of a limit what nobody can plan with; None if that is all."""
    planned = [goal for goal in limit.alternatives if goal.unit != "seconds"]
    return parse(" | ".join(map(str, planned))) if planned else None


def divides_width(model: "Model", _: "Attribute[int]", heads: int) -> None:
    """Refuse heads that cannot have equally many of the model's numbers."""
    if model.width % heads:
        raise ValueError(f"heads is {heads}, and width is {model.width}, which it must divide")


def is_here(_: object, __: "Attribute[str | None]", name: str | None) -> None:
    """Refuse a device that is not on this machine, before anything is recorded."""
    if name is not None:
        # Here, and not above: a mistyped flag need not wait for torch.
        from treadle.demo.device import UnknownDevice, choose_device

        try:
            choose_device(name)
        except UnknownDevice as error:
            raise ValueError(str(error)) from None


def number(help: str, *checks: Any, default: Any) -> Any:
    """A field for a number that is looked at before it is used."""
    return field(default=default, validator=list(checks), metadata=setting(help=help))


@frozen
class Model:
    """A GPT; each follows the size."""

    layers: int = number("blocks", validators.ge(1), validators.le(100), default=2)
    heads: int = number(
        "attention heads; divides width", validators.ge(1), divides_width, default=2
    )
    width: int = number(
        "numbers that stand for a character", validators.ge(1), validators.le(16384), default=64
    )
    block: int = number(
        "characters that are seen at most", validators.ge(1), validators.le(4096), default=64
    )
    dropout: float = number(
        "share left out in training", validators.ge(0), validators.lt(1), default=0.0
    )


@frozen
class Optim:
    """AdamW, with a warmup and half a cosine down to a tenth."""

    lr: float = number(
        "learning rate at its highest", validators.gt(0), validators.lt(inf), default=3e-3
    )
    weight_decay: float = number(
        "decoupled, of matrices only", validators.ge(0), validators.lt(inf), default=0.1
    )
    clip_norm: float = number(
        "the most that the gradient's norm may be", validators.gt(0), default=1.0
    )
    warmup: Length | None = field(
        default=Length(100, "steps"),
        validator=counted(*LENGTHS),
        metadata=setting(help="how long the learning rate rises; --no-optim.warmup: not at all"),
    )
    decay: Limit | None = field(
        default=None,
        validator=counted(*LENGTHS),
        metadata=setting(
            help="until when it falls: as `until`, without its times; none: it stays up"
        ),
    )


@frozen
class Sample:
    """What the model writes at each validation."""

    characters: int = number("how many", validators.ge(1), default=300)
    temperature: float = number(
        "below 1, the likely becomes likelier", validators.gt(0), validators.lt(inf), default=0.8
    )
    top_k: int = number("draw from so many, the likeliest", validators.ge(1), default=20)


@frozen
class Config:
    """The demo on text: a GPT learns to write Python's reference manual, character by character."""

    size: Literal["tiny", "small", "full"] = field(
        default="tiny", metadata=setting(help="sets the defaults: tiny, small, full")
    )
    model: Model = linked(
        Model,
        layers=link(of_size("layers"), "size"),
        heads=link(of_size("heads"), "size"),
        width=link(of_size("width"), "size"),
        block=link(of_size("block"), "size"),
        dropout=link(of_size("dropout"), "size"),
    )
    batch_size: int = link(
        of_size("batch_size"),
        "size",
        validator=validators.ge(1),
        metadata=setting(help="windows in a batch"),
    )
    until: Limit = link(
        limit_of_size("until"),
        "size",
        validator=counted(*LENGTHS, "seconds"),
        metadata=setting(help='when to stop: "5 epochs", "1M tokens", "2k steps | 10 min"'),
    )
    optim: Optim = linked(Optim, lr=link(of_size("lr"), "size"), decay=link(without_times, "until"))
    validate: Limit = link(
        limit_of_size("validate"),
        "size",
        validator=[counted(*LENGTHS, "seconds"), one_length],
        metadata=setting(help="how often to validate and to write"),
    )
    log: Limit | None = field(
        default=parse("20 steps"),
        validator=[counted(*LENGTHS, "seconds"), one_length],
        metadata=setting(help="how often to log; --no-log: only validations"),
    )
    checkpoint: Limit = field(
        default=parse("100 steps"),
        validator=[counted(*LENGTHS, "seconds"), one_length],
        metadata=setting(help="how often to save; the same command again goes on from there"),
    )
    keep: int = number("checkpoints beside the best", validators.ge(1), default=2)
    patience: Limit | None = field(
        default=None,
        validator=counted(*LENGTHS, "seconds"),
        metadata=setting(help="how long to go on without a better validation"),
    )
    accumulate: int = number("batches of an optimizer step", validators.ge(1), default=1)
    precision: Literal["fp32", "bf16", "fp16"] = field(
        default="fp32", metadata=setting(help="what is computed in")
    )
    sample: Sample = Sample()
    device: str | None = field(
        default=None,
        validator=is_here,
        metadata=setting(help="cpu, cuda, mps, ...; else the fastest there is"),
    )
    threads: int | None = link(
        of_size("threads"),
        "size",
        validator=validators.optional(validators.ge(1)),
        metadata=setting(help="of the CPU; none: as many as torch takes"),
    )
    seed: int = number(
        "of the weights, the windows and the samples",
        validators.ge(0),
        validators.lt(2**63),
        default=0,
    )
