"""Where an MLflow store is: the part of a target that follows `mlflow:`."""

import re
from pathlib import Path

from attrs import frozen

from treadle_tracking.mirrors.errors import FileStoreRefused
from treadle_tracking.target import masked

__all__ = ["Address", "parse_address"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9.\-]+)(?:\+[A-Za-z0-9]+)?:")
_DATABASES = {"sqlite", "postgresql", "postgres", "mysql", "mssql"}


@frozen
class Address:
    """An MLflow tracking URI."""

    uri: str  # what MLflow is given
    shown: str  # the same without user and password
    is_database: bool  # whether MLflow talks to a database itself, and not to a server
    file: Path | None  # the file of an sqlite database


def parse_address(uri: str) -> Address:
    """Read a tracking URI: `sqlite:////absolute.db`, another database, `http://…`, `https://…`, or `databricks`.

    Raises:
        FileStoreRefused: it is a folder.
    """
    matched = _SCHEME.match(uri)
    if matched is None and uri.startswith("databricks"):
        return Address(uri, uri, is_database=False, file=None)
    if matched is None or matched.group(1) == "file":
        raise FileStoreRefused(uri)
    uri = uri.rstrip("/")
    scheme = matched.group(1)
    file = Path(uri.partition(":///")[2].partition("?")[0]) if scheme == "sqlite" else None
    return Address(uri, masked(uri), scheme in _DATABASES, file)
