"""Conditions that no run can meet, since its parameter is of another type than what it is compared with."""

from collections.abc import Iterable, Iterator

from treadle_tracking.declared import reads_as_number
from treadle_tracking.doctor.finding import counted
from treadle_tracking.leaves import leaves
from treadle_tracking.reading import RunRecord
from treadle_tracking.reading.condition import Condition
from treadle_tracking.reading.inference import inferred

__all__ = ["mistyped"]


def mistyped(
    conditions: Iterable[Condition], runs: Iterable[RunRecord], *, infer_types: bool
) -> Iterator[str]:
    """A sentence for each parameter that is compared with a number and is a text that reads as one, or the other way round.

    Args:
        conditions: Those of a filter that none of the runs meets.
        runs: Those that were searched.
        infer_types: Whether `--infer-types` was given already.
    """
    asked: dict[str, list[object]] = {}
    for condition in conditions:
        if condition.kind == "param":
            value = condition.value
            asked.setdefault(condition.name, []).extend(
                value if isinstance(value, tuple) else [value]
            )
    params = [(run, leaves(run.params)) for run in runs] if asked else []
    for name, values in asked.items():
        there = [(run, found[name]) for run, found in params if name in found]
        texts = [
            run for run, value in there if isinstance(value, str) and _is_number(inferred(value))
        ]
        numbers = [run for run, value in there if _is_number(value)]
        if any(map(_is_number, values)) and texts:
            example = leaves(texts[0].params)[name]
            guessed = not infer_types and any(map(_is_of_others, texts))
            yield (
                f"the parameter {name!r} is a text in {counted(len(texts), 'run')}, such as {example!r}, and is compared with a "
                f"number: {'--infer-types reads such texts as numbers' if guessed else 'put that in quotes'}"
            )
        if any(isinstance(value, str) and reads_as_number(value) for value in values) and numbers:
            example = leaves(numbers[0].params)[name]
            yield (
                f"the parameter {name!r} is a number in {counted(len(numbers), 'run')}, such as {example!r}, and is compared "
                f"with a text: write that without quotes"
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_of_others(run: RunRecord) -> bool:
    """Whether its place knows parameters as texts alone: who wrote it knows no uid, and it is in no directory."""
    return run.directory is None and run.uid == run.identity
