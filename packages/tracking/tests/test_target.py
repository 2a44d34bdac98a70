from pathlib import Path

import pytest

from treadle_tracking.errors import InvalidTarget
from treadle_tracking.target import Targets, masked, parse_targets


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_tensorboard_names_the_root():
    """The root is absolute, whatever the current directory is later."""
    assert Targets(root=Path.cwd() / "runs") == parse_targets("tensorboard:runs")
    assert Targets(root=Path("/data/runs")) == parse_targets("tensorboard:/data/runs")
    assert Targets(root=Path.cwd() / "home/runs") == parse_targets("tensorboard:~/runs")


def test_a_list_is_one_root_and_its_mirrors():
    """Mirrors keep their order, and one named twice is one."""
    parsed = parse_targets(
        ["mlflow:http://127.0.0.1:5000", "tensorboard:runs", "mlflow:http://127.0.0.1:5000"]
    )

    assert Targets(root=Path.cwd() / "runs", mirrors=("http://127.0.0.1:5000",)) == parsed


def test_mlflow_alone_keeps_the_directory_under_a_default():
    """Without a root the run is below `.treadle/runs`, which was not chosen; `directory` chooses another."""
    uri = "http://127.0.0.1:5000"

    assert Targets(
        root=Path.cwd() / ".treadle/runs", mirrors=(uri,), chosen=False
    ) == parse_targets(f"mlflow:{uri}")
    assert Targets(root=Path.cwd() / "kept", mirrors=(uri,)) == parse_targets(
        f"mlflow:{uri}", directory="kept"
    )


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sqlite:///mlflow.db", "sqlite:///{here}/mlflow.db"),
        ("sqlite:///some/mlflow.db", "sqlite:///{here}/some/mlflow.db"),
        ("sqlite+pysqlite:///mlflow.db", "sqlite+pysqlite:///{here}/mlflow.db"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
        ("postgresql://user:pw@db/mlflow", "postgresql://user:pw@db/mlflow"),
        ("https://mlflow.example", "https://mlflow.example"),
    ],
)
def test_relative_databases_are_made_absolute(uri, expected):
    """An sqlite URI means the same file from every directory; other URIs stay as they are."""
    assert (expected.format(here=Path.cwd()),) == parse_targets(f"mlflow:{uri}").mirrors


