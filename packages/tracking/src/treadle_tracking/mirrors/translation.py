"""What the entries of a log come to in MLflow: numbers, parameters, tags, files and a status, however they are sent.

What is sent carries the log's own times, by which MLflow's stores know a point that they have already.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import define, field, frozen

from treadle_tracking.clock import milliseconds
from treadle_tracking.directory import ARTIFACTS, PARAMS
from treadle_tracking.entries import (
    Artifact,
    Committed,
    Ended,
    Entry,
    Function,
    Histogram,
    Image,
    Params,
    ParamValue,
    Rewound,
    RunStatus,
    Scalars,
    Started,
    Table,
    Tags,
    Text,
)
from treadle_tracking.mirrors.batching import Point
from treadle_tracking.mirrors.histogram_picture import histogram_svg
from treadle_tracking.mirrors.names import (
    escape_artifact,
    escape_file,
    escape_key,
    escape_tag,
    is_shortened,
    unescape,
)
from treadle_tracking.mirrors.parameters import fitted, from_pieces, pieces, shown
from treadle_tracking.mirrors.rewinds import Attempts
from treadle_tracking.mirrors.slider import FOLDER, SLIDER_TAG, image_files
from treadle_tracking.params import flatten, joined

__all__ = [
    "FUNCTION_TAG",
    "HISTOGRAMS",
    "MISSING",
    "TABLES_TAG",
    "TABLE_TAG",
    "TAG_LENGTH",
    "TEXTS",
    "WHOLE",
    "File",
    "Outgoing",
    "Status",
    "Translation",
    "missing",
    "names_missing",
    "unspelled",
]

FUNCTION_TAG = "treadle.function."  # begins the tag for a function
TABLE_TAG = "treadle.table."  # begins the tag for the tables of a name, which has the last one's path and step
_NAME_TAG = "treadle.name."  # begins the tag for a name that had to be shortened
TEXTS, HISTOGRAMS = ("texts", ".md"), ("histograms", ".svg")  # folders, and how their files end

MISSING = "treadle.missing."  # begins the tag for something that is not in MLflow

# `mlflow.utils.validation`: MAX_PARAM_VAL_LENGTH, MAX_TAG_VAL_LENGTH. Longer ones are cut there without a word.
PARAM_LENGTH = 6000
TAG_LENGTH = 8000
# `mlflow.utils.mlflow_tags.MLFLOW_LOGGED_ARTIFACTS`: what the pages show as tables, a JSON list.
TABLES_TAG = "mlflow.loggedArtifacts"
WHOLE = "the run directory"
_KNOWN_NAMES = 4096  # a new name every step must not fill the memory


@frozen
class File:
    """A file of the run's."""

    path: str  # in MLflow
    content: Path | bytes = field(repr=False)
    name: str  # of what it is a part, for a tag that says it is missing
    tags: Mapping[str, str] = field(factory=dict)  # to set once it is there


@frozen
class Status:
    """Whether the run goes on or has ended, and when: milliseconds since the epoch."""

    status: RunStatus
    end_time: int | None = None


@define
class Outgoing:
    """What some entries come to."""

    points: list[Point] = field(factory=list)
    params: dict[str, str] = field(factory=dict)
    tags: dict[str, str] = field(factory=dict)
    files: list[File] = field(factory=list)
    status: Status | None = None


def missing(name: str, why: str) -> dict[str, str]:
    """The tag that says what of a run is not in MLflow."""
    tags: dict[str, str] = {}
    tags[spelled(f"{MISSING}{name}", tags)] = fitted(why, TAG_LENGTH, WHOLE)
    return tags


def names_missing(tags: Mapping[str, str]) -> list[str]:
    """What tags say that is not in MLflow."""
    names = [unspelled(key, tags) for key in tags if key.startswith(MISSING)]
    return [name.removeprefix(MISSING) for name in names]


def spelled(name: str, tags: dict[str, str], escape: Callable[[str], str] = escape_key) -> str:
    """`name` as MLflow takes it; a name that had to be shortened is put whole into a tag."""
    key = escape(name)
    if is_shortened(key):
        tags[f"{_NAME_TAG}{key[-32:]}"] = fitted(name, TAG_LENGTH, WHOLE)
    return key


def unspelled(key: str, tags: Mapping[str, str]) -> str:
    """The name that was spelled as `key`; one that was shortened is as it is where no tag has it whole."""
    return tags.get(f"{_NAME_TAG}{key[-32:]}", key) if is_shortened(key) else unescape(key)


