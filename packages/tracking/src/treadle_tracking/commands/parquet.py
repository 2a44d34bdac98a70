"""A DataFrame as a Parquet file."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treadle_tracking.errors import MissingExtra

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["write_parquet"]


def write_parquet(frame: "pd.DataFrame", path: Path) -> None:
    """Write it. Columns whose values have several types, or are lists, are JSON.

    Raises:
        MissingExtra: pyarrow is not installed.
        OSError: it cannot be written.
    """
    import pandas as pd

    if find_spec("pyarrow") is None:
        raise MissingExtra("Parquet", "pyarrow", "frames")
    frame = frame.copy(deep=False)
    for name in frame.columns:
        if frame[name].dtype == object:
            texts = [None if value is pd.NA else _as_json(value) for value in frame[name]]
            frame[name] = pd.array(texts, dtype="string")
    frame.to_parquet(path, engine="pyarrow", index=False)


def _as_json(value: Any) -> str:
    return json.dumps(value)
