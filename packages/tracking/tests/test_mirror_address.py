"""What may follow `mlflow:`."""

from pathlib import Path

import pytest

from treadle_tracking.errors import InvalidTarget
from treadle_tracking.mirrors import address as address_module
from treadle_tracking.mirrors.address import Address, parse_address
from treadle_tracking.mirrors.errors import FileStoreRefused


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (
            "sqlite:////a/b.db",
            Address("sqlite:////a/b.db", "sqlite:////a/b.db", True, False, Path("/a/b.db")),
        ),
        (
            "sqlite+pysqlite:////a/b.db?timeout=5",
            Address(
                "sqlite+pysqlite:////a/b.db?timeout=5",
                "sqlite+pysqlite:////a/b.db?timeout=5",
                True,
                False,
                Path("/a/b.db"),
            ),
        ),
        (
            "postgresql+psycopg2://me:secret@db/runs",
            Address(
                "postgresql+psycopg2://me:secret@db/runs",
                "postgresql+psycopg2://***@db/runs",
                True,
                False,
                None,
            ),
        ),
        (
            "https://me:secret@host:5000/",
            Address("https://me:secret@host:5000", "https://***@host:5000", False, True, None),
        ),
        ("databricks", Address("databricks", "databricks", False, False, None)),
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


@pytest.mark.parametrize(
    ("uri", "shown", "suggestion"),
    [
        ("sqlit:///a.db", "sqlit:///a.db", ". Did you mean 'mlflow:sqlite:///a.db'?"),
        (
            "postgres://u:p@h/d",
            "postgres://***@h/d",
            ". Did you mean 'mlflow:postgresql://***@h/d'?",
        ),
        ("htp://h:5000", "htp://h:5000", ". Did you mean 'mlflow:http://h:5000'?"),
        ("127.0.0.1:5000", "127.0.0.1:5000", ". Did you mean 'mlflow:http://127.0.0.1:5000'?"),
        ("my-host:5000/a", "my-host:5000/a", ". Did you mean 'mlflow:http://my-host:5000/a'?"),
        ("http:/h", "http:/h", ""),
        ("wandb://h", "wandb://h", ""),
    ],
)
def test_what_mlflow_does_not_know_is_refused(uri, shown, suggestion):
    """A mistyped URI is told before the run begins, and not by MLflow a second later."""
    with pytest.raises(InvalidTarget) as caught:
        parse_address(uri)

    assert (
        f"target 'mlflow:{shown}' is no tracking URI that MLflow knows; expected sqlite:///FILE, another database, "
        f"http://HOST, https://HOST or databricks{suggestion}"
    ) == str(caught.value)


def test_a_plugin_of_mlflows_is_known(monkeypatch):
    """A scheme that somebody has taught MLflow is taken as a server."""
    monkeypatch.setattr(address_module, "entry_points", lambda **_: ["a plugin"])

    assert Address("wandb://h", "wandb://h", False, False, None) == parse_address("wandb://h")


@pytest.mark.parametrize("uri", ["mlflow.db", "/a/b.sqlite"])
def test_a_database_without_its_kind_is_named_with_it(uri):
    """It is no folder, and what is meant is plain."""
    with pytest.raises(InvalidTarget) as caught:
        parse_address(uri)

    assert (
        f"target 'mlflow:{uri}' names a file without saying what it is. Did you mean 'mlflow:sqlite:///{uri}'?"
    ) == str(caught.value)
