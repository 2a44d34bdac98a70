"""Every parameter of a run by dotted name, none left out, for whoever compares runs or tabulates them."""

from collections.abc import Iterator, Mapping

from treadle_tracking.entries import ParamValue

__all__ = ["leaves"]


def leaves(params: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
    """As `params.flatten` gives them, and beside them what it has no place for.

    An empty mapping is a value. Where several parameters come to one dotted name, as those of `{"a.b": 1, "a": {"b": 2}}`,
    which no run of ours starts with, the last has the name, as it has in MLflow and TensorBoard, and the others have
    `.1`, `.2`, … behind it.
    """
    found: dict[str, list[ParamValue]] = {}
    for name, value in _below(params, ""):
        found.setdefault(name, []).append(value)
    named = {name: values[-1] for name, values in found.items()}
    for name, values in found.items():
        number = 0
        for value in values[:-1]:
            number += 1
            while f"{name}.{number}" in named:
                number += 1
            named[f"{name}.{number}"] = value
    return named


def _below(values: Mapping[str, ParamValue], prefix: str) -> Iterator[tuple[str, ParamValue]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _below(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
