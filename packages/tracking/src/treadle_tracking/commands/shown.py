"""Values as people read them."""

from datetime import datetime

from treadle_tracking.comparing.shown import durations
from treadle_tracking.entries import ParamValue
from treadle_tracking.mirrors.parameters import shown

__all__ = ["bytes_shown", "duration", "metric", "moment", "plain_param"]

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def moment(seconds: float | None, *, precise: bool = False) -> str:
    """A time in the zone of this machine, to the minute or to the second; nothing where there is none."""
    if seconds is None:
        return ""
    try:
        local = datetime.fromtimestamp(seconds).astimezone()
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.0f} s"  # beyond every calendar
    return f"{local:%Y-%m-%d %H:%M:%S}" if precise else f"{local:%Y-%m-%d %H:%M}"


def duration(seconds: float | None) -> str:
    """Hours, minutes and seconds; nothing where it is not known."""
    return "" if seconds is None else durations([seconds])[0]


def metric(value: float | None) -> str:
    """Six digits of it; nothing where there is none."""
    return "" if value is None else f"{value:.6g}"


def plain_param(value: ParamValue) -> str:
    """A parameter in a table, where its column says what it is; nothing where there is none."""
    return "" if value is None else shown(value)


def bytes_shown(size: int | None) -> str:
    """`812 bytes`, `4.1 MB`; nothing where it is not known."""
    if size is None:
        return ""
    number, unit = float(size), 0
    while number >= 999.5 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.3g} {_UNITS[unit]}" if unit else f"{size} bytes" if size != 1 else "1 byte"
