"""What the logs below a directory come to, with what is in its index read from there."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from attrs import asdict, define, field, frozen

from treadle_tracking.entries import ParamValue
from treadle_tracking.errors import TrackingError
from treadle_tracking.places import LogDirectory, logs_below
from treadle_tracking.reading.foreign_log import ForeignAccount, SomethingSuperseded, cutoffs_in
from treadle_tracking.reading.foreign_params import can_read_hparams, hparams_in
from treadle_tracking.reading.index import Index
from treadle_tracking.reading.own_log import OwnAccount
from treadle_tracking.reading.standing import (
    Account,
    Reading,
    Standing,
    may_be_newer,
    read_on,
)

__all__ = ["Listed", "Listing", "read_log"]

# Bytes that are read anew sooner than an index is written: 20 ms worth of numbers.
_WORTH_KEEPING = 4_000_000

_FileParams: TypeAlias = dict[str, ParamValue]


@frozen
class Listed:
    """A log, and what it comes to."""

    log: LogDirectory
    account: OwnAccount | ForeignAccount
    damage: TrackingError | OSError | None
    file_params: Mapping[str, ParamValue]


@define
class Listing:
    """Reads the logs below a directory.

    Attributes:
        unreadable: Directories and files that could not be read at all, as far as the listing has come.
    """

    root: Path
    unreadable: list[OSError | TrackingError] = field(factory=list)

    def __iter__(self) -> Iterator[Listed]:
        """Each log, by path. Those that must be read are read one after the other; the index is written at the end."""
        looked = time.time_ns()
        found = logs_below(self.root)
        self.unreadable += found.unreadable
        is_run = any(log.is_own and log.path == self.root for log in found.logs)
        index = None if is_run else Index(self.root)
        rows = {} if index is None else index.load()
        changed: dict[str, bytes] = {}
        read = 0
        try:
            for log in found.logs:
                key = str(log.path.relative_to(self.root))
                known, params = _known(rows.get(key), log)
                reading, params, is_changed = _brought_up(log, looked, known, params)
                self.unreadable += reading.unreadable
                read += reading.read
                if is_changed and not reading.unreadable:
                    changed[key] = _row(log, reading.standing, params)
                account = reading.standing.account
                assert isinstance(account, OwnAccount | ForeignAccount)
                damage = reading.standing.damage(log.path) or next(iter(reading.unreadable), None)
                yield Listed(log, account, damage, {} if params is None else params.values)
        finally:
            if index is not None and read > _WORTH_KEEPING:
                keys = {str(log.path.relative_to(self.root)) for log in found.logs}
                index.save(changed, rows.keys() - keys)


def read_log(log: LogDirectory) -> Listed:
    """The same of one log, without an index."""
    reading, params, _ = _brought_up(log, 0, None, None)
    account = reading.standing.account
    assert isinstance(account, OwnAccount | ForeignAccount)
    return Listed(log, account, reading.standing.damage(log.path), params.values if params else {})


@frozen
class _Params:
    """What Lightning's file says."""

    file: list[Any]  # as it was when it was read
    values: _FileParams


def _fresh(log: LogDirectory) -> Callable[[], Account]:
    return OwnAccount if log.is_own else ForeignAccount


def _brought_up(
    log: LogDirectory, looked: int, known: Standing | None, params: _Params | None
) -> tuple[Reading, _Params | None, bool]:
    """The log read on; what its file says; and whether either is not as it was known."""
    before = None if known is None else (known.looked, list(known.marks))
    try:
        reading = read_on(log, looked, known, _fresh(log))
    except SomethingSuperseded:
        reading = read_on(log, looked, None, lambda: ForeignAccount(cutoffs=cutoffs_in(log)))
    is_changed = before is None or reading.read > 0 or before[1] != reading.standing.marks
    if log.params is None:
        return reading, None, is_changed or params is not None
    file = list(asdict(log.params).values())
    is_settled = before is not None and not may_be_newer(log.params, before[0])
    if params is None or params.file != file or not is_settled:
        values = hparams_in(log.path / log.params.name)
        is_changed = is_changed or params is None or values != params.values
        params = _Params(file, values) if can_read_hparams() else None
    return reading, params, is_changed


def _row(log: LogDirectory, standing: Standing, params: _Params | None) -> bytes:
    row = {
        "is_own": log.is_own,
        "standing": standing.as_json(),
        "params": None if params is None else [params.file, params.values],
    }
    return json.dumps(row, separators=(",", ":")).encode()


def _known(row: bytes | None, log: LogDirectory) -> tuple[Standing | None, _Params | None]:
    """What a row of the index says, if it says something of such a log."""
    if row is None:
        return None, None
    try:
        found = json.loads(row)
        if found["is_own"] != log.is_own:
            return None, None
        account = OwnAccount if log.is_own else ForeignAccount
        standing = Standing.of_json(found["standing"], account)
        params = found["params"]
        return standing, None if params is None else _Params(*params)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None, None
