"""What the files of a run in MLflow are: images, texts, histograms, and artifacts of the user's own."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from attrs import define, field, frozen

from treadle_tracking.directory import PARAMS, artifact_path
from treadle_tracking.mirrors.rewinds import Attempts
from treadle_tracking.mirrors.slider import image_file
from treadle_tracking.mirrors.translation import (
    FUNCTION_TAG,
    HISTOGRAMS,
    TABLE_TAG,
    TABLES_TAG,
    TEXTS,
    unspelled,
)
from treadle_tracking.reading.mlflow_source import Source, StoredFile, StoredRun
from treadle_tracking.reading.record import Contents

__all__ = ["FunctionFound", "Sorted", "Stepped", "TableFound", "sorted_files", "walk"]

_JSON = ".json"
_DIGEST = re.compile(r"[0-9a-f]+")


@frozen(order=True)
class Stepped:
    """A file of one step: an image, a text or a histogram."""

    name: str
    step: int
    path: str  # in MLflow
    time: int | None = None  # milliseconds since the epoch, where the file's name has it


@frozen
class TableFound:
    """A table, which is an artifact."""

    name: str
    step: int | None
    artifact: str  # as the run calls it


@frozen
class FunctionFound:
    """A function."""

    name: str
    qualified_name: str
    sha256: str | None  # of its source
    artifact: str | None  # its source, where it is there


@define
class Sorted:
    """The files of a run, each as what it is."""

    images: list[Stepped] = field(factory=list)
    texts: list[Stepped] = field(factory=list)
    histograms: list[Stepped] = field(factory=list)
    artifacts: dict[str, StoredFile] = field(factory=dict)  # by what the run calls them
    tables: list[TableFound] = field(factory=list)
    functions: list[FunctionFound] = field(factory=list)

    @property
    def contents(self) -> Contents:
        """The names of what there is, sorted."""
        return Contents(
            artifacts=tuple(sorted(self.artifacts)),
            images=_names(self.images),
            texts=_names(self.texts),
            histograms=_names(self.histograms),
            tables=_names(self.tables),
            functions={function.name: function.qualified_name for function in self.functions},
        )


def _names(found: Iterable[Stepped | TableFound]) -> tuple[str, ...]:
    return tuple(sorted({one.name for one in found}))


def walk(source: Source, run: StoredRun, folder: str = "") -> Iterator[StoredFile]:
    """All files of a run below a folder. What claims to be elsewhere is passed over, wherever it would lead."""
    for file in source.files(run, folder):
        path = PurePosixPath(file.path)
        if str(path.parent) != (folder or ".") or str(path) != file.path or path.name in {"", ".."}:
            continue
        if file.is_folder:
            yield from walk(source, run, file.path)
        else:
            yield file


def sorted_files(run: StoredRun, files: Iterable[StoredFile], *, ours: bool) -> Sorted:
    """The files of a run as what they are.

    Args:
        run: The run.
        files: All of them.
        ours: Whether this package has sent the run, so that names in it are spelled.
    """
    found = Sorted()
    attempts = Attempts(run.tags)
    for file in files:
        image = image_file(file.path)
        if image is not None:
            key, step, time, is_whole = image
            name = unspelled(key, run.tags) if ours else key
            if is_whole and attempts.keeps(step, time):
                found.images.append(Stepped(name, step, file.path, time))
        elif ours:
            _sort_ours(run.tags, file, found)
        else:
            found.artifacts[file.path] = file
    if ours:
        found.tables += _our_tables(run.tags, found.artifacts)
        found.functions += _functions(run.tags, found.artifacts)
    else:
        found.tables += _tables_of_others(run.tags, found.artifacts)
    return found


def _sort_ours(tags: Mapping[str, str], file: StoredFile, found: Sorted) -> None:
    for (folder, suffix), kept in ((TEXTS, found.texts), (HISTOGRAMS, found.histograms)):
        stepped = _stepped(file.path, folder, suffix, tags)
        if stepped is not None:
            kept.append(stepped)
            return
    if file.path != PARAMS:
        found.artifacts[unspelled(file.path, tags)] = file


def _stepped(path: str, folder: str, suffix: str, tags: Mapping[str, str]) -> Stepped | None:
    name, _, last = path.rpartition("/")
    if not (name.startswith(f"{folder}/") and last.endswith(suffix)):
        return None
    step = _step(last.removesuffix(suffix))
    if step is None:
        return None
    return Stepped(unspelled(name.removeprefix(f"{folder}/"), tags), step, path)


def _step(text: str) -> int | None:
    try:
        step = int(text)
    except ValueError:
        return None
    return step if str(step) == text and -(2**63) <= step < 2**63 else None


def _our_tables(tags: Mapping[str, str], artifacts: Mapping[str, StoredFile]) -> list[TableFound]:
    """Tables by the tags of their names: the last of each by its path, others by how their files are called."""
    found: dict[str, TableFound] = {}
    by_path = {file.path: name for name, file in artifacts.items()}
    for key, text in sorted(tags.items()):
        if not key.startswith(TABLE_TAG):
            continue
        name = unspelled(key, tags).removeprefix(TABLE_TAG)
        for artifact, step in _numbered(name, artifacts):
            found.setdefault(artifact, TableFound(name, step, artifact))
        last = _json_object(text)
        artifact, of_last = by_path.get(str(last.get("path")), ""), last.get("step")
        if artifact and (of_last is None or isinstance(of_last, int)):
            found[artifact] = TableFound(name, of_last, artifact)
    return list(found.values())


def _numbered(name: str, artifacts: Mapping[str, StoredFile]) -> Iterator[tuple[str, int | None]]:
    """The artifacts that tables of this name can be, with their steps."""
    alone = str(artifact_path(f"tables/{name}{_JSON}"))
    if alone in artifacts:
        yield alone, None
    folder = f"{artifact_path(f'tables/{name}/0{_JSON}').parent}/"
    for artifact in artifacts:
        if artifact.startswith(folder) and artifact.endswith(_JSON):
            step = _step(artifact.removeprefix(folder).removesuffix(_JSON))
            if step is not None:
                yield artifact, step


def _functions(
    tags: Mapping[str, str], artifacts: Mapping[str, StoredFile]
) -> Iterator[FunctionFound]:
    for key, text in sorted(tags.items()):
        if key.startswith(FUNCTION_TAG):
            name = unspelled(key, tags).removeprefix(FUNCTION_TAG)
            qualified_name, _, digest = text.rpartition(" ")
            if not qualified_name or _DIGEST.fullmatch(digest) is None:
                qualified_name, digest = text, ""
            source = str(artifact_path(f"functions/{name}.py"))
            yield FunctionFound(
                name, qualified_name, digest or None, source if source in artifacts else None
            )


def _tables_of_others(
    tags: Mapping[str, str], artifacts: Mapping[str, StoredFile]
) -> Iterator[TableFound]:
    try:
        tables = json.loads(tags.get(TABLES_TAG, "[]"))
    except ValueError:
        return
    for table in tables if isinstance(tables, list) else ():
        path = table.get("path") if isinstance(table, dict) else None
        if isinstance(path, str) and path in artifacts:
            yield TableFound(path.removesuffix(_JSON), None, path)


def _json_object(text: str) -> Mapping[str, object]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
