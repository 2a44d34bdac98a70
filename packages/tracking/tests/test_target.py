"""Where a run goes: what a target may be, and what is said of one that is none."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from treadle_tracking.errors import InvalidTarget
from treadle_tracking.target import Targets, absolute_targets, parse_targets


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

    assert Targets(root=Path.cwd() / "runs", mirrors=("mlflow:http://127.0.0.1:5000",)) == parsed


def test_mlflow_alone_keeps_the_directory_under_a_default():
    """Without a root the run is below `.treadle/runs`, which was not chosen; `directory` chooses another."""
    uri = "mlflow:http://127.0.0.1:5000"

    assert Targets(
        root=Path.cwd() / ".treadle/runs", mirrors=(uri,), chosen=False
    ) == parse_targets(uri)
    assert Targets(root=Path.cwd() / "kept", mirrors=(uri,)) == parse_targets(uri, directory="kept")


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
    assert (f"mlflow:{expected.format(here=Path.cwd())}",) == parse_targets(f"mlflow:{uri}").mirrors


def test_bare_mlflow_is_the_environments_or_a_file_here(monkeypatch):
    """`mlflow:` is `MLFLOW_TRACKING_URI` where that is set, else an sqlite file with an absolute path."""
    assert (f"mlflow:sqlite:///{Path.cwd()}/mlflow.db",) == parse_targets("mlflow:").mirrors
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5001")
    assert ("mlflow:http://127.0.0.1:5001",) == parse_targets("mlflow:").mirrors
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///of/env.db")
    assert (f"mlflow:sqlite:///{Path.cwd()}/of/env.db",) == parse_targets("mlflow:").mirrors


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


@pytest.mark.parametrize(("directory", "shown"), [("", "'' (str)"), (5, "5 (int)")])
def test_a_directory_is_a_path(directory, shown):
    """What is no path, or an empty one, is an error that shows it."""
    with pytest.raises(InvalidTarget) as caught:
        parse_targets("mlflow:", directory=directory)

    assert f"directory is {shown}; expected the path of a directory" == str(caught.value)


@pytest.fixture
def file_store(tmp_path):
    """A folder of an old MLflow, with one experiment."""
    folder = tmp_path / "mlruns"
    (folder / "0").mkdir(parents=True)
    (folder / "0" / "meta.yaml").touch()
    return folder


def test_an_old_file_store_is_passed_over_with_one_sentence(tmp_path, file_store, capfd):
    """`mlflow:` beside an old `mlruns` is a database, for who writes and who reads, and how to take the runs along is said."""
    uris = parse_targets("mlflow:").mirrors

    assert (
        (f"mlflow:sqlite:///{tmp_path}/mlflow.db",),
        (
            f"treadle: 'mlflow:' is sqlite:///{tmp_path}/mlflow.db here, and {file_store}, a file store of older versions of "
            f"MLflow, is passed over; its runs are brought into a database of their own by: mlflow migrate-filestore "
            f"--source {file_store} --target sqlite:///{file_store}.db\n"
        ),
    ) == (uris, capfd.readouterr().err)


@pytest.mark.parametrize("target", ["mlflow:sqlite:///mlflow.db", "tensorboard:mlruns"])
def test_who_names_a_place_is_told_nothing_of_another(file_store, capfd, target):
    """An old `mlruns` is of interest only to whoever left it to us where to go."""
    parse_targets(target)

    assert "" == capfd.readouterr().err


def test_a_folder_of_artifacts_alone_is_no_file_store(tmp_path, capfd):
    """MLflow's databases keep their files in a folder of the same name, without a word about an experiment."""
    (tmp_path / "mlruns" / "0" / "1234" / "artifacts").mkdir(parents=True)
    parse_targets("mlflow:")

    assert "" == capfd.readouterr().err


@pytest.mark.slow
def test_the_command_that_takes_the_old_runs_along_works(tmp_path, capfd):
    """What the sentence says to type brings the runs of a file store into the database that it names."""
    mlflow = pytest.importorskip("mlflow", reason="needs the extra treadle-tracking[mlflow]")
    pytest.importorskip("alembic", reason="needs the extra treadle-tracking[mlflow]")
    code = "import mlflow; mlflow.set_tracking_uri('mlruns'); mlflow.log_metric('loss', 0.5)"
    environment = {**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, env=environment)
    parse_targets("mlflow:")

    command = capfd.readouterr().err.rpartition("by: mlflow ")[2]
    subprocess.run([sys.executable, "-m", "mlflow", *shlex.split(command)], check=True)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlruns.db")
    [run] = client.search_runs(["0"])

    assert {"loss": 0.5} == run.data.metrics


@pytest.mark.parametrize(
    ("target", "advice"),
    [
        ("wandb:x", "No backend of 'wandb:' is installed"),
        ("jsonl:x", "No backend of 'jsonl:' is installed"),
        ("s3://b/x", "No backend of 's3:' is installed"),
        ("http://host:5000", "Did you mean 'mlflow:http://host:5000'?"),
        ("sqlite:///a.db", "Did you mean 'mlflow:sqlite:///a.db'?"),
        ("./runs:1", "Did you mean 'tensorboard:./runs:1'?"),
        ("runs", "Did you mean 'tensorboard:runs'?"),
    ],
)
def test_no_hint_leads_astray(target, advice):
    """What is no path and no tracking URI is not made one."""
    with pytest.raises(InvalidTarget) as caught:
        parse_targets(target)

    assert (
        f"target {target!r} names no place that is known; expected 'tensorboard:DIR' or 'mlflow:URI'. {advice}"
    ) == str(caught.value)


@pytest.mark.parametrize("address", ["s3://b/x", "gs://b/x", "hdfs://h/x"])
def test_a_run_is_kept_on_this_machine(address):
    """An address is not made a directory of that name."""
    with pytest.raises(InvalidTarget) as caught:
        parse_targets(f"tensorboard:{address}")

    assert (
        f"{address!r} is an address; a run is kept in a directory of this machine, as in 'tensorboard:runs'"
    ) == str(caught.value)


def test_absolute_targets_are_the_same_elsewhere(tmp_path, monkeypatch):
    """The directory comes first, whatever it was named by; in another directory and environment the places are the same."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:5000")
    absolute = absolute_targets(["mlflow:", "mlflow:sqlite:///mlflow.db"], directory="runs")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.chdir("/")

    assert [
        f"tensorboard:{tmp_path}/runs",
        "mlflow:http://me:secret@127.0.0.1:5000",
        f"mlflow:sqlite:///{tmp_path}/mlflow.db",
    ] == absolute
    assert absolute == absolute_targets(absolute)
