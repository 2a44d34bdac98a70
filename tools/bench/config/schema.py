"""The schema that is timed: 60 leaves in 10 attrs classes on 3 levels, and what is given for it.

The defaults are written as attrs allows. Other kinds of classes are made from this text by
`written.py`, so every system has classes that someone could have written for it.
"""

from enum import Enum
from pathlib import Path
from typing import Any

from attrs import Factory, frozen


class Activation(Enum):
    """Names and values are the same, since some systems read one and some the other."""

    relu = "relu"
    gelu = "gelu"
    silu = "silu"


class Precision(Enum):
    """As above."""

    fp32 = "fp32"
    bf16 = "bf16"


@frozen
class Loader:
    """7 leaves."""

    batch_size: int = 32
    workers: int = 2
    prefetch: int = 4
    shuffle: bool = True
    pin_memory: bool = False
    drop_last: bool = False
    timeout: float = 60.0


@frozen
class Augmentation:
    """6 leaves."""

    flip: bool = True
    crop: int = 224
    jitter: float = 0.1
    mixup: float = 0.0
    scales: list[float] = Factory(lambda: [0.5, 1.0, 2.0])
    fill: int = 0


@frozen
class Data:
    """6 leaves."""

    root: Path = Path("data")
    dataset: str = "images"
    splits: list[str] = Factory(lambda: ["train", "validation"])
    validation_share: float = 0.1
    limit: int | None = None
    cache: bool = False
    loader: Loader = Loader()
    augmentation: Augmentation = Augmentation()


@frozen
class Attention:
    """6 leaves."""

    heads: int = 8
    head_width: int | None = None
    dropout: float = 0.0
    causal: bool = False
    window: int | None = None
    scale: float | None = None


@frozen
class Model:
    """7 leaves."""

    architecture: str = "transformer"
    width: int = 512
    depth: int = 12
    dropout: float = 0.1
    activation: Activation = Activation.gelu
    tied: bool = True
    stages: list[int] = Factory(lambda: [2, 2, 6, 2])
    attention: Attention = Attention()


@frozen
class Decay:
    """5 leaves."""

    kind: str = "cosine"
    warmup: int = 1000
    steps: int = 100000
    lowest: float = 0.0
    restarts: list[int] = Factory(list)


@frozen
class Optimizer:
    """7 leaves."""

    kind: str = "adamw"
    lr: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    weight_decay: float = 0.01
    epsilon: float = 0.00000001
    clip: float | None = 1.0
    decay: Decay = Decay()


@frozen
class Trainer:
    """8 leaves."""

    epochs: int = 10
    accumulate: int = 1
    precision: Precision = Precision.fp32
    compile: bool = False
    deterministic: bool = False
    validate_every: int = 1
    patience: int | None = None
    checkpoint: Path | None = None


@frozen
class Logging:
    """4 leaves."""

    directory: Path = Path("runs")
    every: int = 50
    console: bool = True
    tags: dict[str, str] = Factory(dict)


@frozen
class Config:
    """4 leaves; 60 with all that is below."""

    name: str = "run"
    seed: int = 7
    output: Path = Path("out")
    notes: str | None = None
    data: Data = Data()
    model: Model = Model()
    optimizer: Optimizer = Optimizer()
    trainer: Trainer = Trainer()
    logging: Logging = Logging()


FILE = """\
# Twenty of the sixty.
seed: 3
output: results/first
data:
  root: /data/images
  splits: [train, validation, test]
  loader:
    workers: 4
    pin_memory: true
    timeout: 12.5
  augmentation:
    mixup: 0.2
    scales: [0.75, 1.25]
model:
  width: 768
  activation: silu
  stages: [3, 3, 9, 3]
  attention:
    heads: 12
    window: 64
optimizer:
  lr: 0.0003
  clip: 0.5
  decay:
    warmup: 2000
trainer:
  epochs: 30
  patience: 5
logging:
  tags:
    team: vision
    stage: trial
"""

OVERRIDES = {
    "name": "probe",
    "data.loader.batch_size": "64",
    "optimizer.lr": "0.0001",
    "trainer.precision": "bf16",
    "trainer.compile": "true",
}
"""What the command line says, by dotted path."""

ARGV = [f"--{path}={text}" for path, text in OVERRIDES.items()]

EXPECTED: dict[str, Any] = {
    "name": "probe",
    "seed": 3,
    "output": Path("results/first"),
    "notes": None,
    "data": {
        "root": Path("/data/images"),
        "dataset": "images",
        "splits": ["train", "validation", "test"],
        "validation_share": 0.1,
        "limit": None,
        "cache": False,
        "loader": {
            "batch_size": 64,
            "workers": 4,
            "prefetch": 4,
            "shuffle": True,
            "pin_memory": True,
            "drop_last": False,
            "timeout": 12.5,
        },
        "augmentation": {
            "flip": True,
            "crop": 224,
            "jitter": 0.1,
            "mixup": 0.2,
            "scales": [0.75, 1.25],
            "fill": 0,
        },
    },
    "model": {
        "architecture": "transformer",
        "width": 768,
        "depth": 12,
        "dropout": 0.1,
        "activation": Activation.silu,
        "tied": True,
        "stages": [3, 3, 9, 3],
        "attention": {
            "heads": 12,
            "head_width": None,
            "dropout": 0.0,
            "causal": False,
            "window": 64,
            "scale": None,
        },
    },
    "optimizer": {
        "kind": "adamw",
        "lr": 0.0001,
        "beta1": 0.9,
        "beta2": 0.999,
        "weight_decay": 0.01,
        "epsilon": 0.00000001,
        "clip": 0.5,
        "decay": {
            "kind": "cosine",
            "warmup": 2000,
            "steps": 100000,
            "lowest": 0.0,
            "restarts": [],
        },
    },
    "trainer": {
        "epochs": 30,
        "accumulate": 1,
        "precision": Precision.bf16,
        "compile": True,
        "deterministic": False,
        "validate_every": 1,
        "patience": 5,
        "checkpoint": None,
    },
    "logging": {
        "directory": Path("runs"),
        "every": 50,
        "console": True,
        "tags": {"team": "vision", "stage": "trial"},
    },
}
"""What every system has to make of the file and the overrides."""