def test_bare_mlflow_is_the_environments_or_a_file_here(monkeypatch):
    """`mlflow:` is `MLFLOW_TRACKING_URI` where that is set, else an sqlite file with an absolute path."""
    assert (f"sqlite:///{Path.cwd()}/mlflow.db",) == parse_targets("mlflow:").mirrors
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5001")
    assert ("http://127.0.0.1:5001",) == parse_targets("mlflow:").mirrors
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///of/env.db")
    assert (f"sqlite:///{Path.cwd()}/of/env.db",) == parse_targets("mlflow:").mirrors


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "tensorbord:runs",
            (
                "target 'tensorbord:runs' names no place that is known; expected 'tensorboard:DIR' or 'mlflow:URI'. "
                "Did you mean 'tensorboard:runs'?"
            ),
        ),
        (
            "MLflow:http://u:secret@host",
            (
                "target 'MLflow:http://***@host' names no place that is known; expected 'tensorboard:DIR' or "
                "'mlflow:URI'. Did you mean 'mlflow:http://***@host'?"
            ),
        ),
        (
            "http://127.0.0.1:5000",
            (
                "target 'http://127.0.0.1:5000' names no place that is known; expected 'tensorboard:DIR' or "
                "'mlflow:URI'. Did you mean 'mlflow:http://127.0.0.1:5000'?"
            ),
        ),
        (
            "runs",
            (
                "target 'runs' names no place that is known; expected 'tensorboard:DIR' or 'mlflow:URI'. "
                "Did you mean 'tensorboard:runs'?"
            ),
        ),
        (
            "",
            (
                "target '' names no place that is known; expected 'tensorboard:DIR' or 'mlflow:URI'. "
                "Did you mean 'tensorboard:runs'?"
            ),
        ),
        (
            "tensorboard:",
            "target 'tensorboard:' names no directory. Name one: 'tensorboard:runs'",
        ),
        (
            "tensorboard: ",
            "target 'tensorboard:' names no directory. Name one: 'tensorboard:runs'",
        ),
        (
            "  ",
            (
                "target '  ' names no place that is known; expected 'tensorboard:DIR' or 'mlflow:URI'. "
                "Did you mean 'tensorboard:runs'?"
            ),
        ),
        (
            "tensorboard:runs,mlflow:sqlite:///mlflow.db",
            (
                "target 'tensorboard:runs,mlflow:sqlite:///mlflow.db' is 2 targets in one text. "
                "Give a list of them: ['tensorboard:runs', 'mlflow:sqlite:///mlflow.db']"
            ),
        ),
        (
            ["mlflow:http://u:secret@host; tensorboard:a, b mlflow:"],
            (
                "target 'mlflow:http://***@host; tensorboard:a, b mlflow:' is 3 targets in one text. "
                "Give a list of them: ['mlflow:http://***@host', 'tensorboard:a, b', 'mlflow:']"
            ),
        ),
        (
            "tensorboard: runs",
            "target 'tensorboard: runs' has blanks around its parts. Did you mean 'tensorboard:runs'?",
        ),
        (
            " mlflow:http://u:secret@host\n",
            (
                "target ' mlflow:http://***@host\\n' has blanks around its parts. "
                "Did you mean 'mlflow:http://***@host'?"
            ),
        ),
        (
            "tensorboard:$HOME/runs",
            (
                "'$HOME/runs' has a variable in it that nothing has expanded. Give os.path.expandvars('$HOME/runs'), "
                "or write it where a shell expands it"
            ),
        ),
        (
            "mlflow:sqlite:///${SCRATCH}/mlflow.db",
            (
                "'${SCRATCH}/mlflow.db' has a variable in it that nothing has expanded. "
                "Give os.path.expandvars('${SCRATCH}/mlflow.db'), or write it where a shell expands it"
            ),
        ),
        (
            "mlflow:sqlite:///:memory:",
            (
                "target 'mlflow:sqlite:///:memory:' names no file, and a database in memory dies with the process. "
                "Name one: 'mlflow:sqlite:///mlflow.db'"
            ),
        ),
        (
            "mlflow:sqlite://mlflow.db",
            (
                "target 'mlflow:sqlite://mlflow.db' has no three slashes before its file; a fourth begins an absolute "
                "path. Did you mean 'mlflow:sqlite:///mlflow.db'?"
            ),
        ),
        (
            "mlflow:sqlite+pysqlite:mlflow.db",
            (
                "target 'mlflow:sqlite+pysqlite:mlflow.db' has no three slashes before its file; a fourth begins an "
                "absolute path. Did you mean 'mlflow:sqlite+pysqlite:///mlflow.db'?"
            ),
        ),
        (
            "tensorboard:~nobody-of-this-name/runs",
            (
                "'~nobody-of-this-name/runs' is no path of this system. Name another, as in 'tensorboard:runs'"
            ),
        ),
        (
            "tensorboard:a\0b",
            "'a\\x00b' is no path of this system. Name another, as in 'tensorboard:runs'",
        ),
        (
            Path("runs"),
            (
                "target is PosixPath('runs') (PosixPath); expected a text, 'tensorboard:DIR' or 'mlflow:URI', or a list "
                "of such texts. A run that records nothing is start_run(None)"
            ),
        ),
        (
            ["tensorboard:a", None],
            (
                "target is None (NoneType); expected a text, 'tensorboard:DIR' or 'mlflow:URI', or a list of such "
                "texts. A run that records nothing is start_run(None)"
            ),
        ),
        (
            [],
            (
                "the list of targets is empty; expected 'tensorboard:DIR' or 'mlflow:URI'. "
                "A run that records nothing is start_run(None)"
            ),
        ),
        (
            ["tensorboard:a", "tensorboard:b"],
            (
                "a run has one directory, and 2 are named: 'a', 'b'. Name one of them; `directory` is for runs without "
                "a 'tensorboard:DIR'"
            ),
        ),
    ],
)
def test_what_is_no_target_is_an_error_with_a_suggestion(target, message):
    """The message quotes the target, without passwords, and says what may have been meant."""
    with pytest.raises(InvalidTarget) as caught:
        parse_targets(target)

    assert message == str(caught.value)


