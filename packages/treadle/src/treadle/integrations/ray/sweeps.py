"""The runs of a sweep: one for each trial, and one that they belong to."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, nullcontext
from copy import copy
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Literal, Self

from treadle.errors import MissingExtra, WrongArgument
from treadle.integrations.ray.interruptions import Interruption
from treadle.integrations.ray.notices import say
from treadle.integrations.ray.parents import MARK, found_again, identity_in_mlflow
from treadle.integrations.ray.reports import Reports
from treadle.integrations.ray.searches import (
    LAYER,
    check_cloning,
    check_resources,
    check_search,
    space,
)
from treadle.integrations.ray.trials import (
    CLOSING_SECONDS,
    outlasting_ray,
    timings,
    trial_context,
)
from treadle.launching import config_class
from treadle.reporting import ReportingRun
from treadle.surroundings import environment, revision
from treadle_config import Resolution, flatten, layer, resolve
from treadle_tracking import Run, absolute_targets, mend_runs, start_run

__all__ = ["Sweep"]

_MENDING_SECONDS = 60.0  # for each trial's run and mirror


class Sweep:
    """The runs of a Ray Tune experiment: one for each trial, below one for the sweep.

    Use it as a context manager, on the driver. It is sent to the trials with the function that uses it. After Ctrl-C its
    run is KILLED, although `fit` of a tuner returns then as if all had been done.

    Started again with the same name, it is the same sweep; a trial that Ray starts again goes on with its run.
    At its end, what dead processes have left behind is put in order: their runs are ended as KILLED, and mirrors get what
    they lack.

    Args:
        target: As for `start_run`. Relative places are those of the driver. On several machines it has to be a directory
            that all of them have.
        experiment: What the runs belong to.
        name: Of the sweep; by default one is made.
        directory: As for `start_run`.
        timings: Whether a trial's run gets Ray's numbers as tags: `ray.time_total_s`, `ray.training_iteration`,
            `ray.node_ip` and `ray.pid`.
        best: Of the trials' runs, as for `start_run`.
        mirror: Likewise.
        mirror_when: Likewise.

    Attributes:
        run: That of the sweep.
    """

    def __init__(
        self,
        target: str | Sequence[str],
        *,
        experiment: str = "default",
        name: str | None = None,
        directory: str | os.PathLike[str] | None = None,
        timings: bool = False,
        best: Mapping[str, str] | None = None,
        mirror: Literal["thread", "process"] = "thread",
        mirror_when: Literal["logged", "committed"] = "logged",
    ) -> None:
        self._target = absolute_targets(target, directory=directory)
        self._options: dict[str, Any] = {
            "best": best,
            "mirror": mirror,
            "mirror_when": mirror_when,
        }
        # What is wrong in them is said here, and not by each trial.
        start_run(None, **self._options)
        self._timings = timings
        self._interruption = Interruption()
        self._revision = revision()
        known = None if name is None else found_again(self._target[0], experiment, name)
        self.run: Run = start_run(
            self._target,
            experiment=experiment,
            name=name,
            uid=known,
            resume="never" if known is None else "must",
            tags={MARK: "true", **self._revision},
        )
        self.run.json("launch/environment", environment())
        self._parent = identity_in_mlflow(self.run)

    def __enter__(self) -> Self:
        self._interruption.listen()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        interrupted = self._interruption.came()
        try:
            self._put_in_order()
        finally:
            if interrupted:
                self.run.close("KILLED")
            self.run.__exit__(kind, error, traceback)

    def tuner(
        self,
        main: Callable[[Any, Run], Any],
        values: Mapping[str, Any],
        *layers: Any,
        reports: Sequence[str] = (),
        resources: Mapping[str, float] | None = None,
        tune_config: Any = None,
        run_config: Any = None,
    ) -> Any:
        """Make a `ray.tune.Tuner` whose trials are calls of `main`, once everything is known to fit together.

        Args:
            main: As for `launch`: takes a config, whose class is read from the annotation, and the run.
            values: The search space, as for `space`.
            layers: What the config is beside, as for `load`.
            reports: As for `trainable`, beside the metric of `tune_config`.
            resources: Of one trial, such as `{"cpu": 2, "gpu": 1}`; by default one CPU.
            tune_config: A `ray.tune.TuneConfig`.
            run_config: A `ray.tune.RunConfig`. Where it has no name, Ray keeps what it writes under the sweep's.

        Raises:
            NotReported: The search looks at something that no trial reports.
            ConfigError: The search space does not fit the config.
            WrongArgument: `main` does not take a config and a run, nothing is reported, there is no such resource, or the
                scheduler clones trials.
            MissingExtra: Ray is not installed.
        """
        try:
            from ray import tune
        except ImportError:
            raise MissingExtra("a sweep", "ray") from None
        metric = getattr(tune_config, "metric", None)
        names = list(dict.fromkeys([*([] if metric is None else [metric]), *reports]))
        check_cloning(tune_config)
        check_search(tune_config, run_config, names)
        check_resources(resources or {})
        checked = space(config_class(main), values, *layers)
        run_config = copy(run_config) or tune.RunConfig()  # the next sweep's has another name
        run_config.name = run_config.name or self.run.name
        trainable = self.trainable(main, *layers, reports=names)
        if resources is not None:
            trainable = tune.with_resources(trainable, dict(resources))
        return tune.Tuner(
            trainable, param_space=checked, tune_config=tune_config, run_config=run_config
        )

    def trainable(
        self, main: Callable[[Any, Run], Any], *layers: Any, reports: Sequence[str]
    ) -> Callable[[dict[str, Any]], None]:
        """Make a function for `ray.tune.Tuner` of a `main` for `launch`.

        It is called in the driver's directory, where there is one of that path. The trial's values are a layer of code
        above the others, named `sweep`.

        Args:
            main: As for `launch`.
            layers: As for `load`.
            reports: What the run is to report: metrics. Whenever each of them has been logged anew, Tune gets their
                values and `records`, `batches`, `steps` and `epochs`; counters such as `tokens` can be named too.

        Raises:
            WrongArgument: `main` does not take a config and a run, or nothing is reported.
        """
        cls = config_class(main)
        if isinstance(reports, str) or not reports:
            raise WrongArgument(
                f"reports is {reports!r}; expected the names of what trials are compared by, such as ['val/loss'], "
                "or for a tuner the metric of tune_config"
            )
        home = Path.cwd()
        given = [home / one if isinstance(one, str | os.PathLike) else one for one in layers]

        def trainable(values: dict[str, Any]) -> None:
            with chdir(home) if home.is_dir() else nullcontext():
                resolution = resolve(cls, *given, layer(LAYER, values, at="code", must_win=True))
                with self.trial(resolution.config, reports=reports) as run:
                    _describe(run, resolution)
                    main(resolution.config, run)

        trainable.__name__ = main.__name__
        return trainable

    @contextmanager
    def trial(self, params: Any = None, *, reports: Sequence[str] = ()) -> Iterator[Run]:
        """The run of the trial that this is called in.

        ```python
        def train(values):
            with sweep.trial(values) as run:
                ...
                run.log({"val/loss": loss}, step=step)
                report({"val/loss": loss}, schedule.progress)
        ```

        It is named as the trial, belongs to the sweep, and ends as FINISHED; as FAILED by an exception; or as KILLED where
        Tune stops the trial. Tune does that in `tune.report`: what a trial ends with is best reported when the block is
        over, or left to `reports`, which does so.

        Args:
            params: As for `start_run`.
            reports: As for `trainable`.

        Raises:
            NotInTrial: There is no trial.
            NotReported: Nothing of what is reported was logged.
            NotComparable: What is reported is NaN.
            MissingExtra: Ray is not installed.
        """
        trial = trial_context()
        tags = {"sweep": self.run.name, "trial": trial.get_trial_id(), **self._revision}
        if self._parent is not None:
            tags["mlflow.parentRunId"] = self._parent
        run = start_run(
            self._target,
            experiment=self.run.experiment,
            name=trial.get_trial_name(),
            uid=f"{self.run.uid}/{trial.get_trial_id()}",
            resume="auto",
            params=params,
            tags=tags,
            rank=0,  # a trial is a training of its own, whatever has started Ray
            **self._options,
        )
        told = Reports(run, reports)
        began = monotonic()
        with outlasting_ray(), run:
            try:
                reporting = ReportingRun.of(run, reports, told.tell)
                yield reporting
                told.check(reporting.logged)
            except SystemExit as end:
                if end.code in {None, 0}:  # how Tune stops a trial, in tune.report
                    run.close("KILLED", timeout=CLOSING_SECONDS)
                raise
            finally:
                if self._timings and run.status == "RUNNING":
                    run.tag(timings(monotonic() - began, told.count))
        told.end()

    def _put_in_order(self) -> None:
        """End the trials' runs of processes that are gone, and send what mirrors lack."""
        for left in mend_runs(
            self._target[0], uid_prefix=f"{self.run.uid}/", timeout=_MENDING_SECONDS
        ):
            say(left)


def _describe(run: Run, resolution: Resolution[Any]) -> None:
    sources = {path: str(resolution.source(path)) for path in flatten(resolution.config)}
    run.json("launch/config", resolution.dump("source"))
    run.json("launch/provenance", sources)
