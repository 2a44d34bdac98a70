"""`show`, and how runs are named."""

import json
import shutil

import pytest

from treadle_tracking import start_run
from treadle_tracking.commands import main

BASELINE = "3f2a91bc6f0d4e1c9a7be2d15f60c834"


def test_a_run_is_shown(five_runs, capsys):
    """Everything but its histories: parameters as they are nested, the extremes of metrics, what else it has."""
    assert 0 == main(["show", "runs", BASELINE])
    assert (
        (
            f"digits/baseline\n"
            f"  uid        {BASELINE}\n"
            f"  status     FINISHED\n"
            f"  started    2026-11-22 09:00:00\n"
            f"  ended      2026-11-22 09:03:12 (after 3 min 12 s)\n"
            f"  directory  {five_runs}/digits/baseline\n"
            f"params\n"
            f"  optim\n"
            f"    name  adam\n"
            f"    lr    0.001\n"
            f"  batch_size  32\n"
            f"  clip        None\n"
            f"tags\n"
            f"  outcome  good\n"
            f"metrics     last   min  max\n"
            f"  loss      0.21  0.21  0.9\n"
            f"  val/loss  0.35  0.31  0.8\n"
            f"artifacts (2)\n"
            f"  models/last.bin\n"
            f"  notes.md\n"
        ),
        "",
    ) == capsys.readouterr()


def test_what_a_run_has_beside_numbers_is_named(tmp_path, monkeypatch, capsys):
    """By kind, and functions with where they are from."""
    monkeypatch.chdir(tmp_path)
    with start_run("tensorboard:runs", name="a", group="g", params={"text": "1e-3"}) as run:
        run.text("notes", "fine", step=1)
        run.histogram("weights", [1.0, 2.0], step=1)
        run.function("dumps", json.dumps)

    main(["show", "runs"])

    out = capsys.readouterr().out
    assert "\n  group      g\n" in out
    assert "params\n  text  '1e-3'\n" in out
    assert (
        "texts (1)\n  notes\nhistograms (1)\n  weights\nfunctions (1)\n  dumps  json:dumps\n"
        == out[out.index("texts") :]
    )


def test_a_run_is_shown_as_json(five_runs, capsys):
    """As `list` has it, with the extremes of metrics and what else it has."""
    main(["list", "runs", "--json"])
    listed = json.loads(capsys.readouterr().out)[-1]

    assert 0 == main(["show", "runs", "3f2a", "--json"])
    assert listed | {
        "artifacts": ["models/last.bin", "notes.md"],
        "images": [],
        "texts": [],
        "histograms": [],
        "tables": [],
        "functions": {},
        "min": {"loss": 0.21, "val/loss": 0.31},
        "max": {"loss": 0.9, "val/loss": 0.8},
    } == json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("runs", [BASELINE]),
        ("runs", ["3f2"]),
        ("runs", ["digits/baseline"]),
        ("runs", ["runs/digits/baseline"]),
        ("runs/digits", ["baseline"]),
        ("runs/digits/baseline", []),
    ],
)
def test_a_run_has_several_names(five_runs, capsys, target, names):
    """Its uid or a beginning of it, its name, with its experiment or without, its directory; a lone run needs none."""
    assert 0 == main(["show", target, *names])
    assert f"\n  uid        {BASELINE}\n" in capsys.readouterr().out