@pytest.mark.parametrize("name", ["a,b", "a;b, c d", "$5", "a,mlflow", "a mlflow/b"])
def test_a_directory_may_have_an_unusual_name(name):
    """Commas, blanks and dollars inside a path stay legal where no target and no variable follows."""
    assert Path.cwd() / name == parse_targets(f"tensorboard:{name}").root


@pytest.mark.parametrize(
    ("given_uri", "message"),
    [
        (
            "garbage",
            (
                "'mlflow:' is what the variable MLFLOW_TRACKING_URI says, and target 'mlflow:garbage' is a file store, "
                "in which points that are sent again appear twice and which MLflow itself no longer opens. Name a "
                "database, as in 'mlflow:sqlite:///mlflow.db'; old runs are brought into it by: "
                "mlflow migrate-filestore --source garbage --target sqlite:///mlflow.db"
            ),
        ),
        (
            "htp://h:5000",
            (
                "'mlflow:' is what the variable MLFLOW_TRACKING_URI says, and target 'mlflow:htp://h:5000' is no "
                "tracking URI that MLflow knows; expected sqlite:///FILE, another database, http://HOST, https://HOST "
                "or databricks. Did you mean 'mlflow:http://h:5000'?"
            ),
        ),
        (
            "sqlite://a.db",
            (
                "'mlflow:' is what the variable MLFLOW_TRACKING_URI says, and target 'mlflow:sqlite://a.db' has no "
                "three slashes before its file; a fourth begins an absolute path. Did you mean "
                "'mlflow:sqlite:///a.db'?"
            ),
        ),
    ],
)
def test_a_variable_that_is_no_address_is_named(monkeypatch, given_uri, message):
    """Whoever wrote `mlflow:` is told that the address came from the environment."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", given_uri)

    with pytest.raises(InvalidTarget) as caught:
        parse_targets("mlflow:")

    assert message == str(caught.value)


def test_a_root_and_a_directory_are_two_roots():
    """`directory` beside `tensorboard:DIR` is an error."""
    with pytest.raises(InvalidTarget) as caught:
        parse_targets("tensorboard:a", directory="b")

    assert (
        "a run has one directory, and 2 are named: 'b', 'a'. Name one of them; `directory` is for runs without a "
        "'tensorboard:DIR'"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://user:pa:ss@host/path@x", "https://***@host/path@x"),
        ("https://user:p@ss@host", "https://***@host"),
        ("https://host:5000/path@x", "https://host:5000/path@x"),
        ("postgresql://user:pa/ss@host/runs", "postgresql://***@host/runs"),
        ("sqlite:////me@work/a@b.db", "sqlite:////me@work/a@b.db"),
    ],
)
def test_passwords_are_masked(uri, expected):
    """What those who connect would take for user and password is not shown, and nothing else is hidden."""
    assert expected == masked(uri)


@pytest.mark.parametrize(("directory", "shown"), [("", "'' (str)"), (5, "5 (int)")])
def test_a_directory_is_a_path(directory, shown):
    """What is no path, or an empty one, is an error that shows it."""
    with pytest.raises(InvalidTarget) as caught:
        parse_targets("mlflow:", directory=directory)

    assert f"directory is {shown}; expected the path of a directory" == str(caught.value)