class Translation:
    """Translates the entries of one run, in order, from wherever they begin.

    Args:
        directory: The run directory, for its files.
        uid: The run's identity.
        params: The parameters that MLflow has already.
        tags: The tags that it has.
    """

    def __init__(
        self, directory: Path, uid: str, params: Mapping[str, str], tags: Mapping[str, str]
    ) -> None:
        self._directory = directory
        self._uid = uid
        self._shown_params = dict(params)
        self._exact_params: dict[str, ParamValue] = from_pieces(tags) or {}
        self._attempts = Attempts(tags)
        self._tables = _tables(tags.get(TABLES_TAG, ""))
        self._keys: dict[str, str] = {}

    def translate(self, entries: Sequence[Entry]) -> Outgoing:
        """What `entries` come to; the last status of several holds."""
        going = Outgoing()
        for entry in entries:
            if isinstance(entry, Scalars):
                self._points(entry, going)
            else:
                self._other(entry, going)
        return going

    def _points(self, entry: Scalars, going: Outgoing) -> None:
        timestamp, step, keys = milliseconds(entry.wall_time), entry.step, self._keys
        for name, value in entry.values.items():
            key = keys.get(name)
            if key is None:
                if len(keys) >= _KNOWN_NAMES:
                    keys.clear()
                key = keys[name] = spelled(name, going.tags)
            going.points.append(Point(key, value, timestamp, step))

    def _other(self, entry: Entry, going: Outgoing) -> None:
        tags = going.tags
        match entry:
            case Params():
                self._params(entry.values, going)
            case Tags():
                for name, text in entry.values.items():
                    tags[spelled(name, tags, escape_tag)] = fitted(text, TAG_LENGTH, WHOLE)
            case Image():
                spelled(entry.name, tags, escape_file)
                files = image_files(entry, self._uid)
                going.files += [
                    File(f"{FOLDER}/{name}", data, f"{FOLDER}/{entry.name}", {SLIDER_TAG: "True"})
                    for name, data in files.items()
                ]
            case Text():
                data = entry.text.encode("utf-8", "replace")
                going.files.append(_file(TEXTS, entry, data, tags))
            case Histogram():
                data = histogram_svg(entry).encode()
                going.files.append(_file(HISTOGRAMS, entry, data, tags))
            case Artifact():
                self._artifact(entry, going)
            case Table():
                self._table(entry, tags)
            case Function():
                key = spelled(f"{FUNCTION_TAG}{entry.name}", tags)
                text = f"{entry.qualified_name} {entry.sha256 or ''}".rstrip()
                tags[key] = fitted(text, TAG_LENGTH, WHOLE)
            case Rewound():
                tags.update(self._attempts.after(entry))
            case Started() if entry.attempt > 0:
                going.status = Status("RUNNING")
            case Ended():
                going.status = Status(entry.status, milliseconds(entry.wall_time))
            case Started() | Committed():
                pass  # the first start is the making of the run
            case Scalars():
                raise AssertionError

    def _params(self, values: Mapping[str, ParamValue], going: Outgoing) -> None:
        """Parameters that MLflow does not have yet. It never changes one: the tags have the newest."""
        self._exact_params = joined(self._exact_params, values)
        going.tags.update(pieces(self._exact_params))
        for name, value in flatten(values).items():
            key = spelled(name, going.tags)
            if key not in self._shown_params:
                text = fitted(shown(value), PARAM_LENGTH, "the tag treadle.params")
                going.params[key] = self._shown_params[key] = text
        file = self._directory / PARAMS
        if file.is_file():
            going.files.append(File(PARAMS, file, PARAMS))

    def _artifact(self, entry: Artifact, going: Outgoing) -> None:
        file = self._directory / ARTIFACTS / entry.path
        if file.is_file():
            path = spelled(entry.path, going.tags, escape_artifact)
            going.files.append(File(path, file, entry.path))
        else:
            # Whoever removed it meant it, and everything after it is still to be sent.
            going.tags.update(missing(entry.path, "not in the run directory any more"))

    def _table(self, entry: Table, tags: dict[str, str]) -> None:
        path = escape_artifact(entry.path)
        last = json.dumps({"path": path, "step": entry.step})
        tags[spelled(f"{TABLE_TAG}{entry.name}", tags)] = fitted(last, TAG_LENGTH, WHOLE)
        table = {"path": path, "type": "table"}
        text = json.dumps([*self._tables, table])
        if table not in self._tables and len(text) <= TAG_LENGTH:
            self._tables.append(table)
        # One more than fits is an artifact like others: a list that was cut would be none.
        if self._tables:
            tags[TABLES_TAG] = json.dumps(self._tables)


def _tables(text: str) -> list[object]:
    try:
        tables = json.loads(text)
    except ValueError:
        return []
    return tables if isinstance(tables, list) else []


def _file(
    kind: tuple[str, str], entry: Text | Histogram, data: bytes, tags: dict[str, str]
) -> File:
    folder, suffix = kind
    # A name that ends as the files do would be the folder of one and the file of another.
    ending = re.compile(rf"\.(?={suffix[1:]}(?:/|$))")
    name = ending.sub("_x002E_", spelled(entry.name, tags, escape_file))
    return File(f"{folder}/{name}/{entry.step}{suffix}", data, f"{folder}/{entry.name}")