def test_a_name_goes_before_the_beginning_of_a_uid(five_runs, capsys):
    """Whatever uids there happen to be."""
    start_run("tensorboard:runs", experiment="digits", name="3f2a").close()
    main(["show", "runs", "3f2a"])

    assert capsys.readouterr().out.startswith("digits/3f2a\n")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("baseline", "2 runs are called 'baseline'"),
        ("3f", "the uids of 2 runs begin with '3f'"),
    ],
)
def test_several_that_are_meant_are_listed(five_runs, capsys, name, said):
    """Each with what tells it apart; the call is wrong."""
    code = main(["show", "runs", name])

    assert (
        2,
        "",
        (
            f"treadle: {said}. Name one by its uid:\n"
            f"    3f2a91bc  digits   baseline  2026-11-22 09:00  {five_runs}/digits/baseline\n"
            f"    3fe8d2a0  letters  baseline  2026-11-22 12:00  {five_runs}/letters/baseline\n"
        ),
    ) == (code, *capsys.readouterr())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("9", "2 runs are called '9', as copies of one directory are"),
        ("digits/9", "2 runs are called 'digits/9', as copies of one directory are"),
        ("91", "2 runs have a uid that begins with '91', as copies of one directory have"),
        ("91bc40d7", "2 runs have the uid '91bc40d7', as copies of one directory have"),
    ],
)
def test_copies_are_called_what_they_were_found_by(tmp_path, monkeypatch, capsys, name, said):
    """Also where their name is the beginning of their uid."""
    monkeypatch.chdir(tmp_path)
    with start_run("tensorboard:runs", experiment="digits", name="9", uid="91bc40d7"):
        pass
    shutil.copytree("runs/digits/9", "runs/digits/copied")

    assert 2 == main(["show", "runs", name])
    assert capsys.readouterr().err.startswith(f"treadle: {said}. Name one by its place")


def test_copies_of_a_run_are_told_apart_by_their_place(five_runs, capsys):
    """They have one uid."""
    shutil.copytree(five_runs / "digits" / "wider", five_runs / "digits" / "copied")
    copied = f"{five_runs}/digits/copied"

    assert 2 == main(["show", "runs", "91bc"])
    assert capsys.readouterr().err.startswith(
        "treadle: 2 runs have a uid that begins with '91bc', as copies of one directory have. Name one by its place, in the last "
        "column:\n    91bc40d7  digits  wider  2026-11-22 10:00  "
    )
    assert 0 == main(["show", "runs", copied])
    assert f"\n  directory  {copied}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["runs", "wide"], "no run 'wide' in {}/runs. Did you mean 'wider'?"),
        (["runs", ""], "'' names no run"),
        (
            ["runs"],
            "there are 5 runs in tensorboard:{}/runs: name one, by its uid or its name",
        ),
        (
            ["nowhere", "a"],
            (
                "there is no directory 'nowhere'; expected one, or a target such as mlflow:http://HOST:5000"
            ),
        ),
        (
            ["tensorboard:nowhere", "a"],
            "{}/nowhere: there is no such directory. Name the one that the runs were started with",
        ),
        (
            ["tensorbord:runs", "a"],
            (
                "target 'tensorbord:runs' names no place that is known; expected 'tensorboard:DIR' or 'mlflow:URI'. "
                "Did you mean 'tensorboard:runs'?"
            ),
        ),
        (
            ["http://me:secret@host", "a"],
            (
                "target 'http://***@host' names no place that is known; expected 'tensorboard:DIR' or 'mlflow:URI'. "
                "Did you mean 'mlflow:http://***@host'?"
            ),
        ),
        (["", "a"], "'' names nothing; expected tensorboard:DIR, mlflow:URI or a directory"),
        (["file", "a"], "'file' is a file. Name a directory that runs are below"),
        (
            ["mlflow.db", "a"],
            (
                "'mlflow.db' is a file. If it is a database of MLflow, name it so: 'mlflow:sqlite:///mlflow.db'"
            ),
        ),
        (
            ["runs/digits/wider/events.out.tfevents.000000.treadle", "a"],
            (
                "'runs/digits/wider/events.out.tfevents.000000.treadle' is a file. "
                "Name its directory: 'runs/digits/wider'"
            ),
        ),
    ],
)
def test_what_names_nothing_is_told(five_runs, tmp_path, capsys, arguments, said):
    """With what may have been meant; the call is wrong."""
    (tmp_path / "file").touch()
    (tmp_path / "mlflow.db").write_bytes(b"SQLite format 3\0")

    assert 2 == main(["show", *arguments])
    assert ("", f"treadle: {said.replace('{}', str(tmp_path))}\n") == capsys.readouterr()
