"""Where an MLflow store is: the part of a target that follows `mlflow:`."""

import re
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path

from attrs import frozen

from treadle_tracking.errors import InvalidTarget
from treadle_tracking.masking import masked
from treadle_tracking.mirrors.errors import FileStoreRefused

__all__ = ["Address", "parse_address"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9.\-]+)(?:\+[A-Za-z0-9]+)?:")
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")  # `mlflow.store.db.db_types`
_SERVER = re.compile(r"https?://[^/]|(?:databricks(?:-uc)?|uc):")
_ALONE = {"databricks", "databricks-uc", "uc"}
_FILE = re.compile(r"\.(?:db3?|sqlite3?)\Z")  # an sqlite database's, by custom
_HOST = re.compile(r"[\w.\-]+:\d+(?:/|\Z)")


@frozen
class Address:
    """An MLflow tracking URI."""

    uri: str  # what MLflow is given
    shown: str  # the same without user and password
    is_database: bool  # whether MLflow talks to a database itself, and not to a server
    is_http: bool  # whether it is a server's own address
    file: Path | None  # the file of an sqlite database


def parse_address(uri: str) -> Address:
    """Read a tracking URI: `sqlite:////absolute.db`, another database, `http://…`, `https://…`, or `databricks`.

    Raises:
        FileStoreRefused: it is a folder.
        InvalidTarget: it is nothing that MLflow knows.
    """
    matched = _SCHEME.match(uri)
    scheme = matched.group(1) if matched else ""
    if matched is None and _FILE.search(uri):
        raise InvalidTarget(
            f"target 'mlflow:{masked(uri)}' names a file without saying what it is. "
            f"Did you mean 'mlflow:sqlite:///{masked(uri)}'?"
        )
    if scheme == "file" or (matched is None and _HOST.match(uri) is None and uri not in _ALONE):
        raise FileStoreRefused(masked(uri))
    uri = uri.rstrip("/")
    if scheme in _DATABASES:
        file = Path(uri.partition(":///")[2].partition("?")[0]) if scheme == "sqlite" else None
        return Address(uri, masked(uri), is_database=True, is_http=False, file=file)
    if uri not in _ALONE and _SERVER.match(uri) is None and not _is_plugin(scheme):
        raise InvalidTarget(_unknown(uri, scheme))
    return Address(
        uri, masked(uri), is_database=False, is_http=scheme in {"http", "https"}, file=None
    )


def _is_plugin(scheme: str) -> bool:
    """Whether somebody has taught MLflow this scheme."""
    return bool(entry_points(group="mlflow.tracking_store", name=scheme))


def _unknown(uri: str, scheme: str) -> str:
    expected = "expected sqlite:///FILE, another database, http://HOST, https://HOST or databricks"
    close = get_close_matches(scheme, [*_DATABASES, "http", "https"], n=1)
    if _HOST.match(uri):
        expected += f". Did you mean 'mlflow:http://{uri}'?"
    elif close and close[0] != scheme:
        expected += f". Did you mean 'mlflow:{masked(uri.replace(scheme, close[0], 1))}'?"
    return f"target 'mlflow:{masked(uri)}' is no tracking URI that MLflow knows; {expected}"
