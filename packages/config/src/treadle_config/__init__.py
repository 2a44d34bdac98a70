"""One frozen config object, and where every value came from.

```python
from attrs import frozen
from treadle_config import load


@frozen
class Config:
    lr: float = 1e-3
    epochs: int = 10


config = load(Config, {"lr": 3e-4}, argv=["--epochs", "5"])
```
"""

from treadle_config.codecs import Codecs
from treadle_config.command_line import run_cli
from treadle_config.dump import dump
from treadle_config.errors import (
    ConfigError,
    DumpError,
    LinkError,
    MissingExtra,
    Problem,
    SchemaError,
    TreadleConfigError,
    UnknownPath,
)
from treadle_config.flatten import diff, flatten
from treadle_config.layers import Layer, layer
from treadle_config.links import link, linked
from treadle_config.resolution import Resolution
from treadle_config.resolve import load, resolve
from treadle_config.settings import setting
from treadle_config.tree import Source

__all__ = [
    "Codecs",
    "ConfigError",
    "DumpError",
    "Layer",
    "LinkError",
    "MissingExtra",
    "Problem",
    "Resolution",
    "SchemaError",
    "Source",
    "TreadleConfigError",
    "UnknownPath",
    "diff",
    "dump",
    "flatten",
    "layer",
    "link",
    "linked",
    "load",
    "resolve",
    "run_cli",
    "setting",
]
