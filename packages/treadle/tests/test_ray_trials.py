"""Trials of Ray Tune, with a stand-in for Ray: what is told when, and what the run is when it is over."""

import json
import signal
import socket
import sys
from threading import Thread
from types import ModuleType, SimpleNamespace

import pytest
from attrs import frozen

from treadle import fit
from treadle.errors import MissingExtra, NotComparable, NotInTrial, NotReported, WrongArgument
from treadle.integrations.ray import Sweep, report, space
from treadle.integrations.ray.searches import check_resources
from treadle_config import ConfigError
from treadle_tracking import open_runs
from treadle_tracking.errors import InvalidBest


@frozen
class _Data:
    size: int = 1


@frozen
class _Config:
    lr: float = 0.1
    depth: int = 2
    name: str = ""
    data: _Data = _Data()


class Tune(ModuleType):
    """What `ray.tune` is in a trial."""

    def __init__(self):
        super().__init__("ray.tune")
        self.told = []
        self.stops_at = None
        self.look = lambda: None
        self.seen = []
        self.session = SimpleNamespace(finish=self.finish)
        self.finished = []

    def report(self, row, *, checkpoint=None):
        self.told.append(row)
        self.seen.append(self.look())
        if len(self.told) == self.stops_at:
            sys.exit(0)

    def get_context(self):
        return SimpleNamespace(get_trial_id=lambda: "ab_0", get_trial_name=lambda: "main_ab_0")

    def get_session(self):
        return self.session

    def finish(self, timeout=None):
        self.finished.append(timeout)

    def _in_tune_session(self):
        return True


@pytest.fixture
def tune(monkeypatch):
    stand_in = Tune()
    ray = ModuleType("ray")
    ray.tune = stand_in
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.tune", stand_in)
    monkeypatch.setitem(sys.modules, "ray.tune.trainable.trainable_fn_utils", stand_in)
    return stand_in


@pytest.fixture
def target(tmp_path):
    return f"tensorboard:{tmp_path / 'runs'}"


def _trial(target):
    return open_runs(target)["main_ab_0"]


def _log_steps(run, last):
    for step in range(1, last + 1):
        run.log({"loss": 0.5}, step=step)


def test_a_trial_is_a_run_of_the_sweep(tune, target):
    """A trial's run is named after the trial, belongs to the experiment and the sweep, and is FINISHED when it is done."""
    with Sweep(target, experiment="e", name="s") as sweep, sweep.trial({"lr": 0.1}) as run:
        run.log({"loss": 0.5}, step=1)
    trial = _trial(target)

    assert ("e", "FINISHED", {"lr": 0.1}) == (trial.experiment, trial.status, trial.params)
    assert ("s", "ab_0") == (trial.tags["sweep"], trial.tags["trial"])
    assert f"{sweep.run.uid}/ab_0" == trial.uid
    assert "FINISHED" == open_runs(target)["s"].status


def test_a_trial_that_tune_stops_is_killed(tune, target):
    """Tune stops a trial by an exit in its report, and the run is KILLED."""
    tune.stops_at = 2
    with Sweep(target) as sweep, pytest.raises(SystemExit), sweep.trial(reports=["loss"]) as run:
        _log_steps(run, 3)

    assert ("KILLED", ((1, 0.5), (2, 0.5))) == (
        _trial(target).status,
        _trial(target).history("loss"),
    )


def test_ray_waits_until_a_stopped_trial_has_ended(tune, target):
    """What ends the process of a trial waits until its run has ended."""
    statuses = []
    with Sweep(target) as sweep:
        with sweep.trial() as run:
            stopping = Thread(
                target=lambda: (tune.session.finish(timeout=0), statuses.append(run.status))
            )
            stopping.start()
            while not tune.finished:
                pass
        stopping.join()

    assert ([0], ["FINISHED"]) == (tune.finished, statuses)
    assert tune.finish == tune.session.finish


