"""A script in one line: its config from the command line, and a run of its own that a second start resumes."""

import inspect
import shlex
import sys
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from traceback import walk_tb
from typing import Any, Literal, TypeVar

from attrs import field, frozen

from treadle.errors import TreadleError, WrongArgument
from treadle.surroundings import environment, revision
from treadle_config import ConfigError, Resolution, flatten, resolve, run_cli, setting
from treadle_tracking import (
    InvalidName,
    InvalidTarget,
    Run,
    Terminated,
    TrackingError,
    start_run,
)
from treadle_units import UnitsError

__all__ = ["RunOptions", "launch"]

R = TypeVar("R")

_PREFIX = "--run."

_HELP = {
    "target": "where it is recorded: tensorboard:DIR, mlflow:URI, or both",
    "experiment": "what it belongs to; else the script's name",
    "name": "its name; else one is made",
    "uid": "its identity; else one is made",
    "resume": "auto resumes the unfinished run of this name or, without a name, of this config; must; never",
    "changed": "resume although the config has changed",
}


def _described(name: str, default: Any) -> Any:
    return field(default=default, metadata=setting(help=_HELP[name]))


@frozen
class RunOptions:
    """Where a script's run is recorded, and which run it resumes."""

    target: tuple[str, ...] = _described("target", ("tensorboard:runs",))
    experiment: str | None = _described("experiment", None)
    name: str | None = _described("name", None)
    uid: str | None = _described("uid", None)
    resume: Literal["auto", "must", "never"] = _described("resume", "auto")
    changed: bool = _described("changed", False)


@frozen
class _Own:
    """The words of the command line that are about the run, as a config of their own."""

    run: RunOptions = RunOptions()


def launch(
    main: Callable[[Any, Run], R],
    *layers: Mapping[str, Any] | str | Path,
    target: str | Sequence[str] | None = None,
    experiment: str | None = None,
    argv: Iterable[str] | None = None,
    prog: str | None = None,
    command: Sequence[str] | None = None,
    **options: Any,
) -> R:
    """Call `main` with the config given on the command line, and with a run that records it.

    ```python
    def main(config: Config, run: Run) -> None: ...


    if __name__ == "__main__":
        launch(main)  # python train.py --optim.lr 3e-3 --run.target mlflow:sqlite:///mlflow.db
    ```

    The command line is that of `run_cli`, with `--run.…` for the run: see `RunOptions`. Started again with the same
    config, the script resumes its run unless that has finished: `fit(…, checkpoint=…, run=run)` finds its place.
    Under a launcher such as torchrun, every process gets the config, and only the first gets the run that records.

    The run has the config as its parameters; where each value came from, and the environment, as artifacts in
    `launch/`; and the revision of the code and the command that resumes the run as tags.

    Args:
        main: Takes a config, whose class is read from the annotation, and the run.
        layers: As for `run_cli`.
        target: Where runs are recorded unless `--run.target` says otherwise.
        experiment: What they belong to unless `--run.experiment` says otherwise; by default the script's name.
        argv: The arguments without the program's name; `sys.argv[1:]` by default.
        prog: What the program is called; `sys.argv[0]` by default.
        command: The words that start it, before its arguments; by default those that started this program. They are
            recorded with the run, and printed when it is stopped, for resuming it.
        options: `env`, `precedence` and `codecs` as for `run_cli`.

    Returns:
        What `main` returns.

    Raises:
        WrongArgument: `main` does not take a config and a run, or its config has a field named `run`.
        SystemExit: With code 2 if the command line is wrong; 1 if the run cannot be recorded or resumed, or something
            cannot be trained, with its message and the line of `main`'s file that it came from; 130 after Ctrl-C and
            143 after SIGTERM, with the command that resumes the run. Whatever else `main` raises is left alone.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    program = prog or Path(sys.argv[0]).name
    cls = config_class(main)
    begin = list(command or _started_as())
    own, others = _divided(words)
    given: dict[str, Any] = {"experiment": experiment or Path(program).stem or "default"}
    if target is not None:
        given["target"] = [target] if isinstance(target, str) else list(target)
    try:
        wanted = resolve(_Own, {"run": given}, argv=own).config.run
    except ConfigError as error:
        _complain(program, f"{error}\n{program} --help lists every setting")
        sys.exit(2)

    def launched(resolution: Resolution[Any]) -> R:
        return _launched(main, resolution, wanted, program, begin=begin, words=words)

    launched.__doc__ = inspect.getdoc(main)
    launched.__qualname__ = getattr(main, "__qualname__", program)
    launched.__annotations__["resolution"] = Resolution[cls]  # type: ignore[valid-type]  # it is read at run time
    try:
        return run_cli(launched, *layers, argv=others, prog=program, **options)
    except SystemExit as end:
        if end.code == 0 and {"--help", "-h"} & set(words):
            sys.stdout.write(_help())
        raise


def _launched(
    main: Callable[[Any, Run], R],
    resolution: Resolution[Any],
    wanted: RunOptions,
    program: str,
    *,
    begin: Sequence[str],
    words: Sequence[str],
) -> R:
    # Here, and not above: a mistyped flag need not wait for torch.
    from treadle_loop import LoopError

    run, again = None, ""
    try:
        run = start_run(
            list(wanted.target),
            experiment=wanted.experiment or "default",
            name=wanted.name,
            uid=wanted.uid,
            resume=wanted.resume,
            params=resolution.config,
            if_changed="record" if wanted.changed else "refuse",
        )
        again = _again(begin, words, run)
        with run:
            _describe(run, resolution, again)
            _announce(run, program)
            return main(resolution.config, run)
    except (KeyboardInterrupt, Terminated) as stop:
        if run is not None and run.recording:
            _complain(program, f"stopped; the run is {run.status}; to resume it: {again}")
        if isinstance(stop, Terminated):
            raise
        sys.exit(130)  # what a shell gives for SIGINT
    except (TreadleError, TrackingError, UnitsError, LoopError) as error:
        text = str(error).replace("if_changed='record'", f"{_PREFIX}changed")
        # What a loop says of a loss or a loader does not say which; what the others say needs no more words.
        _complain(program, text + (_place(error, main) if isinstance(error, LoopError) else ""))
        sys.exit(2 if isinstance(error, InvalidTarget | InvalidName) else 1)


def _place(error: BaseException, main: Callable[..., Any]) -> str:
    """The last line of main's file on the way to an error; empty where it is not on it."""
    file = getattr(getattr(inspect.unwrap(main), "__code__", None), "co_filename", None)
    lines = [
        line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == file
    ]
    return f" ({Path(str(file)).name}, line {lines[-1]})" if lines else ""


