"""`run_cli`: a program of one function, whose config comes from the command line."""

import contextlib
import functools
import inspect
import os
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any, TextIO, TypeVar

from treadle_config.arguments import Arguments
from treadle_config.build import Build
from treadle_config.codecs import Codecs
from treadle_config.dump import json_text
from treadle_config.errors import ConfigError, DumpError, MissingExtra, Problem, SchemaError
from treadle_config.fields import is_class
from treadle_config.layers import COMMAND_LINE_RANK, LayerLike, Precedence
from treadle_config.resolution import Resolution
from treadle_config.resolve import attempt
from treadle_config.tree import Source

C = TypeVar("C")
R = TypeVar("R")

_HELP = ("-h", "--help", "--help=all")
_PRINTED = ("resolved", "source", "provenance", "schema", "argv")
_BROKEN_PIPE = 141
"""What a shell reports of a program that ended because nobody read on (128 and SIGPIPE's 13)."""


def run_cli(
    main: Callable[[C], R],
    *layers: LayerLike,
    argv: Iterable[str] | None = None,
    prog: str | None = None,
    env: str | None = None,
    precedence: Precedence = "code_over_file",
    codecs: Codecs | None = None,
) -> R:
    """Call a function with the config given on the command line.

    ```python
    def main(config: Config) -> None: ...


    if __name__ == "__main__":
        run_cli(main)  # python train.py --data.batch-size 64 --config train.yaml --help
    ```

    `--help` prints every setting, with the fields of the chosen subtypes, `--help all` with those
    of all; `--print-config` prints the config as JSON, `=source` what of it was given,
    `=provenance` where it came from, `=argv` a command line that gives it by itself, and `=schema`
    every path there is. All of these stop with exit code 0. Every mistake in what was given is
    printed to stderr, without a traceback, and the program stops with exit code 2 before `main` is
    called. If stdout cannot be written, stderr says so, and the exit code is 1; if nobody reads it
    any more, the exit code is 141, and nothing is said. What `main` raises is left alone.

    Args:
        main: Takes one config; its class is read from the annotation. If that is
            `Resolution[Config]`, it gets the resolution, which knows where every value came from.
        layers: As for `load`; `--config FILE` adds files after those.
        argv: The arguments without the program's name; `sys.argv[1:]` by default.
        prog: What the program is called; `sys.argv[0]` by default.
        env: As for `load`.
        precedence: As for `load`.
        codecs: As for `load`.

    Returns:
        What `main` returns; for an exit code, write `sys.exit(run_cli(main))`.

    Raises:
        SchemaError: The class cannot serve as a schema, or `main` has no annotation, or wants more
            than a config.
        TypeError: `main` cannot be called with a config.
        SystemExit: As above.
    """
    frame = sys._getframe(1)  # noqa: SLF001  # whose locals an annotation of main may name
    if not callable(main):
        raise TypeError(f"run_cli({main!r}): give the function to call with the config")
    if is_class(main):
        raise TypeError(
            f"run_cli({main.__name__}): give a function that takes one; for the config alone, "
            f"load({main.__name__}, argv=sys.argv[1:])"
        )
    cls, wants_resolution = _config_class(main, frame)
    name = prog or os.path.basename(sys.argv[0])  # noqa: PTH119  # text, not a path to open
    words = sys.argv[1:] if argv is None else argv
    if isinstance(words, Iterator):
        words = list(words)  # they may be read twice

    def tried(layers: Sequence[LayerLike], words: Iterable[str]) -> tuple[Build, Arguments]:
        return attempt(
            cls,
            layers,
            frame,
            argv=words,
            env=env,
            precedence=precedence,
            codecs=codecs,
            trace=wants_resolution,
            options=("help", "print_config"),
        )

    missing = ""
    try:
        try:
            build, arguments = tried(layers, words)
        except MissingExtra as error:
            if not (help_words := _help_words(words)):
                raise
            # Without the files that cannot be read, the page is still of use.
            build, arguments = tried((), help_words)
            missing = f"\n{error}\n"
        options = arguments.options
        page = _page(build, options, name, _summary(main))
        if page is not None:
            # With mistakes, too: it is where one looks for what is right.
            _answer(page, name)
            # That something is required is on the page.
            wrong = [one for one in build.problems if one.source is not None]
            _complain(missing or (f"\n{ConfigError(wrong)}\n" if wrong else ""))
            raise SystemExit(0)
        wanted = options.get("print_config", "") or "resolved"
        if wanted not in _PRINTED:
            source = Source("cli", "--print-config", order=(COMMAND_LINE_RANK, 0))
            expected = f"one of {', '.join(_PRINTED)}"
            build.problems.append(Problem("", source, wanted, expected))
        if build.problems:
            raise ConfigError(build.problems)  # noqa: TRY301  # said as all others are
        if "print_config" in options:
            _answer(_printed(build, Resolution[C](build, precedence), wanted), name)
            raise SystemExit(0)
    except DumpError as error:
        _complain(f"{name}: {error}\n")
        raise SystemExit(1) from None
    except (ConfigError, MissingExtra) as error:
        _complain(f"{name}: {error}\n{name} --help lists every setting\n")
        raise SystemExit(2) from None
    given: Any = Resolution[C](build, precedence) if wants_resolution else build.made
    return main(given)


