"""A DataFrame as a Parquet file."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treadle_tracking.errors import MissingExtra
from treadle_tracking.exporting import dumps, plain

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
        elif frame[name].dtype == "string":
            texts = [None if value is pd.NA else _writable(value) for value in frame[name]]
            frame[name] = pd.array(texts, dtype="string")
    frame.columns = [_writable(name) for name in frame.columns]
    frame.to_parquet(path, engine="pyarrow", index=False)


def _as_json(value: Any) -> str:
    return dumps(plain({"": value})[""])


def _writable(text: str) -> str:
    """A text that UTF-8 has: a half of a surrogate pair is its escape."""
    return text.encode("utf-8", "backslashreplace").decode()
