"""Whether a search looks for what its trials have, found out before the first of them is started."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from treadle.errors import NotReported, WrongArgument
from treadle.reporting import COUNTS
from treadle_config import layer, resolve

__all__ = ["LAYER", "check_cloning", "check_resources", "check_search", "described", "space"]

LAYER = "sweep"  # where a trial's values come from, in the provenance of its config

_SAMPLES = 8  # of each domain: enough to tell a float from an int


def check_search(tune_config: Any, run_config: Any, reports: Sequence[str]) -> None:
    """See whether what a search compares, counts and stops by is something that its trials report.

    Tune itself waits for ever for a time that no trial reports, and says nothing.

    Args:
        tune_config: A `ray.tune.TuneConfig`, or None.
        run_config: A `ray.tune.RunConfig`, or None.
        reports: What trials report beside the counts.

    Raises:
        NotReported: Something is not.
    """
    from ray.tune.result import AUTO_RESULT_KEYS

    known = [*reports, *COUNTS, *AUTO_RESULT_KEYS]
    for what, name in _looked_at(tune_config, run_config):
        if name not in known:
            close = get_close_matches(name, known, n=1)
            meant = f"Did you mean {close[0]!r}?" if close else f"Name it in reports=[{name!r}]"
            raise NotReported(
                f"{what} is {name!r}, which no trial reports: there are {described([*reports, *COUNTS])}, and Ray's "
                f"own, such as 'training_iteration'. {meant}"
            )


def _looked_at(tune_config: Any, run_config: Any) -> Iterator[tuple[str, str]]:
    scheduler = _deciding(tune_config)
    search_alg = getattr(tune_config, "search_alg", None)
    stop = getattr(run_config, "stop", None)
    places: list[tuple[str, Any]] = [
        ("metric", getattr(tune_config, "metric", None)),
        ("the scheduler's metric", getattr(scheduler, "_metric", None)),
        ("time_attr", getattr(scheduler, "_time_attr", None)),
        ("the search algorithm's metric", getattr(search_alg, "_metric", None)),
        ("the stopper's metric", getattr(stop, "_metric", None)),
    ]
    if isinstance(stop, Mapping):
        places += [("stop", name) for name in stop]
    for what, name in places:
        if isinstance(name, str):
            yield what, name


def check_cloning(tune_config: Any) -> None:
    """See whether the scheduler clones trials, for which it needs checkpoints that a `main` does not give to Ray.

    Ray itself says at its level of information that there is none to copy, and lets all trials run to their ends.

    Args:
        tune_config: A `ray.tune.TuneConfig`, or None.

    Raises:
        WrongArgument: It does.
    """
    from ray.tune.schedulers import PopulationBasedTraining, PopulationBasedTrainingReplay

    scheduler = _deciding(tune_config)
    if isinstance(scheduler, PopulationBasedTraining | PopulationBasedTrainingReplay):
        raise WrongArgument(
            f"the scheduler is a {type(scheduler).__name__}, which clones trials by Ray's checkpoints, and a main saves "
            "into its run's directory instead; write a function for ray.tune.Tuner that calls sweep.trial, and give its "
            "checkpoints to report(…, checkpoint=…)"
        )


def _deciding(tune_config: Any) -> Any:
    """The scheduler, without the one that gives its trials more resources."""
    scheduler = getattr(tune_config, "scheduler", None)
    return getattr(scheduler, "_base_scheduler", scheduler)


def check_resources(resources: Mapping[str, float]) -> None:
    """See whether what a trial needs is spelled as Ray has it, which else waits for it for ever.

    Raises:
        WrongArgument: A name is almost one of Ray's. Others are taken for resources of one's own.
    """
    known = ["cpu", "gpu", "memory"]
    for name in resources:
        close = get_close_matches(name.lower(), known, n=1, cutoff=0.7)
        if close and close[0] != name.lower():
            raise WrongArgument(
                f"resources has {name!r}, which no machine has; did you mean {close[0]!r}?"
            )


def space(config: type[Any], values: Mapping[str, Any], *layers: Any) -> dict[str, Any]:
    """Check a search space against a config class.

    ```python
    space(Config, {"optim.lr": tune.loguniform(1e-4, 1e-1), "batch_size": tune.choice([16, 32])})
    ```

    Every choice of a `choice` and a `grid_search` is tried, and some values of other domains; what `sample_from` gives
    is checked in the trial.

    Args:
        config: An attrs class or a dataclass.
        values: Domains of `ray.tune`, or values, by dotted paths or nested.
        layers: What the trials' config is beside, as for `load`.

    Returns:
        The values, as the `param_space` of a `ray.tune.Tuner`.

    Raises:
        ConfigError: There is no such path, or a value is of another type: all problems of a config at once.
    """
    for sample in _samples(values):
        resolve(config, *layers, layer(LAYER, sample, at="code", must_win=True))
    return dict(values)


_UNKNOWN = object()


def _samples(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    from numpy.random import default_rng

    random = default_rng(0)  # its own: the user's draws stay as they are
    for index in range(max(_SAMPLES, _most_choices(values))):
        yield _drawn(values, index, random)


def _most_choices(value: Any) -> int:
    choices = _choices(value)
    if choices is not None:
        return len(choices) * max(map(_most_choices, choices), default=1)
    if isinstance(value, Mapping):
        return max(map(_most_choices, value.values()), default=1)
    return 1


def _choices(value: Any) -> Sequence[Any] | None:
    """Those of a `choice`, or of a `grid_search`."""
    if isinstance(value, Mapping):
        return list(value["grid_search"]) if set(value) == {"grid_search"} else None
    return getattr(value, "categories", None)


def _drawn(value: Any, index: int, random: Any) -> Any:
    choices = _choices(value)
    if choices is not None:
        if not choices:
            return _UNKNOWN
        again, at = divmod(index, len(choices))
        return _drawn(choices[at], again, random)  # what is chosen may have domains in it
    if isinstance(value, Mapping):
        drawn = {name: _drawn(inside, index, random) for name, inside in value.items()}
        return {name: one for name, one in drawn.items() if one is not _UNKNOWN}
    if not hasattr(value, "is_function"):
        return value
    return _UNKNOWN if value.is_function() else value.sample(random_state=random)


def described(names: Sequence[str]) -> str:
    """Names in a sentence; no text for none."""
    *others, last = [*map(repr, names)] or [""]
    return f"{', '.join(others)} and {last}" if others else last
