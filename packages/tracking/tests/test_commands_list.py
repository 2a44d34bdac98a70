"""`list` and `search`."""

import json
import os
import pty
import subprocess
import sys

import pytest

from treadle_tracking import start_run
from treadle_tracking.commands import main
from treadle_tracking.comparing.labels import beginnings
from treadle_tracking.log import attempt_path

PROGRAM = [sys.executable, "-m", "treadle_tracking"]


def test_runs_are_listed_the_newest_first(five_runs, capsys):
    """What tells them apart, how they went, and the metrics they are judged by."""
    assert 0 == main(["list", "runs"])
    assert (
        (
            "UID       EXPERIMENT  NAME      STATUS      STARTED             DURATION  val/loss  loss\n"
            "e5a1730c  letters     longer    UNFINISHED  2026-11-22 13:00                   1.7   1.5\n"
            "3fe8d2a0  letters     baseline  FAILED      2026-11-22 12:00   1 min 0 s       2.4   nan\n"
            "c07de81f  digits      narrow    KILLED      2026-11-22 11:00      12.5 s             1.5\n"
            "91bc40d7  digits      wider     FINISHED    2026-11-22 10:00  1 h 15 min      0.22  0.12\n"
            "3f2a91bc  digits      baseline  FINISHED    2026-11-22 09:00  3 min 12 s      0.35  0.21\n"
        ),
        "",
    ) == capsys.readouterr()


@pytest.mark.parametrize(
    "target", ["runs/digits", "tensorboard:runs/digits", "./runs/../runs/digits/"]
)
def test_a_directory_is_a_target(five_runs, capsys, target):
    """A path that is there is taken as `tensorboard:PATH`."""
    assert 0 == main(["list", target, "--columns", "name"])
    assert ["NAME", "narrow", "wider", "baseline"] == capsys.readouterr().out.split()


def test_runs_of_an_experiment(five_runs, capsys):
    """The others are left out."""
    main(["list", "runs", "--experiment", "letters", "--columns", "name"])

    assert "NAME\nlonger\nbaseline\n" == capsys.readouterr().out


def test_an_experiment_that_is_none(five_runs, capsys):
    """The answer is empty, and what may have been meant is said; nothing has gone wrong."""
    assert 0 == main(["list", "runs", "--experiment", "o'clock"])
    assert 0 == main(["list", "runs", "--experiment", "digit"])
    assert (
        "UID  EXPERIMENT  NAME  STATUS  STARTED  DURATION\n" * 2,
        (
            f"treadle: no run in tensorboard:{five_runs} is of an experiment \"o'clock\". There is 'digits', 'letters'.\n"
            f"treadle: no run in tensorboard:{five_runs} is of an experiment 'digit'. Did you mean 'digits'?\n"
        ),
    ) == capsys.readouterr()


def test_columns_are_chosen(five_runs, capsys):
    """As the fields of a search are written; a column says whose it is where its name does not."""
    main(
        [
            *["list", "runs/digits", "--columns", "name, params.optim.lr, params.clip"],
            *["--columns", "metrics['val/loss'].min,tags.outcome,duration", "--order-by", "name"],
        ]
    )

    assert (
        "NAME      optim.lr  clip  val/loss min  outcome           DURATION\n"
        "baseline     0.001                0.31  good            3 min 12 s\n"
        "narrow       0.001                                          12.5 s\n"
        "wider       0.0003                0.22  good, but slow  1 h 15 min\n"
    ) == capsys.readouterr().out


def test_uids_that_are_asked_for_are_whole(five_runs, capsys):
    """So that they can be kept."""
    main(["list", "runs", "--columns", "uid", "--limit", "1"])

    assert "UID\ne5a1730cd84b49f6a2c95b0e71d6f384\n" == capsys.readouterr().out


def test_uids_are_as_long_as_tells_them_apart(five_runs):
    """Eight characters at least."""

    from treadle_tracking import open_runs

    uids = ["sweep-0001-a", "sweep-0001-b", "x", "x"]

    assert uids == beginnings(uids)
    assert ["3f2a91bc"] == beginnings([run.uid for run in open_runs("tensorboard:runs")][:1])