def _describe(run: Run, resolution: Resolution[Any], again: str) -> None:
    if not run.recording:
        return
    run.tag({"command": again, **revision()})
    sources = {path: str(resolution.source(path)) for path in flatten(resolution.config)}
    run.json("launch/config", resolution.dump("source"))
    run.json("launch/provenance", sources)
    run.json("launch/environment", environment())


def _announce(run: Run, program: str) -> None:
    """Say where a new run is, if somebody sees it: in a pipe or a file, a script that goes well says nothing."""
    if not run.recording or run.resumed or sys.stderr is None:  # for a resumed one it was said
        return
    with suppress(OSError, ValueError):  # whoever has closed stderr does not want to know
        if sys.stderr.isatty():
            show = shlex.join(["treadle", "runs", "show", str(run.root), run.uid[:8]])
            _complain(program, f"the run is in {run.directory}; to look at it: {show}")


def _started_as() -> list[str]:
    """The words of the command line before its arguments: Python's options, and a script or `-m` and a module."""
    count = len(sys.argv) - 1
    if count and sys.orig_argv[-count:] != sys.argv[1:]:
        return [sys.executable, sys.argv[0]]
    return [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - count]]


def _again(begin: Sequence[str], words: Sequence[str], run: Run) -> str:
    """The command that resumes the run, whatever was started beside it."""
    own = [f"{_PREFIX}uid", run.uid, f"{_PREFIX}resume", "must"]
    return shlex.join([*begin, *_without(words, ("uid", "resume")), *own])


def _divided(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Words about the run, as `RunOptions` has them, and all others."""
    own: list[str] = []
    others: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            others += [word, *rest]
        elif not word.startswith(_PREFIX):
            others.append(word)
        else:
            own.append(word)
            if "=" not in word and word != f"{_PREFIX}changed":
                own += [value for value in [next(rest, None)] if value is not None]
    return own, others


def _without(words: Sequence[str], names: tuple[str, ...]) -> list[str]:
    flags = {f"{_PREFIX}{name}" for name in names}
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        flag, is_whole, _ = word.partition("=")
        if flag not in flags:
            kept.append(word)
        elif not is_whole:
            next(rest, None)
    return kept


def config_class(main: Callable[..., Any]) -> type[Any]:
    name = getattr(main, "__qualname__", repr(main))
    if not callable(main) or inspect.iscoroutinefunction(main):
        raise WrongArgument(
            f"{name} was given to launch, and a function of a config and a run was expected; write "
            "`def main(config: Config, run: Run)`"
        )
    parameters = list(inspect.signature(main).parameters.values())
    try:
        inspect.signature(main).bind("config", "run")
    except TypeError:
        parameters = []
    if not parameters or parameters[0].kind is inspect.Parameter.VAR_POSITIONAL:
        raise WrongArgument(
            f"{name} is called with a config and a run; write `def {name}(config: Config, run: Run)`"
        )
    first = parameters[0]

    class Annotated:
        """The annotation of the config alone: what else has one may be known to a type checker only."""

    if first.annotation is not first.empty:
        Annotated.__annotations__ = {first.name: first.annotation}
    try:
        cls = typing.get_type_hints(Annotated, getattr(main, "__globals__", {})).get(first.name)
    except NameError as error:
        raise WrongArgument(f"the annotation of {name} cannot be read ({error})") from error
    if not isinstance(cls, type):
        raise WrongArgument(
            f"{name} names no config class; annotate its parameter, as in `def {name}(config: Config, run: Run)`"
        )
    if "run" in getattr(cls, "__annotations__", {}):
        raise WrongArgument(
            f"{cls.__name__} has a field 'run', and --run.… is what the run's own settings are called; give it another name"
        )
    return cls


def _help() -> str:
    lines = [f"  {_PREFIX}{name:<12}{text}" for name, text in _HELP.items()]
    return "\n".join(["", "the run:", *lines, ""])


def _complain(program: str, text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"{program}: {text}\n")
