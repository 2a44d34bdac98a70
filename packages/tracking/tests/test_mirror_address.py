"""What may follow `mlflow:`."""

from pathlib import Path

import pytest

from treadle_tracking.mirrors.address import Address, parse_address
from treadle_tracking.mirrors.errors import FileStoreRefused


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (
            "sqlite:////a/b.db",
            Address("sqlite:////a/b.db", "sqlite:////a/b.db", True, Path("/a/b.db")),
        ),
        (
            "sqlite+pysqlite:////a/b.db?timeout=5",
            Address(
                "sqlite+pysqlite:////a/b.db?timeout=5",
                "sqlite+pysqlite:////a/b.db?timeout=5",
                True,
                Path("/a/b.db"),
            ),
        ),
        (
            "postgresql+psycopg2://me:secret@db/runs",
            Address(
                "postgresql+psycopg2://me:secret@db/runs",
                "postgresql+psycopg2://***@db/runs",
                True,
                None,
            ),
        ),
        (
            "https://me:secret@host:5000/",
            Address("https://me:secret@host:5000", "https://***@host:5000", False, None),
        ),
        ("databricks", Address("databricks", "databricks", False, None)),
    ],
)
def test_an_address_is_read(uri, expected):
    """Databases, servers and Databricks are known, and passwords are set apart."""
    actual = parse_address(uri)

    assert expected == actual


@pytest.mark.parametrize(
    ("uri", "folder"),
    [("./mlruns", "./mlruns"), ("file:///a/mlruns", "/a/mlruns"), ("mlruns", "mlruns")],
)
def test_a_folder_is_refused_with_the_way_out(uri, folder):
    """A file store, which keeps repeated points twice, is refused in words that say how to migrate."""
    expected = (
        f"target 'mlflow:{uri}' is a file store, in which points that are sent again appear twice and which MLflow "
        f"itself no longer opens. Name a database, as in 'mlflow:sqlite:///mlflow.db'; old runs are brought into it "
        f"by: mlflow migrate-filestore --source {folder} --target sqlite:///mlflow.db"
    )

    with pytest.raises(FileStoreRefused) as caught:
        parse_address(uri)

    assert expected == str(caught.value)