def test_a_limit_is_said_only_where_nobody_has_asked_for_it(five_runs, capsys):
    """What was asked for is no surprise, and 0 is all."""
    main(["list", "runs", "--limit", "2", "--columns", "name"])
    main(["list", "runs", "--limit", "0", "--columns", "name"])

    out, err = capsys.readouterr()
    assert ["NAME", "longer", "baseline"] == out.split()[:3]
    assert 9 == len(out.split())
    assert "" == err


def test_runs_are_listed_as_json(five_runs, capsys):
    """Everything of them but histories: ASCII, exact, with times as in ISO 8601."""
    main(["list", "runs", "--json", "--limit", "2"])

    out = capsys.readouterr().out
    longer, failed = json.loads(out)
    assert out.isascii()
    assert {
        "uid": "3fe8d2a04b614c9f91e7a05c3d82b6f1",
        "name": "baseline",
        "experiment": "letters",
        "group": None,
        "status": "FAILED",
        "started": "2026-11-22T12:00:00.000Z",
        "ended": "2026-11-22T12:01:00.000Z",
        "duration": 60.0,
        "params": {"optim": {"name": "sgd", "lr": 0.1}, "batch_size": 32, "clip": None},
        "tags": {},
        "metrics": {"loss": {"$float": "nan"}, "val/loss": 2.4},
        "target": f"tensorboard:{five_runs}",
        "identity": f"{five_runs}/letters/baseline",
        "directory": f"{five_runs}/letters/baseline",
        "url": None,
        "parent": None,
        "damage": None,
    } == failed
    assert ("UNFINISHED", None, None) == (longer["status"], longer["ended"], longer["duration"])


def test_json_is_ascii(tmp_path, monkeypatch, capsys):
    """Whatever names are, and they come back as they were."""
    monkeypatch.chdir(tmp_path)
    start_run("tensorboard:runs", name="日本\x1b\n", params={"$ü": "\udc80"}).close()
    main(["list", "runs", "--json"])

    out = capsys.readouterr().out
    [run] = json.loads(out)
    assert out.isascii()
    assert "\x1b" not in out
    assert ("日本\x1b\n", {"$$ü": "\udc80"}) == (run["name"], run["params"])


def test_runs_are_searched(five_runs, capsys):
    """Those that meet a filter, in the order that is asked for."""
    arguments = ["metrics.loss < 1 and tags.outcome like 'good%'", "--order-by", "metrics.loss"]

    assert 0 == main(["search", "runs", *arguments, "--columns", "name,metrics.loss"])
    assert ("NAME      loss\nwider     0.12\nbaseline  0.21\n", "") == capsys.readouterr()


def test_a_search_without_an_answer_says_why(five_runs, capsys):
    """What no run has is named, with what may have been meant; the table is empty, and nothing has gone wrong."""
    code = main(["search", "runs", "params.lr > 1 or metrics.lss < 2 or tags.x = 'y'", "--json"])

    assert (
        0,
        "[]\n",
        (
            f"treadle: none of 5 runs in tensorboard:{five_runs} meets the filter\n"
            f"treadle: no run has a metric 'lss'. Did you mean 'loss'?\n"
            f"treadle: no run has a parameter 'lr'. There is 'optim.name', 'optim.lr', 'batch_size', 'clip', 'width'.\n"
            f"treadle: no run has a tag 'x'. There is 'outcome'.\n"
        ),
    ) == (code, *capsys.readouterr())


def test_an_order_that_says_nothing_is_told(five_runs, capsys):
    """The runs are listed all the same."""
    assert 0 == main(["list", "runs", "--order-by", "metrics.lss", "--columns", "name"])
    assert (
        "NAME\nbaseline\nwider\nnarrow\nbaseline\nlonger\n",
        "treadle: no run has a metric 'lss'. Did you mean 'loss'?\n",
    ) == capsys.readouterr()


def test_a_filter_that_is_none_is_shown(five_runs, capsys):
    """Where it goes wrong, and the call is wrong."""
    assert 2 == main(["search", "runs", "params.lr >"])
    assert (
        "",
        (
            "treadle: filter, line 1, column 12: it ends here; expected a number, a text in quotes, true or false\n"
            "    params.lr >\n"
            "               ^\n"
        ),
    ) == capsys.readouterr()


