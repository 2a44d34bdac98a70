"""A histogram as a picture that a browser draws and a program reads: an SVG that holds the buckets exactly."""

import json
from html import escape, unescape
from math import floor, isfinite, log10
from typing import Any

from treadle_tracking import exact_json
from treadle_tracking.entries import Histogram, ParamValue

__all__ = ["histogram_buckets", "histogram_svg"]

# Units of the view box, which scales to whatever shows it.
_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 680, 48, 316
_TICKS = 6
_TITLE = 48  # characters
_METADATA = ("<metadata>", "</metadata>")


def _json(histogram: Histogram) -> str:
    buckets: list[ParamValue] = [list(bucket) for bucket in histogram.buckets]
    values: dict[str, ParamValue] = {
        "name": histogram.name,
        "step": histogram.step,
        "buckets": buckets,
    }
    # ASCII alone: XML has no place for some characters, not even escaped.
    return json.dumps(json.loads(exact_json.dumps(values)))


def histogram_buckets(svg: str) -> tuple[tuple[float, float, float], ...]:
    """The buckets of a picture that `histogram_svg` made, each (left, right, count), exactly.

    Raises:
        ValueError: it is no such picture.
    """
    _, _, rest = svg.partition(_METADATA[0])
    text, _, _ = rest.partition(_METADATA[1])
    buckets: Any = exact_json.loads(unescape(text).encode()).get("buckets")
    if not isinstance(buckets, list):
        raise ValueError("no buckets in the picture's metadata")  # noqa: TRY004
    return tuple((float(left), float(right), float(many)) for left, right, many in buckets)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`, some six of them: 1, 2 or 5 times a power of ten apart."""
    span = high / _TICKS - low / _TICKS  # a double has room for it, as it has not for high - low
    if not span > 0:
        return [low]
    power = 10.0 ** floor(log10(span))
    apart = next((power * times for times in (1, 2, 5) if power * times >= span), power * 10)
    if not (apart > 0 and isfinite(apart)):
        return [low, high]
    first, last = floor(low / apart), floor(high / apart)
    return [tick * apart for tick in range(first, last + 1) if low <= tick * apart <= high]


def _printable(text: str) -> str:
    short = text if len(text) <= _TITLE else f"{text[: _TITLE - 1]}…"
    return escape("".join(letter if letter.isprintable() else "\ufffd" for letter in short))


def histogram_svg(histogram: Histogram) -> str:
    """An SVG of the histogram, a bar a bucket as high as its count, that stands alone: no script, no font, no style.

    Its `<metadata>` is JSON, `{"name": …, "step": …, "buckets": [[left, right, count], …]}`, of which
    `histogram_buckets` gives the exact numbers back.
    """
    finite = [bucket for bucket in histogram.buckets if all(isfinite(number) for number in bucket)]
    low = min((left for left, _, _ in finite), default=0.0)
    high = max((right for _, right, _ in finite), default=1.0)
    most = max((many for _, _, many in finite), default=0.0) or 1.0
    if not high > low:  # all values alike
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2

    def across(value: float) -> float:
        # Halved, since the difference of two doubles may be none.
        return _LEFT + (value / 2 - low / 2) / (high / 2 - low / 2) * (_RIGHT - _LEFT)

    def up(many: float) -> float:
        return _BOTTOM - many / most * (_BOTTOM - _TOP)

    total = f"{sum(many for _, _, many in histogram.buckets):,.10g}"
    parts = [
        f'<text x="{_LEFT}" y="26" font-size="15" fill="#0f172a">{_printable(histogram.name)}</text>',
        f'<text x="{_RIGHT}" y="26" text-anchor="end">step {histogram.step}, {total} values</text>',
    ]
    for tick in _ticks(0.0, most):
        y = up(tick)
        parts += [
            f'<path d="M{_LEFT} {y:.2f}H{_RIGHT}" stroke="#e2e8f0"/>',
            f'<text x="{_LEFT - 8}" y="{y + 4:.2f}" text-anchor="end">{tick:,.6g}</text>',
        ]
    for left, right, many in finite:
        if many > 0:
            begin, end = across(left), across(right)
            wide = max(end - begin - 0.5, 0.5)  # a gap, and something to see of the narrowest
            shown = f"{left:.6g} to {right:.6g}: {many:,.10g}"
            parts.append(
                f'<rect x="{begin:.2f}" y="{up(many):.2f}" width="{wide:.2f}" '
                f'height="{_BOTTOM - up(many):.2f}" fill="#2563eb"><title>{shown}</title></rect>'
            )
    parts.append(f'<path d="M{_LEFT} {_BOTTOM}H{_RIGHT}" stroke="#64748b"/>')
    for tick in _ticks(low, high):
        x = across(tick)
        parts += [
            f'<path d="M{x:.2f} {_BOTTOM}v5" stroke="#64748b"/>',
            f'<text x="{x:.2f}" y="{_BOTTOM + 20}" text-anchor="middle">{tick:.6g}</text>',
        ]
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" font-family="system-ui, sans-serif" '
        f'font-size="12" fill="#334155">\n'
        f"{_METADATA[0]}{escape(_json(histogram), quote=False)}{_METADATA[1]}\n"
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )
