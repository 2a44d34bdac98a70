"""The same job done by the classes of Determined and of Composer.

Both packages come with training platforms, of which the few modules that count need nothing. Those
modules are the real ones, imported with the packages' own `__init__` left out, so that neither
platform has to be installed with them.
"""

import datetime as dt
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec, module_from_spec
from types import ModuleType, SimpleNamespace
from typing import Any

from counting import BATCHES, PASSES, RECORDS, Run, row
from harness import Row

HOW = "`hatch run bench:units` installs it"


def without_init(name: str) -> ModuleType:
    """Put a package in place whose modules can be imported, while its `__init__` is not run.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    spec = find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"no module named {name!r}", name=name)
    package = sys.modules[name] = module_from_spec(spec)
    return package


def determined() -> Row:
    """Determined's four boundaries, looked at after each batch as its trainer does.

    Its epochs are computed from the index of the batch and the length of the loader. Its trainer
    does a little more, such as looking whether this is a test of one batch; that is left out.
    """
    package = without_init("determined")
    # `core` is one of the platform's; here it is only asked for a type in an annotation.
    package.core = SimpleNamespace(Unit=object)  # type: ignore[attr-defined]
    without_init("determined.pytorch")
    units: Any = import_module("determined.pytorch._trainer_utils")
    kinds, batch_kind, epoch_kind = units._TrainBoundaryType, units.Batch, units.Epoch  # noqa: SLF001 (the class of its trainer)

    def prepare() -> Run:
        boundaries = [
            units._TrainBoundary(step_type=kind, unit=unit)  # noqa: SLF001 (as above)
            for kind, unit in (
                (kinds.TRAIN, epoch_kind(1000)),
                (kinds.VALIDATE, epoch_kind(1)),
                (kinds.CHECKPOINT, batch_kind(100_000 // RECORDS)),
                (kinds.REPORT, batch_kind(100)),
            )
        ]

        def run() -> int:
            due = 0
            for index in range(PASSES * BATCHES):
                epoch, within = divmod(index, BATCHES)
                for boundary in boundaries:
                    unit = boundary.unit
                    if isinstance(unit, batch_kind):
                        if unit.should_stop(index + 1):
                            boundary.limit_reached = True
                    elif unit.should_stop(epoch + 1) and within == BATCHES - 1:
                        boundary.limit_reached = True
                if any(boundary.limit_reached for boundary in boundaries):
                    for boundary in boundaries:
                        due += boundary.limit_reached
                        boundary.limit_reached = False
            return due

        return run

    name = f"Determined {version('determined')}: four boundaries"
    return row(name, prepare, share=1 / 4)


class ComposerState:
    """What interval schedulers ask of Composer's state, which holds a model and much else."""

    def __init__(self, timestamp: Any, max_duration: Any) -> None:
        self.timestamp = timestamp
        self.previous_timestamp = timestamp
        self.max_duration = max_duration

    def get_elapsed_duration(self) -> Any:
        """The share of the run that is over, as Composer's `Time`."""
        return self.timestamp.get(self.max_duration.unit) / self.max_duration


def _composer_modules() -> tuple[Any, Any, Callable[..., Any]]:
    """Composer's `time` and `event` modules, and what makes its interval schedulers."""
    without_init("composer")
    utils: Any = without_init("composer.utils")
    utils.StringEnum = import_module("composer.utils.string_enum").StringEnum
    core: Any = without_init("composer.core")
    times: Any = import_module("composer.core.time")
    events: Any = import_module("composer.core.event")
    # Imported from `composer.core` by the schedulers; `State` is only a type in an annotation.
    core.Time, core.TimeUnit, core.Event, core.State = times.Time, times.TimeUnit, events.Event, Any
    if find_spec("torchvision") is None:
        # Their module has a helper for pictures beside them, which is not called here.
        vision: Any = ModuleType("torchvision")
        pictures: Any = ModuleType("torchvision.datasets")
        vision.transforms, pictures.VisionDataset = None, Any
        sys.modules |= {"torchvision": vision, "torchvision.datasets": pictures}
    return times, events, import_module("composer.utils.misc").create_interval_scheduler


def composer() -> Row:
    """Composer's timestamp and three of its interval schedulers, without its all-reduce."""
    times, events, create_interval_scheduler = _composer_modules()
    checkpoint = events.Event.BATCH_CHECKPOINT
    # A run of 100 batches takes as long as tens of thousands of the others.
    batches = 100

    def prepare() -> Run:
        state = ComposerState(times.Timestamp(), times.Time(1000, "ep"))
        intervals = [create_interval_scheduler(text) for text in ("1ep", "100ba", "100000sp")]
        took = dt.timedelta(microseconds=100)

        def run() -> int:
            due = 0
            for _ in range(batches):
                state.previous_timestamp = state.timestamp
                state.timestamp = state.timestamp.to_next_batch(samples=RECORDS, duration=took)
                for interval in intervals:
                    due += interval(state, checkpoint)
                if state.timestamp >= state.max_duration:
                    break
            return due

        return run

    name = f"Composer {version('mosaicml')}: Timestamp, three intervals"
    return row(name, prepare, batches=batches, share=1 / 100)


def peer_rows() -> tuple[list[Row], list[str]]:
    """The rows of those that are installed, and a line for each that is not."""
    rows, missing = [], []
    for name, made in {"Determined": determined, "Composer": composer}.items():
        try:
            rows.append(made())
        except ModuleNotFoundError as error:
            missing.append(f"  {name}: not installed ({error}); {HOW}")
    return rows, missing