def test_a_column_that_is_none_is_shown(five_runs, capsys):
    """Likewise, under the name that was typed."""
    assert 2 == main(["list", "runs", "--columns", "name,lr"])
    assert capsys.readouterr().err.startswith(
        "treadle: --columns, line 1, column 6: a run has no attribute 'lr'."
    )


def test_a_place_without_runs(tmp_path, monkeypatch, capsys):
    """It is said, and nothing has gone wrong."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()

    assert 0 == main(["list", "runs"])
    assert 0 == main(["search", "runs", "name = 'a'"])
    assert f"treadle: there is no run in tensorboard:{tmp_path}/runs\n" * 2 == (
        capsys.readouterr().err
    )


def test_what_is_damaged_is_named(five_runs, capsys):
    """One line a run; the answer stands."""
    path = attempt_path(five_runs / "digits" / "wider")
    data = bytearray(path.read_bytes())
    data[-70] ^= 1
    path.write_bytes(data)

    code = main(["list", "runs/digits", "--columns", "name"])

    out, err = capsys.readouterr()
    assert (0, "NAME\nnarrow\nwider\nbaseline\n") == (code, out)
    assert 1 == err.count("\n")
    assert err.startswith("treadle: warning: the run 'wider' is not read as a whole: the record at")


def test_names_that_would_act_on_a_terminal_do_not(five_runs, capsys):
    """Escapes are shown as what they are, in tables and in messages."""
    start_run("tensorboard:acting", name="\x1b[2J日本\n", experiment="\x07").close()
    main(["list", "acting", "--columns", "name,experiment"])
    main(["show", "acting", "x"])

    assert (
        "NAME           EXPERIMENT\n\\x1b[2J日本\\n  \\x07\n",
        f"treadle: no run 'x' in {five_runs.parent}/acting. There is '\\x1b[2J日本\\n'.\n",
    ) == capsys.readouterr()


@pytest.fixture
def terminal(monkeypatch):
    """A function that makes of stdout a terminal of so many columns."""

    def is_wide(columns):
        monkeypatch.setattr("treadle_tracking.commands.listing.columns", lambda: columns)

    return is_wide


def test_a_table_fits_the_terminal(five_runs, terminal, capsys):
    """As many metrics as fit are shown; then names are cut, and no line wraps."""
    terminal(88)
    main(["list", "runs"])
    wide = capsys.readouterr().out.splitlines()
    terminal(78)
    main(["list", "runs"])
    lines = capsys.readouterr().out.splitlines()
    terminal(40)
    main(["list", "runs"])
    narrow = capsys.readouterr().out.splitlines()

    assert wide[0].endswith("DURATION  val/loss  loss")
    assert [
        "UID       EXPERIMENT  NAME      STATUS      STARTED             DURATION",
        "91bc40d7  digits      wider     FINISHED    2026-11-22 10:00  1 h 15 min",
    ] == lines[::4]
    assert [40] * 6 == [len(line) for line in narrow]


def test_a_terminal_shows_fifty_runs(tmp_path, monkeypatch, terminal, capsys):
    """The newest, and it is said; a pipe and JSON get all."""
    monkeypatch.chdir(tmp_path)
    for number in range(52):
        start_run("tensorboard:runs", name=f"run {number}").close()
    arguments = ["list", "runs", "--columns", "name"]
    main(arguments)
    piped = capsys.readouterr().out.splitlines()

    terminal(80)
    main(arguments)
    on_a_terminal = capsys.readouterr()
    main([*arguments, "--json"])
    as_json = json.loads(capsys.readouterr().out)

    assert piped[:51] == on_a_terminal.out.splitlines()
    assert ["NAME", "run 51", "run 50"] == piped[:3]
    assert "treadle: these are 50 of 52 runs; --limit 0 shows all\n" == on_a_terminal.err
    assert (53, 52) == (len(piped), len(as_json))


@pytest.mark.slow
def test_a_real_terminal_is_asked_for_its_width(five_runs):
    """The one that stdout is."""
    theirs, ours = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "list", "runs"], stdout=ours, env={**os.environ, "COLUMNS": "40"}
    )
    os.close(ours)
    shown = b""
    while shown.count(b"\n") < 6:
        shown += os.read(theirs, 10_000)
    os.close(theirs)

    assert 0 == process.wait()
    assert [40] * 6 == [len(line) for line in shown.decode().split("\r\n")[:6]]
