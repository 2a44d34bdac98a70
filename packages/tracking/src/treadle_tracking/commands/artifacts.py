"""`artifacts`: which files a run has, and getting them."""

import argparse
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from attrs import frozen

from treadle_tracking.commands import shown, table
from treadle_tracking.commands.answer import tell, tell_json
from treadle_tracking.commands.calling import FINE, LEFT, Commands, WrongCall
from treadle_tracking.commands.opening import add_target, opened, say_damage
from treadle_tracking.commands.output import replaced
from treadle_tracking.commands.which import RUN, only_run, run_named
from treadle_tracking.directory import ARTIFACTS
from treadle_tracking.doctor.finding import counted
from treadle_tracking.doctor.visit import reason
from treadle_tracking.notices import say
from treadle_tracking.progress import Progress
from treadle_tracking.reading import RunRecord, UnknownArtifact
from treadle_tracking.reading.errors import ArtifactUnreadable
from treadle_tracking.terminal import columns as terminal_columns
from treadle_tracking.terminal import visible

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Let `artifacts` be called."""
    parser = commands.add_parser(
        "artifacts",
        help="list the artifacts of a run, or download them",
        description="List the artifacts of a run, or download some or all of them. A file is there as a whole or not at "
        "all, and none is written outside of the directory that is named.",
        example="{prog} artifacts runs baseline\n"
        "{prog} artifacts runs baseline models/last.pt figures --out here\n"
        "{prog} artifacts mlflow:http://127.0.0.1:5000 3f2a91bc --all --out baseline-files",
    )
    add_target(parser)
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help=f"{RUN}; it may be left out where there is one run"
    )
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="an artifact to download, or a folder of them; without any, they are listed",
    )
    parser.add_argument("--all", action="store_true", help="download all of them")
    parser.add_argument("--out", metavar="DIR", help="the directory that they are downloaded to")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    parser.add_argument("--json", action="store_true", help="print what there is as JSON")
    parser.set_defaults(do=_artifacts, interrupted=None)


def _artifacts(given: argparse.Namespace) -> int:
    _check(given)
    runs = opened(given.target)
    run = only_run(runs) if given.run is None else run_named(runs, given.run)
    say_damage(run)
    with Progress(lambda: f"reading {visible(run.name)}"):
        known = sorted(run.artifacts)
    if given.out is None:
        _tell_what_there_is(run, known, as_json=given.json)
        return FINE
    _check_is_directory(Path(given.out))
    wanted = known if given.all else _wanted(run, known, given.paths)
    files = [_File.of(path, Path(given.out)) for path in wanted]
    if not given.force:
        _check_nothing_is_there(files)
    return _download(run, files, as_json=given.json)


def _check(given: argparse.Namespace) -> None:
    if given.all and given.paths:
        raise WrongCall("--all is all of them: name no PATH beside it")
    if given.out is None and (given.all or given.paths):
        raise WrongCall("say where to: --out DIR is the directory that artifacts are downloaded to")
    if given.out is not None and not (given.all or given.paths):
        raise WrongCall(
            "say what to download to --out: a PATH, as they are listed without it, or --all"
        )
    if given.out == "":
        raise WrongCall("--out is '', which names no directory. The current one is --out .")
    if given.force and given.out is None:
        raise WrongCall("--force is for downloads: it replaces files that are there")


def _check_is_directory(out: Path) -> None:
    """That it is one, or can be made one."""
    there = next((path for path in (out, *out.parents) if path.exists()), out)
    if there.exists() and not there.is_dir():
        raise WrongCall(
            f"--out is {str(out)!r}, and {str(there)!r} is a file: name the directory that artifacts are downloaded to, "
            f"which is made if it is not there"
        )


def _tell_what_there_is(run: RunRecord, known: Sequence[str], *, as_json: bool) -> None:
    sizes = [_size(run, path) for path in known]
    if as_json:
        listed = [{"path": path, "size": size} for path, size in zip(known, sizes, strict=True)]
        tell_json({"uid": run.uid, "target": run.target, "artifacts": listed})
        return
    if not known:
        say(visible(f"the run {run.name!r} has no artifacts"))
    columns = [table.Column("PATH")]
    rows = [[path] for path in known]
    if any(size is not None for size in sizes):
        columns = [table.Column("SIZE", right=True), *columns]
        rows = [[shown.bytes_shown(size), path] for path, size in zip(known, sizes, strict=True)]
    tell(table.lines(columns, rows, terminal_columns()))


def _size(run: RunRecord, path: str) -> int | None:
    """In bytes; None where only a download would tell, or where it is gone."""
    if run.directory is None:
        return None
    try:
        return (run.directory / ARTIFACTS / path).stat().st_size
    except (OSError, ValueError):
        return None


def _wanted(run: RunRecord, known: Sequence[str], paths: Sequence[str]) -> list[str]:
    """The artifacts that are named, each once; a folder stands for all that are in it."""
    wanted: dict[str, None] = {}
    for given in paths:
        path = given.removeprefix("./").rstrip("/")
        below = [one for one in known if one == path or one.startswith(f"{path}/")]
        if not path or not below:
            raise UnknownArtifact(given, run.name, known)
        wanted |= dict.fromkeys(below)
    return list(wanted)


@frozen
class _File:
    path: str
    file: Path

    @classmethod
    def of(cls, path: str, directory: Path) -> "_File":
        """Where an artifact goes, which is below the directory whatever it is called and wherever links there lead."""
        pure = PurePosixPath(path)
        file = directory.joinpath(*pure.parts)
        is_plain = not pure.is_absolute() and ".." not in pure.parts and "\0" not in path
        if not is_plain or not file.parent.resolve().is_relative_to(directory.resolve()):
            raise WrongCall(
                f"the artifact {path!r} would be written outside of {str(directory)!r}. Name the others by their paths"
            )
        return cls(path, file)


def _check_nothing_is_there(files: Sequence[_File]) -> None:
    there = [one.file for one in files if one.file.exists() or one.file.is_symlink()]
    if there:
        more = f" and {len(there) - 1:,} more" if len(there) > 1 else ""
        raise WrongCall(f"{str(there[0])!r}{more} would be replaced: give --force if you want that")


def _download(run: RunRecord, files: Sequence[_File], *, as_json: bool) -> int:
    done: list[_File] = []
    try:
        problems = _fetch_all(run, files, done)
    finally:
        # Also those that were there before something went wrong.
        _tell_what_was_done(run, done, as_json=as_json)
    for problem in problems:
        say(visible(problem))
    return LEFT if problems else FINE


def _fetch_all(run: RunRecord, files: Sequence[_File], done: list[_File]) -> list[str]:
    """Why some are not to be had."""
    problems: list[str] = []
    now = {"number": 0, "path": ""}
    with Progress(lambda: f"{now['number']} of {counted(len(files), 'file')}: {now['path']}"):
        for number, one in enumerate(files, 1):
            now.update(number=number, path=one.path)
            try:
                _fetch(run, one)
            except (ArtifactUnreadable, UnknownArtifact, FileNotFoundError) as error:
                problems.append(f"the artifact {one.path!r} is unavailable: {reason(error)}")
            else:
                done.append(one)
    return problems


def _tell_what_was_done(run: RunRecord, done: Sequence[_File], *, as_json: bool) -> None:
    if not as_json:
        tell(visible(str(one.file)) for one in done)
        return
    listed = [
        {"path": one.path, "size": one.file.stat().st_size, "file": str(one.file.absolute())}
        for one in done
    ]
    tell_json({"uid": run.uid, "target": run.target, "artifacts": listed})


def _fetch(run: RunRecord, one: _File) -> None:
    """The whole file, or nothing of it."""
    try:
        one.file.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise WrongCall(
            f"there is a file where the directory {str(one.file.parent)!r} is to be, for the artifact {one.path!r}: name "
            f"another directory with --out, or move the file"
        ) from None
    with replaced(one.file) as partial:
        run.reader.download(run, one.path, partial)
