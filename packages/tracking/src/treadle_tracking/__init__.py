"""A run is a directory that loses nothing: one event file for TensorBoard, mirrored to MLflow.

What reads runs loads when it is first used: a program that records does not wait for it.
"""

import importlib
from typing import TYPE_CHECKING, Any

from treadle_tracking.backends import (
    BackendClash,
    BackendNotLoaded,
    BackendUnfit,
    BackendWithoutMirror,
    BackendWithoutReader,
)
from treadle_tracking.entries import ParamValue, RunStatus
from treadle_tracking.errors import (
    AmbiguousRun,
    ArtifactInTheWay,
    CorruptRecord,
    InvalidBest,
    InvalidChoice,
    InvalidMapping,
    InvalidName,
    InvalidRank,
    InvalidState,
    InvalidStatus,
    InvalidStep,
    InvalidTarget,
    InvalidTensor,
    InvalidTimeout,
    InvalidValue,
    MissingExtra,
    NoDirectory,
    NoSuchRun,
    ParamsChanged,
    PlaceUnknown,
    RecordingFailed,
    RunDirectoryError,
    RunEnded,
    RunExists,
    RunInUse,
    SeveralRuns,
    TrackingError,
    UnknownMetric,
    UnknownRun,
    UnsupportedArtifact,
    UnsupportedFunction,
    UnsupportedHistogram,
    UnsupportedImage,
    UnsupportedParam,
    UnsupportedTable,
    WrongRun,
)
from treadle_tracking.mirrors.errors import (
    CredentialsUnreadable,
    DatabaseUnusable,
    FileStoreRefused,
    InvalidSetting,
    MirrorStateDamaged,
    MissingDriver,
    NoMirror,
    NotReplaceable,
    PasswordNeeded,
    StillWritten,
    SyncIncomplete,
)
from treadle_tracking.run import Run
from treadle_tracking.signals import Terminated, deferred_termination
from treadle_tracking.starting import start_run
from treadle_tracking.syncing import sync
from treadle_tracking.target import absolute_targets

if TYPE_CHECKING:
    from treadle_tracking.comparing import MISSING, Comparison, NotARun, TooFewRuns, compare
    from treadle_tracking.copying import (
        Copied,
        CopyIncomplete,
        NotCopyable,
        SamePlace,
        TargetIsRun,
        copy_runs,
    )
    from treadle_tracking.doctor.mending import mend_runs
    from treadle_tracking.frames import MetricInNoRun
    from treadle_tracking.identities import identity_at
    from treadle_tracking.reading import ReadStatus, RunRecord, Runs, UnknownArtifact, open_runs
    from treadle_tracking.searching.errors import (
        FilterTooDeep,
        FilterTooLong,
        InvalidFilter,
        InvalidLimit,
        InvalidOrder,
        NotText,
        SearchError,
        UnfitValue,
        UnknownField,
    )

__all__ = [
    "MISSING",
    "AmbiguousRun",
    "ArtifactInTheWay",
    "BackendClash",
    "BackendNotLoaded",
    "BackendUnfit",
    "BackendWithoutMirror",
    "BackendWithoutReader",
    "Comparison",
    "Copied",
    "CopyIncomplete",
    "CorruptRecord",
    "CredentialsUnreadable",
    "DatabaseUnusable",
    "FileStoreRefused",
    "FilterTooDeep",
    "FilterTooLong",
    "InvalidBest",
    "InvalidChoice",
    "InvalidFilter",
    "InvalidLimit",
    "InvalidMapping",
    "InvalidName",
    "InvalidOrder",
    "InvalidRank",
    "InvalidSetting",
    "InvalidState",
    "InvalidStatus",
    "InvalidStep",
    "InvalidTarget",
    "InvalidTensor",
    "InvalidTimeout",
    "InvalidValue",
    "MetricInNoRun",
    "MirrorStateDamaged",
    "MissingDriver",
    "MissingExtra",
    "NoDirectory",
    "NoMirror",
    "NoSuchRun",
    "NotARun",
    "NotCopyable",
    "NotReplaceable",
    "NotText",
    "ParamValue",
    "ParamsChanged",
    "PasswordNeeded",
    "PlaceUnknown",
    "ReadStatus",
    "RecordingFailed",
    "Run",
    "RunDirectoryError",
    "RunEnded",
    "RunExists",
    "RunInUse",
    "RunRecord",
    "RunStatus",
    "Runs",
    "SamePlace",
    "SearchError",
    "SeveralRuns",
    "StillWritten",
    "SyncIncomplete",
    "TargetIsRun",
    "Terminated",
    "TooFewRuns",
    "TrackingError",
    "UnfitValue",
    "UnknownArtifact",
    "UnknownField",
    "UnknownMetric",
    "UnknownRun",
    "UnsupportedArtifact",
    "UnsupportedFunction",
    "UnsupportedHistogram",
    "UnsupportedImage",
    "UnsupportedParam",
    "UnsupportedTable",
    "WrongRun",
    "absolute_targets",
    "compare",
    "copy_runs",
    "deferred_termination",
    "identity_at",
    "mend_runs",
    "open_runs",
    "start_run",
    "sync",
]

_HOMES = {
    "treadle_tracking.comparing": ["MISSING", "Comparison", "NotARun", "TooFewRuns", "compare"],
    "treadle_tracking.copying": [
        "Copied",
        "CopyIncomplete",
        "NotCopyable",
        "SamePlace",
        "TargetIsRun",
        "copy_runs",
    ],
    "treadle_tracking.doctor.mending": ["mend_runs"],
    "treadle_tracking.frames": ["MetricInNoRun"],
    "treadle_tracking.identities": ["identity_at"],
    "treadle_tracking.reading": ["ReadStatus", "RunRecord", "Runs", "UnknownArtifact", "open_runs"],
    "treadle_tracking.searching.errors": [
        "FilterTooDeep",
        "FilterTooLong",
        "InvalidFilter",
        "InvalidLimit",
        "InvalidOrder",
        "NotText",
        "SearchError",
        "UnfitValue",
        "UnknownField",
    ],
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module 'treadle_tracking' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
