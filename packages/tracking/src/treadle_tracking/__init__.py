"""A run is a directory that loses nothing: one event file for TensorBoard, mirrored to MLflow."""

from treadle_tracking.entries import ParamValue, RunStatus
from treadle_tracking.errors import (
    AmbiguousRun,
    ArtifactInTheWay,
    CorruptRecord,
    InvalidMapping,
    InvalidName,
    InvalidStatus,
    InvalidStep,
    InvalidTarget,
    InvalidValue,
    MissingExtra,
    NoDirectory,
    RunDirectoryError,
    RunEnded,
    TrackingError,
    UnknownMetric,
    UnknownRun,
    UnsupportedImage,
    UnsupportedParam,
)
from treadle_tracking.mirrors.errors import (
    DatabaseUnusable,
    FileStoreRefused,
    MirrorStateDamaged,
    MissingDriver,
    NoMirror,
    PasswordNeeded,
    SyncIncomplete,
)
from treadle_tracking.reading import ReadStatus, RunRecord, Runs, open_runs
from treadle_tracking.run import Run
from treadle_tracking.signals import Terminated
from treadle_tracking.starting import start_run
from treadle_tracking.syncing import sync

__all__ = [
    "AmbiguousRun",
    "ArtifactInTheWay",
    "CorruptRecord",
    "DatabaseUnusable",
    "FileStoreRefused",
    "InvalidMapping",
    "InvalidName",
    "InvalidStatus",
    "InvalidStep",
    "InvalidTarget",
    "InvalidValue",
    "MirrorStateDamaged",
    "MissingDriver",
    "MissingExtra",
    "NoDirectory",
    "NoMirror",
    "ParamValue",
    "PasswordNeeded",
    "ReadStatus",
    "Run",
    "RunDirectoryError",
    "RunEnded",
    "RunRecord",
    "RunStatus",
    "Runs",
    "SyncIncomplete",
    "Terminated",
    "TrackingError",
    "UnknownMetric",
    "UnknownRun",
    "UnsupportedImage",
    "UnsupportedParam",
    "open_runs",
    "start_run",
    "sync",
]
