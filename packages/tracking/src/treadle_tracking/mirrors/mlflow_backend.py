"""MLflow as a kind of place: what may follow `mlflow:`, and the mirror and the reader that it makes."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from treadle_tracking.errors import InvalidTarget
from treadle_tracking.masking import masked
from treadle_tracking.mirrors.base import Mirror
from treadle_tracking.notices import say
from treadle_tracking.shell import migrate_command
from treadle_tracking.target import absolute_path

if TYPE_CHECKING:
    from treadle_tracking.reading.reader import Reader

__all__ = ["mirror", "normalized", "reader"]

_DEFAULT = "sqlite:///mlflow.db"
_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:)(/{0,3})(.*)", re.DOTALL)


def mirror(address: str) -> Mirror:
    """A run in MLflow. Raises as `MLflowMirror`."""
    from treadle_tracking.mirrors.mlflow import MLflowMirror

    return MLflowMirror(address)


def reader(address: str, *, infer_types: bool = False) -> "Reader":
    """The runs in MLflow. Raises as `MLflowReader`."""
    from treadle_tracking.reading.mlflow import MLflowReader

    return MLflowReader(address, infer_types=infer_types)


def normalized(address: str) -> str:
    """A tracking URI: of an sqlite file by its absolute path, where there is none that of the environment or a file here.

    Raises:
        InvalidTarget: an sqlite URI names no file, or has not three slashes; the environment names nothing that MLflow
            knows.
    """
    if address:
        return _absolute(address)
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if given:
        return _of_environment(given)
    uri = _absolute(_DEFAULT)
    _pass_over_file_store(uri)
    return uri


def _absolute(uri: str) -> str:
    matched = _SQLITE.match(uri)
    if matched is None:
        return uri
    scheme, slashes, path = matched.groups()
    if not path or path.startswith(("?", ":memory:")):
        raise InvalidTarget(
            f"target 'mlflow:{masked(uri)}' names no file, and a database in memory dies with the process. "
            f"Name one: 'mlflow:{_DEFAULT}'"
        )
    if slashes != "///":
        raise InvalidTarget(
            f"target 'mlflow:{masked(uri)}' has no three slashes before its file; a fourth begins an absolute path. "
            f"Did you mean {masked(f'mlflow:{scheme}///{path}')!r}?"
        )
    return f"{scheme}///{absolute_path(path)}"


def _of_environment(given: str) -> str:
    from treadle_tracking.mirrors.address import parse_address

    try:
        uri = _absolute(given)
        parse_address(uri)
    except InvalidTarget as error:
        # The user wrote no such target, and would look for it in his program.
        error.args = (f"'mlflow:' is what the variable MLFLOW_TRACKING_URI says, and {error}",)
        raise
    return uri


def _pass_over_file_store(uri: str) -> None:
    """Tell whoever has runs of MLflow's old default beside him that this is not what `mlflow:` means.

    MLflow itself takes such a folder for its default still, and then refuses to open it.
    """
    folder = Path.cwd() / "mlruns"
    # `mlflow.tracking._tracking_service.utils`: experiments of a file store have this file, artifacts alone have not.
    if any(folder.glob("[0-9]*/meta.yaml")):
        command = migrate_command(folder)
        say(
            f"'mlflow:' is {uri} here, and {folder}, a file store of older versions of MLflow, is passed over; "
            f"its runs are brought into a database of their own by: {command}"
        )