def test_a_training_at_its_end_is_not_stopped(tune, target, make_engine, loader):
    """What a training ends with is reported when its run is closed, so that a scheduler's limit does not kill it."""
    tune.stops_at = 2
    tune.look = lambda: _trial(target).status
    with (
        Sweep(target) as sweep,
        pytest.raises(SystemExit),
        sweep.trial(reports=["val/loss"]) as run,
    ):
        fit(make_engine(), loader, {"val": loader}, until="2 epochs", run=run)

    assert ["RUNNING", "FINISHED"] == tune.seen
    assert [100, 200] == [row["records"] for row in tune.told]
    assert "FINISHED" == _trial(target).status


def test_of_two_trainings_the_reports_are_in_order(tune, target, make_engine, loader):
    """What the first of two trainings ends with is reported before what the second begins with."""
    with Sweep(target) as sweep, sweep.trial(reports=["val/loss"]) as run:
        for until in ("1 epoch", "2 epochs"):
            fit(make_engine(), loader, {"val": loader}, until=until, run=run)

    assert [100, 100, 200] == [row["records"] for row in tune.told]


def test_a_trial_that_raises_has_failed(tune, target):
    """A trial's run is FAILED by what the trial raises."""
    with Sweep(target) as sweep, pytest.raises(ArithmeticError), sweep.trial():
        raise ArithmeticError

    assert "FAILED" == _trial(target).status


def test_nan_is_an_error(tune, target):
    """NaN is no report: the trial has failed, and is told where and what to do."""
    with (
        Sweep(target) as sweep,
        pytest.raises(NotComparable) as error,
        sweep.trial(reports=["loss"]) as run,
    ):
        run.log({"loss": float("nan")}, step=7)

    assert (
        "'loss' is nan after 7 steps, which is neither better nor worse than any other value, and the trial ends as "
        "failed. Lower the learning rate, clip gradients, or report inf where a trial is to count as the worst"
    ) == str(error.value)
    assert ([], "FAILED") == (tune.told, _trial(target).status)


def test_a_trial_that_logs_something_else(tune, target):
    """A trial that never logs what is reported has failed, and is told what it has logged."""
    with (
        Sweep(target) as sweep,
        pytest.raises(NotReported) as error,
        sweep.trial(reports=["val/loss"]) as run,
    ):
        run.log({"val_loss": 0.5}, step=7)

    assert (
        "the trial has ended with nothing to compare it by: it should have logged 'val/loss', and has logged "
        "'val_loss'. Have it validate, or name what it logs"
    ) == str(error.value)
    assert "FAILED" == _trial(target).status


def test_a_trial_that_had_done_everything_reports_it_again(tune, target, make_engine, loader):
    """A trial that is started again and has nothing left to do reports what it has come to."""
    with Sweep(target, name="s") as sweep:
        for _ in range(2):
            with sweep.trial(reports=["val/loss"]) as run:
                fit(
                    make_engine(),
                    loader,
                    {"val": loader},
                    until="1 epoch",
                    checkpoint="1 epoch",
                    run=run,
                )

    assert 2 == len(tune.told)
    assert tune.told[0] == tune.told[1]
    assert 1 == len(_trial(target).history("val/loss"))


def test_a_sweep_of_the_same_name_is_the_same(tune, target):
    """A sweep that is begun again under its name has one run, and a trial of the same id goes on with its own."""
    for step in (1, 2):
        with Sweep(target, experiment="e", name="s") as sweep, sweep.trial() as run:
            run.log({"loss": 0.5}, step=step)

    assert ["main_ab_0", "s"] == sorted(run.name for run in open_runs(target))
    assert [1, 2] == [step for step, _ in _trial(target).history("loss")]


def test_a_trial_that_begins_anew_can_take_back_what_it_had(tune, target):
    """A function that keeps no checkpoints goes back to where its run began, and has each step once."""
    with Sweep(target) as sweep:
        for last in (2, 3):
            with sweep.trial() as run:
                run.rewind()
                _log_steps(run, last)

    assert [1, 2, 3] == [step for step, _ in _trial(target).history("loss")]


def test_trials_that_died_are_ended_with_the_sweep(tune, target, monkeypatch):
    """A run that its process could not end is ended as KILLED at the end of the sweep."""
    sweep = Sweep(target, name="s")
    with sweep:
        trial = sweep.trial()
        run = trial.__enter__()
        run.log({"loss": 0.5}, step=1)
        # As a process that is killed leaves it: no end, and nobody who could write one.
        run._unclosed.detach()
        run._recorder.let_go()

        assert "UNFINISHED" == _trial(target).status
    assert "KILLED" == _trial(target).status


