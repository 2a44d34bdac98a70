"""What TensorBoard's HParams page is told: when a session starts, with which parameters, and how it ends.

Both are written into the run's own event file, and never an `Experiment` message: as soon as one exists anywhere,
TensorBoard takes the columns of every run from it. Without one it shows the union of all runs' parameters, and every
scalar as a metric (`tensorboard/plugins/hparams/backend_context.py`).
"""

import json
from hashlib import sha256
from math import isfinite
from typing import Any

from treadle_tracking.entries import Ended, Params, ParamValue, RunStatus, Started
from treadle_tracking.params import flatten
from treadle_tracking.protos import messages

__all__ = ["TEXT_LIMIT", "session_end", "session_start"]

TEXT_LIMIT = 250  # characters of a text parameter that the page shows: each is a checkbox there

_DT_FLOAT = 1
# TensorBoard has no word for a run that somebody stopped.
_STATUS: dict[RunStatus, int] = {"FINISHED": 1, "FAILED": 2, "KILLED": 2, "RUNNING": 3}


def _add_session(event: Any, tag: str) -> Any:
    value = event.summary.value.add(tag=tag)
    value.tensor.dtype = _DT_FLOAT  # the plugin wants some tensor; this one is empty
    value.tensor.tensor_shape.dim.add(size=0)
    value.metadata.plugin_data.plugin_name = "hparams"
    return value.metadata.plugin_data


def _shortened(text: str) -> str:
    # A lone surrogate has no UTF-8; it is exact in the entry's JSON and shown as an escape here.
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= TEXT_LIMIT:
        return text
    # ASCII: TensorBoard shows anything else as an escape in its list of a column's texts.
    marker = f"... ({len(text)} characters)"
    return text[: TEXT_LIMIT - len(marker)] + marker


def _shortened_name(name: str) -> str:
    """Likewise, and different for different names."""
    name = name.encode("utf-8", "backslashreplace").decode()
    if len(name) <= TEXT_LIMIT:
        return name
    mark = f"... {sha256(name.encode()).hexdigest()[:16]}"
    return name[: TEXT_LIMIT - len(mark)] + mark


def _set(value: Any, param: ParamValue) -> bool:
    """Whether TensorBoard has a type for `param`, which `value` then holds."""
    if isinstance(param, bool):
        value.bool_value = param
    elif isinstance(param, int | float):
        # One text among numbers would turn the whole column into text, so these are left out.
        try:
            number = float(param)
        except OverflowError:
            return False
        if not isfinite(number):
            return False
        value.number_value = number
    elif isinstance(param, str):
        value.string_value = _shortened(param)
    elif isinstance(param, list):
        value.string_value = _shortened(json.dumps(param, ensure_ascii=False))
    else:
        return False
    return True


def session_start(event: Any, params: Params, started: Started | None) -> None:
    """Add a session start to `event`: parameters by dotted name, as booleans, numbers and texts.

    A list is its JSON. None, NaN and the infinities are left out, a text beyond `TEXT_LIMIT` is cut with a marker, and a
    name with a digest: the entry itself and params.json have them exactly.
    """
    data = messages().hparams(version=0)
    info = data.session_start_info
    info.start_time_secs = params.wall_time if started is None else started.wall_time
    if started is not None and started.group is not None:
        info.group_name = _shortened_name(started.group)
    for name, param in flatten(params.values).items():
        item = info.hparams.add(key=_shortened_name(name))
        if not _set(item.value, param):
            del info.hparams[-1]
    _add_session(event, "_hparams_/session_start_info").content = data.SerializeToString()


def session_end(event: Any, ended: Ended) -> None:
    """Add a session end to `event`. TensorBoard keeps the first it finds, so it is written at the very end only."""
    data = messages().hparams(version=0)
    data.session_end_info.status = _STATUS[ended.status]
    data.session_end_info.end_time_secs = ended.wall_time
    _add_session(event, "_hparams_/session_end_info").content = data.SerializeToString()
