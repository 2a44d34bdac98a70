"""Parts of a load, each beside the plain thing: reading YAML, and decoding dicts."""

from collections.abc import Mapping
from enum import Enum
from itertools import count
from pathlib import Path
from typing import Any

import cattrs
import yaml
from harness import Row, again, repeated
from plain import check
from schema import EXPECTED, FILE, Config

from treadle_config import Codecs
from treadle_config.include import Files
from treadle_config.include import _sources as sources_of_lines
from treadle_config.yaml_reader import read_yaml

DICTS = 10_000
SECTIONS = 100


def yaml_rows(file: Path, large: Path) -> list[tuple[str, list[Row]]]:
    """Tables of reading the benchmark's file, and of one that repeats it many times."""
    sections = FILE.replace("\n", "\n  ").rstrip()
    large.write_text("".join(f"part_{one}:\n  {sections}\n" for one in range(SECTIONS)))
    return [
        (f"reading {file.name}, {len(FILE.splitlines())} lines", _yaml_rows(file, 50)),
        (f"the same {SECTIONS} times in one file", _yaml_rows(large, 1)),
    ]


def _yaml_rows(file: Path, times: int) -> list[Row]:
    name, text = str(file), file.read_text(encoding="utf-8")

    def plainly() -> Any:
        return yaml.load(text, yaml.CSafeLoader)

    def with_lines() -> Any:
        return read_yaml(text, name, sources_of_lines(name, 1))

    def plain_file() -> Any:
        with file.open("rb") as stream:
            return yaml.load(stream, yaml.CSafeLoader)

    def layer_of_file() -> Any:
        problems: list[Any] = []
        (layer,) = Files(count(1), problems, includes=True).read(file)
        return layer

    least = Row("yaml.load(text, CSafeLoader)", repeated(plainly, times))
    return [
        least,
        Row("our reader, with lines", repeated(with_lines, times), gate=0.8),
        again(least),
        Row("yaml.load(stream, CSafeLoader), the file opened", repeated(plain_file, times)),
        Row("our layer, the file looked at and opened", repeated(layer_of_file, times)),
    ]


def decode_rows() -> list[Row]:
    """Rows of decoding dicts that say every field, as JSON would."""
    values = [{**_written(EXPECTED), "seed": number} for number in range(DICTS)]
    converter, codecs = cattrs.Converter(), Codecs()
    for name, made in {
        "cattrs": converter.structure({**values[0], "seed": 3}, Config),
        "Codecs.decode": codecs.decode({**values[0], "seed": 3}, Config),
    }.items():
        check(name, made)

    def by_cattrs() -> Any:
        return [converter.structure(value, Config) for value in values]

    def by_codecs() -> Any:
        return [codecs.decode(value, Config) for value in values]

    least = Row("cattrs: converter.structure(value, Config)", repeated(by_cattrs))
    return [
        least,
        Row("codecs.decode(value, Config)", repeated(by_codecs), gate=1.2),
        again(least),
    ]


def _written(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _written(one) for key, one in value.items()}
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value