def test_what_cannot_be_put_in_order_is_said(tune, target, capsys):
    """What is wrong with a trial's run when the sweep ends is a sentence on stderr, and the sweep ends well."""
    with Sweep(target, name="s") as sweep, sweep.trial() as run:
        (run.directory / ".mirror-0123456789ab.json").write_text("{")

    assert f"treadle: {run.directory} " in capsys.readouterr().err
    assert "FINISHED" == open_runs(target)["s"].status


@pytest.fixture
def taken():
    """Somebody who takes Ctrl-C, as Tune does, so that nobody else knows of it: how often it came."""
    came = []
    before = signal.signal(signal.SIGINT, lambda *_: came.append(1))
    yield came
    signal.signal(signal.SIGINT, before)


def test_a_sweep_that_is_interrupted_is_killed(target, taken):
    """Ctrl-C within a sweep ends its run as KILLED, although Tune has taken it, and `fit` has returned."""
    for name in ("first", "second"):
        with Sweep(target, name=name):
            if name == "first":
                signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)

    assert ("KILLED", "FINISHED") == tuple(open_runs(target)[n].status for n in ("first", "second"))
    assert [1, 1] == taken
    assert -1 == signal.set_wakeup_fd(-1)


def test_an_event_loop_goes_on_hearing_signals(target, taken):
    """Whoever is told of signals by Python before a sweep, such as an event loop, is told during it."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    signal.set_wakeup_fd(theirs.fileno())
    with ours, theirs:
        with Sweep(target):
            signal.raise_signal(signal.SIGINT)

        assert theirs.fileno() == signal.set_wakeup_fd(-1)
        assert signal.SIGINT in ours.recv(99)  # beside those of child processes


def test_a_sweep_in_a_thread_leaves_signals_alone(target):
    """Where no handler can be set, a sweep does without."""

    def sweep():
        with Sweep(target, name="s"):
            pass

    thread = Thread(target=sweep)
    thread.start()
    thread.join()

    assert "FINISHED" == open_runs(target)["s"].status


def test_a_server_that_is_not_there(tmp_path, monkeypatch, capsys):
    """A server that does not answer is waited for once, and said; the sweep goes on in its directory."""
    monkeypatch.setattr("treadle.integrations.ray.parents._MLFLOW_SECONDS", 0.1)
    with socket.socket() as bound:  # and nobody listens
        bound.bind(("127.0.0.1", 0))
        uri = f"mlflow:http://127.0.0.1:{bound.getsockname()[1]}"
        with Sweep(uri, name="s", directory=tmp_path):
            pass

    assert (
        f"{uri} has not answered: its pages will show the trials beside the sweep, and not below it"
    ) in capsys.readouterr().err
    assert "FINISHED" == open_runs(f"tensorboard:{tmp_path}")["s"].status


def test_what_is_wrong_for_trials_is_said_at_once(target, tmp_path):
    """What every trial would fail of is an error of the sweep, which is not begun."""
    with pytest.raises(InvalidBest):
        Sweep(target, best={"val/loss": "least"})

    assert [] == [*tmp_path.iterdir()]


def test_timings_are_tags_if_asked_for(tune, target, monkeypatch):
    """Ray's numbers are tags of a trial's run, only where they are asked for."""
    sys.modules["ray"].util = SimpleNamespace(get_node_ip_address=lambda: "127.0.0.1")
    with Sweep(target, timings=True) as sweep, sweep.trial(reports=["loss"]) as run:
        run.log({"loss": 0.5}, step=1)
    tags = _trial(target).tags

    assert ("1", "127.0.0.1") == (tags["ray.training_iteration"], tags["ray.node_ip"])
    assert {"ray.pid", "ray.time_total_s"} <= set(tags)


def test_report_adds_the_counts(tune):
    """What is reported by hand is numbers, with the counts of a training if it has one."""
    import torch

    from treadle_units import Schedule

    schedule = Schedule("1 step")
    schedule.advance(8, 1, 1)
    report({"loss": torch.tensor(0.5)}, schedule.progress)

    assert [{"loss": 0.5, "records": 8, "batches": 1, "steps": 1, "epochs": 0}] == tune.told


def test_outside_of_a_trial_a_report_is_nothing(monkeypatch):
    """A script that reports runs without Ray."""
    monkeypatch.delitem(sys.modules, "ray.tune.trainable.trainable_fn_utils", raising=False)

    assert None is report({"loss": float("nan")})


def test_a_trial_needs_a_trial(tune, target):
    """A trial's run outside of a trial is an error that says where it belongs."""
    tune._in_tune_session = lambda: False
    with Sweep(target) as sweep, pytest.raises(NotInTrial) as error, sweep.trial():
        pass

    assert (
        "a trial's run can only start in a trial: call this in the function given to ray.tune.Tuner"
    ) == str(error.value)


