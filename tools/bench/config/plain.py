"""Any system's config as nested dicts, to see whether it is the right one."""

from typing import Any

from schema import EXPECTED


def plain(value: Any) -> Any:
    """Objects and mappings as sorted dicts, everything else as it is."""
    kind = type(value)
    for fields in ("__attrs_attrs__", "__dataclass_fields__", "__chz_fields__", "model_fields"):
        declared = getattr(kind, fields, None)
        if declared is not None:
            names = [one if isinstance(one, str) else one.name for one in declared]
            return {name: plain(getattr(value, name)) for name in sorted(names)}
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in sorted(value)}
    return value


def check(name: str, config: Any) -> None:
    """See that a system has made the right object, the types of its leaves included.

    Raises:
        AssertionError: It has not.
    """
    made, expected = repr(plain(config)), repr(plain(EXPECTED))
    assert made == expected, f"{name} made\n{made}\ninstead of\n{expected}"
