"""`run_cli`: a program of one function, whose config comes from the command line."""

import inspect
import os
import sys
import typing
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn, TypeVar

from treadle_config.arguments import Arguments, read_arguments
from treadle_config.codecs import Codecs
from treadle_config.declared_fields import is_class
from treadle_config.dump import json_text
from treadle_config.errors import ConfigError, MissingExtra, SchemaError
from treadle_config.help_page import help_page
from treadle_config.layers import LayerLike, Precedence, Stack, stack_of
from treadle_config.resolve import attempt, with_files

C = TypeVar("C")
R = TypeVar("R")

_PRINTED = ("resolved", "source", "provenance")


def run_cli(
    main: Callable[[C], R],
    *layers: LayerLike,
    argv: Sequence[str] | None = None,
    prog: str | None = None,
    env: str | None = None,
    precedence: Precedence = "code_over_file",
    codecs: Codecs | None = None,
) -> R:
    """Call a function with the config that the command line says.

    ```python
    def main(config: Config) -> None: ...


    if __name__ == "__main__":
        run_cli(main)  # python train.py --data.batch-size 64 --config train.yaml --help
    ```

    `--help` prints every setting, `--print-config[=source|provenance]` the config as JSON or
    where it came from; both stop with exit code 0. What was given wrongly is printed to
    stderr, all of it, without a traceback, and stops with exit code 2 before `main` is called.
    What `main` raises is not touched.

    Args:
        main: Takes one config; its class is read from the annotation.
        layers: As for `load`; `--config FILE` adds files after those.
        argv: The arguments without the program's name; `sys.argv[1:]` by default.
        prog: What the program is called; `sys.argv[0]` by default.
        env: As for `load`.
        precedence: As for `load`.
        codecs: As for `load`.

    Returns:
        What `main` returns.

    Raises:
        SchemaError: The class cannot serve as a schema, or `main` has no annotation.
        SystemExit: As above.
    """
    frame = sys._getframe(1)  # noqa: SLF001  # whose locals an annotation of main may name
    cls = _config_class(main, frame)
    name = prog or os.path.basename(sys.argv[0])  # noqa: PTH119  # text, not a path to open
    codecs = codecs or Codecs()
    stack = stack_of(layers, precedence, env, frame)
    schema = codecs.schema
    # Only while this call lasts: a frame's locals keep whatever they name alive.
    schema.names = frame.f_locals
    try:
        allowed = ("help", "print_config")
        given = sys.argv[1:] if argv is None else argv
        arguments = read_arguments(schema, schema.root(cls), given, allowed)
        config = _config(
            cls, with_files(stack, arguments.files), arguments, codecs, prog=name, main=main
        )
    except (ConfigError, MissingExtra) as error:
        _refuse(name, str(error))
    finally:
        schema.names = {}
    return main(config)


def _config(
    cls: type[C],
    stack: Stack,
    arguments: Arguments,
    codecs: Codecs,
    *,
    prog: str,
    main: Callable[[C], Any],
) -> C:
    found = attempt(cls, stack, arguments, codecs)
    if "help" in arguments.options:
        page = help_page(found.build, found.root, prog, _summary(main))
        print(page, end="")  # noqa: T201  # what a command line is for
        if found.problems:
            print(f"\n{ConfigError(found.problems)}", file=sys.stderr)  # noqa: T201
        raise SystemExit(0)
    resolution = found.resolution(stack, codecs)
    if "print_config" in arguments.options:
        wanted = arguments.options["print_config"] or "resolved"
        if wanted == "provenance":
            text = resolution.explain()
        elif wanted == "source":
            text = json_text(resolution.dump("source"))
        elif wanted == "resolved":
            text = json_text(resolution.dump("resolved"))
        else:
            _refuse(prog, f"--print-config={wanted}: expected one of {', '.join(_PRINTED)}")
        print(text, end="")  # noqa: T201
        raise SystemExit(0)
    return resolution.config


def _refuse(prog: str, said: str) -> NoReturn:
    print(f"{prog}: {said}\n{prog} --help lists every setting", file=sys.stderr)  # noqa: T201
    raise SystemExit(2)


def _config_class(main: Callable[[C], Any], frame: FrameType) -> type[C]:
    parameters = list(inspect.signature(main).parameters.values())
    name = getattr(main, "__qualname__", repr(main))
    if not parameters or parameters[0].annotation is inspect.Parameter.empty:
        raise SchemaError(
            f"{name} says no config class; annotate its parameter, as in `def main(config: Config)`"
        )
    try:
        hints = typing.get_type_hints(main, localns=frame.f_locals)
    except NameError as error:
        raise SchemaError(f"the annotation of {name} cannot be read ({error})") from error
    cls = hints[parameters[0].name]
    if not is_class(cls):
        raise SchemaError(f"{name} takes {cls!r}; annotate it with an attrs class or a dataclass")
    found: type[C] = cls
    return found


def _summary(main: Callable[..., Any]) -> str:
    return (inspect.getdoc(main) or "").strip().partition("\n")[0]