def test_without_ray_the_extra_is_named(target, monkeypatch):
    """Where Ray is not installed, a sweep says what to install."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with Sweep(target) as sweep, pytest.raises(MissingExtra) as error:
        sweep.tuner(lambda config, run: None, {})

    assert "a sweep needs the extra 'ray': pip install 'treadle[ray]'" == str(error.value)


def test_nothing_to_report_is_said_at_once(target):
    """A function without anything to compare it by is none for a search."""

    def main(config: _Config, run):
        pass

    with Sweep(target) as sweep, pytest.raises(WrongArgument) as error:
        sweep.trainable(main, reports=[])

    assert (
        "reports is []; expected the names of what trials are compared by, such as ['val/loss'], "
        "or for a tuner the metric of tune_config"
    ) == str(error.value)


def test_a_main_for_launch_is_a_trial(tune, target, tmp_path, monkeypatch):
    """A `main` for `launch` gets the config of the trial's values, whose provenance names the sweep, in the driver's folder."""
    from pathlib import Path

    seen = []

    def main(config: _Config, run):
        seen.append((config, Path.cwd()))
        run.log({"loss": 0.5}, step=1)

    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with Sweep(target) as sweep:
        trainable = sweep.trainable(main, {"depth": 3}, reports=["loss"])
        monkeypatch.chdir(tmp_path)
        trainable({"lr": 0.5})
    folder = _trial(target).directory / "artifacts" / "launch"

    assert [(_Config(lr=0.5, depth=3), here)] == seen
    assert "main" == trainable.__name__
    assert "sweep" == json.loads((folder / "provenance.json").read_text())["lr"]
    assert (0.5, 3) == (_trial(target).params["lr"], _trial(target).params["depth"])


def test_a_resource_that_nobody_has_is_named():
    """A slip in the name of a resource, for which Ray would wait, is an error; one's own names are taken."""
    with pytest.raises(WrongArgument) as error:
        check_resources({"gpu": 1, "cpus": 2})

    assert "resources has 'cpus', which no machine has; did you mean 'cpu'?" == str(error.value)
    assert None is check_resources({"CPU": 2, "GPU": 0.5, "memory": 1e9, "TPU": 1, "licence": 1})


class _Choice:
    def __init__(self, *categories):
        self.categories = categories


class _Uniform:
    def is_function(self):
        return False

    def sample(self, random_state):
        return random_state.uniform(1, 9)


class _Function:
    def is_function(self):
        return True


def test_a_space_is_tried_value_by_value():
    """Each choice is tried, and some values of other domains; functions of a trial are left to the trial."""
    values = {"lr": _Uniform(), "depth": {"grid_search": [1, 2]}, "name": _Function()}

    assert values == space(_Config, values)


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"rate": _Uniform()}, "rate"),
        ({"depth": _Uniform()}, "depth"),
        ({"depth": _Choice(*range(20), "deep")}, "depth"),
        ({"depth": {"grid_search": [1, None]}}, "depth"),
        ({"data": {"size": _Choice(1, "x")}}, "data.size"),
        ({"data.size": _Choice(1, "x")}, "data.size"),
    ],
)
def test_a_space_that_does_not_fit_is_named(values, path):
    """An unknown path, and any one value of another type, is a problem that is named by its path."""
    with pytest.raises(ConfigError) as error:
        space(_Config, values)

    assert [path] == [problem.path for problem in error.value.problems]
