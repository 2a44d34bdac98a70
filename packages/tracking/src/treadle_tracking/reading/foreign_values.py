"""What others' programs write into event files, as entries: values in all the forms that TensorBoard still shows.

After `tensorboard/data_compat.py` and `tensorboard/util/tensor_util.py` of TensorBoard 2.21.
"""

import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from treadle_tracking.entries import Entry, Histogram, Image, Scalars, Text

__all__ = ["entries_of", "kind_of", "shown_name"]

# What `tensor_content` is made of, and the field that holds as much where there is none, by dtype
# (`tensorflow/core/framework/types.proto`).
_CONTENT = {
    1: ("f", "float_val"),
    2: ("d", "double_val"),
    3: ("i", "int_val"),
    4: ("B", "int_val"),
    5: ("h", "int_val"),
    6: ("b", "int_val"),
    9: ("q", "int64_val"),
    10: ("?", "bool_val"),
    17: ("H", "int_val"),
    19: ("e", "half_val"),
    22: ("I", "uint32_val"),
    23: ("Q", "uint64_val"),
    14: ("H", "half_val"),
}
_BFLOAT16, _HALF = 14, 19

_PNG = b"\x89PNG\r\n\x1a\n"
_SIZE = struct.Struct(">II")  # as in `treadle_tracking.pictures`
_SIZE_OFFSET = 16
_TEXT_SUFFIX = "/text_summary"  # which torch and tensorboardX append to a text's name

# Fields of a value that say what it is, where no plugin does.
_KIND_OF_FIELD = {2: "scalars", 4: "images", 5: "histograms"}


def shown_name(tag: str, plugin: str) -> str:
    """The name that whoever recorded it gave it."""
    is_suffixed = plugin == "text" and len(tag) > len(_TEXT_SUFFIX)
    return tag.removesuffix(_TEXT_SUFFIX) if is_suffixed else tag


def kind_of(fields: frozenset[int], plugin: str) -> str:
    """What a value is, of these fields and for this plugin: `scalars`, `images`, `text`, `histograms`, or else."""
    for number, kind in _KIND_OF_FIELD.items():
        if number in fields:
            return kind
    return plugin


def entries_of(wall_time: float, step: int, value: Any, plugin: str) -> Iterator[Entry]:
    """What a message `Value` comes to: nothing, where no entry can hold it. Raises as its bytes are wrong."""
    name = shown_name(value.tag, plugin)
    where: dict[str, Any] = {"wall_time": wall_time, "step": step}
    if not name:
        return
    if value.HasField("simple_value"):
        yield Scalars(**where, values={name: value.simple_value})
    elif value.HasField("histo"):
        yield Histogram(**where, name=name, buckets=_old_buckets(value.histo))
    elif value.HasField("image"):
        yield from _images(where, name, [value.image.encoded_image_string])
    elif not value.HasField("tensor"):
        return
    elif plugin == "scalars":
        numbers = _numbers(value.tensor)
        if len(numbers) == 1:
            yield Scalars(**where, values={name: numbers[0]})
    elif plugin == "images":
        yield from _images(where, name, value.tensor.string_val[2:])  # width and height are first
    elif plugin == "text":
        texts = [text.decode(errors="replace") for text in value.tensor.string_val]
        yield Text(**where, name=name, text="\n\n".join(texts))
    elif plugin == "histograms":
        numbers = _numbers(value.tensor)
        thirds = [numbers[start::3] for start in range(3)]
        yield Histogram(**where, name=name, buckets=tuple(zip(*thirds, strict=True)))


def _numbers(tensor: Any) -> list[float]:
    """The numbers of a tensor, in its order; none of a kind that holds no real ones."""
    if tensor.dtype not in _CONTENT:
        return []
    letter, field = _CONTENT[tensor.dtype]
    content = tensor.tensor_content
    if content:
        values = struct.unpack(f"<{len(content) // struct.calcsize(letter)}{letter}", content)
    else:
        values = tuple(getattr(tensor, field))
        if tensor.dtype == _HALF:
            values = struct.unpack(f"<{len(values)}e", struct.pack(f"<{len(values)}H", *values))
        if len(values) == 1:  # a tensor of which all are the same has but one
            values *= _count(tensor)
    if tensor.dtype == _BFLOAT16:  # the upper half of a float32
        values = struct.unpack(
            f"<{len(values)}f", b"".join(struct.pack("<HH", 0, one) for one in values)
        )
    return [float(value) for value in values]


def _count(tensor: Any) -> int:
    count = 1
    for dim in tensor.tensor_shape.dim:
        count *= dim.size
    return count if 0 <= count <= 1 << 20 else 1


def _images(where: dict[str, Any], name: str, encoded: Any) -> Iterator[Image]:
    for number, png in enumerate(encoded):
        if png.startswith(_PNG) and len(png) >= _SIZE_OFFSET + _SIZE.size:
            width, height = _SIZE.unpack_from(png, _SIZE_OFFSET)
            its = name if len(encoded) == 1 else f"{name}/{number}"
            yield Image(**where, name=its, png=png, width=width, height=height)


def _old_buckets(histogram: Any) -> tuple[tuple[float, float, float], ...]:
    """Of an old histogram, whose limits reach from the least to the greatest double: what lies between its values."""
    filled = [(number, count) for number, count in enumerate(histogram.bucket) if count > 0]
    if not filled:
        return ()
    first, last = filled[0][0], filled[-1][0]
    limits = [histogram.min, *histogram.bucket_limit[first:last], histogram.max]
    return tuple(
        (left, right, count)
        for (left, right), count in zip(
            pairwise(limits), histogram.bucket[first : last + 1], strict=True
        )
    )