def _help_words(words: Iterable[str]) -> list[str]:
    pairs = zip(("", *words), words, strict=False)
    return [word for before, word in pairs if word in _HELP or (word == "all" and before in _HELP)]


def _page(build: Build, options: Mapping[str, str | None], prog: str, doc: str) -> str | None:
    """What was asked for of the schema, whatever the values are."""
    if "help" in options:
        # Imported here, as below: most runs ask for neither.
        from treadle_config.help_page import help_page

        return help_page(build, prog, doc, every_subtype=options["help"] == "all")
    if options.get("print_config") == "schema":
        from treadle_config.schema_page import schema_page

        return schema_page(build.schema, build.root)
    return None


def _printed(build: Build, resolution: Resolution[Any], wanted: str) -> str:
    if wanted == "argv":
        import shlex

        from treadle_config.to_argv import to_argv

        return f"{shlex.join(to_argv(build.schema, build.root, build.made, build.values))}\n"
    if wanted == "provenance":
        return resolution.explain()
    if wanted == "source":
        return json_text(resolution.dump("source"), _encoding(sys.stdout))
    return json_text(resolution.dump("resolved"), _encoding(sys.stdout))


def _answer(text: str, prog: str) -> None:
    """Print what was asked for, and stop where that cannot be done."""
    try:
        _write(text, sys.stdout)
    except BrokenPipeError:
        raise SystemExit(_BROKEN_PIPE) from None
    except OSError as error:
        _complain(f"{prog}: standard output cannot be written: {error.strerror or error}\n")
        raise SystemExit(1) from None


def _complain(text: str) -> None:
    if not text:
        return
    # There is nowhere to say that stderr cannot be written; the exit code says enough.
    with contextlib.suppress(OSError):
        _write(text, sys.stderr)


def _write(text: str, stream: TextIO | None) -> None:
    if stream is None:  # closed before the program began
        return
    encoding = _encoding(stream)
    try:
        # What a terminal or a pipe cannot show is shown escaped, rather than as a traceback.
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except OSError:
        # Python writes the rest when it ends, and would fail again, with a traceback.
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        raise


def _encoding(stream: TextIO | None) -> str:
    return getattr(stream, "encoding", None) or "utf-8"  # a stream in memory has none


def _config_class(main: Callable[[C], Any], frame: FrameType) -> tuple[type[Any], bool]:
    """The schema that a function wants, and whether it is the resolution that it takes."""
    parameters = list(inspect.signature(main).parameters.values())
    name = getattr(main, "__qualname__", repr(main))
    if not parameters or parameters[0].annotation is inspect.Parameter.empty:
        raise SchemaError(
            f"{name} names no config class; annotate its parameter, as in `def main(config: Config)`"
        )
    for one in parameters[1:]:
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            raise SchemaError(
                f"{name} needs {one.name!r} as well, but is called with the config alone; give it "
                "a default"
            )
    try:
        hints = typing.get_type_hints(_annotated(main), localns=frame.f_locals)
    except (NameError, TypeError) as error:
        raise SchemaError(f"the annotation of {name} cannot be read ({error})") from error
    cls = hints[parameters[0].name]
    wants_resolution = typing.get_origin(cls) is Resolution
    if wants_resolution:
        [cls] = typing.get_args(cls)
    if not is_class(typing.get_origin(cls) or cls):
        raise SchemaError(f"{name} takes {cls!r}; annotate it with an attrs class or a dataclass")
    return cls, wants_resolution


def _annotated(main: Callable[..., Any]) -> Callable[..., Any]:
    """The function that has the annotations of what is called."""
    called: Any = main
    while isinstance(called, functools.partial):
        called = called.func
    if isinstance(called, type):
        called = getattr(called, "__init__")  # noqa: B009  # of the class, not of an instance
    elif not inspect.isroutine(called):
        called = type(called).__call__
    return typing.cast("Callable[..., Any]", called)


def _summary(main: Callable[..., Any]) -> str:
    return (inspect.getdoc(main) or "").strip().partition("\n")[0]
