"""`load` and `resolve`: from a schema and its layers to one frozen object."""

import sys
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import TypeVar

from treadle_config.arguments import Arguments, read_arguments, understood
from treadle_config.build import Build
from treadle_config.codecs import Codecs
from treadle_config.dump_header import effective
from treadle_config.errors import ConfigError, Problem
from treadle_config.given import given_codecs
from treadle_config.layers import LayerLike, Precedence, check_layers, read_layers
from treadle_config.links import holds_links
from treadle_config.resolution import Resolution

C = TypeVar("C")


def load(
    schema: type[C],
    *layers: LayerLike,
    argv: Iterable[str] | None = None,
    env: str | None = None,
    precedence: Precedence = "code_over_file",
    codecs: Codecs | None = None,
) -> C:
    """Make one config from a schema and its layers.

    ```python
    config = load(Config, "train.yaml", {"data": {"batch_size": 64}}, argv=sys.argv[1:])
    ```

    Args:
        schema: An attrs class or a dataclass.
        layers: A path is a file layer (`.json`, `.toml`, `.yaml`, `.yml`), a mapping a code layer,
            and `layer(...)` one of your own; an instance of the schema is a code layer that gives
            every field. Of one kind, the later one wins.
        argv: Arguments to read; `sys.argv` is never touched. `--config FILE` among them, at any
            position, adds a file layer.
        env: A prefix; every environment variable that begins with it is read.
        precedence: `"code_over_file"`: default < file < env < code < cli;
            `"file_over_code"`: default < code < file < env < cli.
        codecs: How types that are not built in are read.

    Raises:
        ConfigError: Something that was given is wrong; it lists all problems at once.
        SchemaError: The class cannot serve as a schema.
        MissingExtra: A YAML file was given and PyYAML is not installed.
        TypeError: An argument is of the wrong kind; ValueError if only its value is wrong.
    """
    frame = sys._getframe(1)  # noqa: SLF001  # the line that code layers are attributed to
    build, _ = attempt(
        schema, layers, frame, argv=argv, env=env, precedence=precedence, codecs=codecs, trace=False
    )
    if build.problems:
        raise ConfigError(build.problems)
    config: C = build.made
    return config


def resolve(
    schema: type[C],
    *layers: LayerLike,
    argv: Iterable[str] | None = None,
    env: str | None = None,
    precedence: Precedence = "code_over_file",
    codecs: Codecs | None = None,
) -> Resolution[C]:
    """Do what `load` does, and keep where every value came from.

    It takes the arguments of `load`, and raises the same.
    """
    frame = sys._getframe(1)  # noqa: SLF001  # the line that code layers are attributed to
    build, _ = attempt(
        schema, layers, frame, argv=argv, env=env, precedence=precedence, codecs=codecs, trace=True
    )
    return Resolution[C](build, precedence)


def attempt(
    cls: type,
    layers: Sequence[LayerLike],
    frame: FrameType,
    *,
    argv: Iterable[str] | None,
    env: str | None,
    precedence: Precedence,
    codecs: Codecs | None,
    trace: bool,
    options: Sequence[str] = (),
) -> tuple[Build, Arguments]:
    """Read and build everything, raising nothing for what was given wrongly.

    The arguments are those of `load`, with the frame that called it, whether to keep where each
    value came from, and the `options` that argv may have beside settings; where there are any,
    it is kept.
    """
    codecs = given_codecs(codecs)
    schema, shortcut = codecs.schema, codecs.shortcut
    with schema.naming(frame.f_locals):
        root = schema.root(cls)
        check_layers(cls, layers, precedence, env, has_secrets=schema.has_secrets)
        arguments = Arguments() if argv is None else read_arguments(schema, root, argv, options)
        given = [*layers, *arguments.files]
        problems: list[Problem] = []
        nodes = read_layers(schema, root, given, precedence, env, frame=frame, problems=problems)
        arguments = understood(arguments, schema, root, nodes)
        nodes += arguments.nodes
        problems += arguments.problems
        traced = trace or bool(arguments.options)
        nodes = effective(schema, root, nodes, problems)
        build = Build(
            schema,
            root,
            nodes,
            problems,
            trace=traced,
            linking=holds_links(nodes),
            env=env or "",
            shortcut=shortcut,
        )
        return build, arguments
