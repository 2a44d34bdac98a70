"""`load` and `resolve`: from a schema and its layers to one frozen object."""

import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, Generic, TypeVar

from attrs import define

from treadle_config.arguments import Arguments, read_arguments
from treadle_config.build import Build
from treadle_config.class_defaults import BAD, ClassDefaults
from treadle_config.codecs import Codecs
from treadle_config.errors import ConfigError, Problem
from treadle_config.layers import LayerLike, Precedence, Stack, stack_of
from treadle_config.merge import Merge
from treadle_config.paths import known_paths
from treadle_config.plans import Choice
from treadle_config.resolution import Resolution
from treadle_config.schema import Schema
from treadle_config.tree import DEFAULT, Node

C = TypeVar("C")


def load(
    schema: type[C],
    *layers: LayerLike,
    argv: Sequence[str] | None = None,
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
        layers: A path is a file layer (`.json`, `.yaml`, `.yml`), a mapping a code layer, and
            `layer(...)` one of your own. Of one kind, the later one wins.
        argv: Arguments to read; `sys.argv` is never touched. `--config FILE` among them, at
            whatever position, adds a file layer.
        env: A prefix; every environment variable that begins with it is read.
        precedence: `"code_over_file"`: default < file < env < code < cli;
            `"file_over_code"`: default < code < file < env < cli.
        codecs: How types that are not built in are read.

    Raises:
        ConfigError: Anything that was given is wrong; all problems at once.
        SchemaError: The class cannot serve as a schema.
        MissingExtra: A YAML file was given and PyYAML is not installed.
    """
    frame = sys._getframe(1)  # noqa: SLF001  # the line that code layers are attributed to
    stack = stack_of(layers, precedence, env, frame)
    return _resolved(schema, stack, argv, codecs or Codecs(), frame).config


def resolve(
    schema: type[C],
    *layers: LayerLike,
    argv: Sequence[str] | None = None,
    env: str | None = None,
    precedence: Precedence = "code_over_file",
    codecs: Codecs | None = None,
) -> Resolution[C]:
    """Do as `load` does, and keep where every value came from.

    The arguments and what is raised are those of `load`.
    """
    frame = sys._getframe(1)  # noqa: SLF001  # the line that code layers are attributed to
    stack = stack_of(layers, precedence, env, frame)
    return _resolved(schema, stack, argv, codecs or Codecs(), frame)


@define(eq=False)
class Attempt(Generic[C]):
    """A resolution that may have failed: what could be found out, and what is wrong.

    `config` means nothing where there are problems.
    """

    cls: type[C]
    config: C
    build: Build
    problems: list[Problem]
    nodes: list[Node]
    root: Choice

    def resolution(self, stack: Stack, codecs: Codecs) -> Resolution[C]:
        """The resolution, if it is one.

        Raises:
            ConfigError: There are problems.
        """
        if self.problems:
            raise ConfigError(self.problems)

        def again(nodes: list[Node], frame: FrameType) -> Resolution[C]:
            schema = codecs.schema
            schema.names = frame.f_locals
            try:
                return assemble(self.cls, schema, nodes, []).resolution(stack, codecs)
            finally:
                schema.names = {}

        return Resolution(
            self.config, self.build, self.root, stack.precedence, self.nodes, again=again
        )


def attempt(cls: type[C], stack: Stack, arguments: Arguments | None, codecs: Codecs) -> Attempt[C]:
    """Read and build everything, raising nothing for what was given wrongly."""
    schema = codecs.schema
    root = schema.root(cls)
    problems: list[Problem] = []
    nodes = stack.read(schema, root, problems)
    if arguments is not None:
        problems += arguments.problems
        if arguments.node is not None:
            nodes.append(arguments.node)
    return assemble(cls, schema, nodes, problems)


def assemble(
    cls: type[C], schema: Schema, nodes: list[Node], problems: list[Problem]
) -> Attempt[C]:
    """Merge layers and build the object."""
    root = schema.root(cls)
    merge = Merge(schema, problems, over_defaults=True)
    tree = Node({}, DEFAULT)
    for node in nodes:
        tree = merge.merge(root, tree, node, "") or tree
    build = Build(
        schema, problems, lambda: known_paths(schema, root), ClassDefaults(schema, problems)
    )
    config = build.value(root, tree, "")
    assert config is not BAD or problems, "a value was refused without a problem"
    return Attempt(cls, config, build, problems, nodes, root)


def _resolved(
    cls: type[C], stack: Stack, argv: Sequence[str] | None, codecs: Codecs, frame: FrameType
) -> Resolution[C]:
    schema = codecs.schema
    # Only while this call lasts: a frame's locals keep whatever they name alive.
    schema.names = frame.f_locals
    try:
        arguments = None
        if argv is not None:
            arguments = read_arguments(schema, schema.root(cls), argv)
            stack = with_files(stack, arguments.files)
        return attempt(cls, stack, arguments, codecs).resolution(stack, codecs)
    finally:
        schema.names = {}


def with_files(stack: Stack, files: Sequence[str]) -> Stack:
    """The stack with the files that argv names after those that code names."""
    layers: tuple[Any, ...] = (*stack.layers, *files)
    return Stack(layers, stack.precedence, stack.env, stack.site)
