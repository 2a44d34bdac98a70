"""Images and figures as PNG."""

from collections.abc import Mapping
from importlib.util import find_spec
from io import BytesIO
from os import PathLike
from struct import Struct
from typing import Any

from attrs import field, frozen

from treadle_tracking.errors import MissingExtra, UnsupportedImage, seen

__all__ = ["DrawnFigure", "Picture", "drawn_figure", "figure_picture", "from_png", "picture"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SIZE = Struct(">II")  # width and height, which begin the first chunk (PNG specification, 11.2.1)
_SIZE_OFFSET = 16
_ADVICE = (
    "Give PNG bytes, a PIL image, or an array or tensor of shape (H, W), (H, W, C) or (C, H, W) with C of 1, 3 or 4, "
    "of uint8, of bool, of integers from 0 to 255 or of floats from 0 to 1"
)
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@frozen
class Picture:
    """A PNG file in memory; sizes in pixels."""

    png: bytes = field(repr=False)
    width: int
    height: int


def from_png(name: str, png: bytes) -> Picture:
    """A PNG file as it is.

    Raises:
        UnsupportedImage: it does not begin as one.
    """
    if not png.startswith(_SIGNATURE) or len(png) < _SIZE_OFFSET + _SIZE.size:
        raise UnsupportedImage(name, f"is {len(png)} bytes that are no PNG", _ADVICE)
    width, height = _SIZE.unpack_from(png, _SIZE_OFFSET)
    return Picture(png=bytes(png), width=width, height=height)


def _pixels(name: str, image: Any) -> Any:
    """A contiguous uint8 array of shape (H, W, C)."""
    try:
        import numpy as np
    except ImportError:
        raise MissingExtra("an image from an array", "numpy", "images") from None

    if callable(getattr(image, "detach", None)):  # a torch tensor, on whatever device
        image = image.detach().cpu()
        image = (image.float() if image.is_floating_point() else image).numpy()
    try:
        array = np.asarray(image)
    except ValueError:  # a ragged list
        raise UnsupportedImage(
            name, f"is a {type(image).__name__} without a shape", _ADVICE
        ) from None
    if array.dtype.kind not in "buif":
        raise UnsupportedImage(name, f"is a {type(image).__name__} of dtype {array.dtype}", _ADVICE)
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    elif array.ndim == 3 and array.shape[2] not in _MODES and array.shape[0] in _MODES:
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] not in _MODES or 0 in array.shape:
        raise UnsupportedImage(name, f"has the shape {tuple(np.shape(image))}", _ADVICE)
    highest = 1 if array.dtype.kind in "bf" else 255
    # Written so that NaN is refused too.
    if not (array.min() >= 0 and array.max() <= highest):
        raise UnsupportedImage(
            name, f"has values from {array.min()} to {array.max()} ({array.dtype})", _ADVICE
        )
    if highest == 1:
        array = np.rint(array.astype(np.float64) * 255)
    return np.ascontiguousarray(array.astype(np.uint8))


def picture(name: str, image: Any) -> Picture:
    """`image` as PNG, losslessly where it is of 8 bits.

    Args:
        name: The image's, for messages.
        image: PNG bytes; a PIL image; an array or tensor of shape (H, W), (H, W, C) or (C, H, W) with C of 1 (grey),
            3 (RGB) or 4 (RGBA): channels last where both fit. Integers are 0 to 255, floats and bools 0 to 1. A
            tensor on a device is fetched.

    Raises:
        UnsupportedImage: it is none of these.
        MissingExtra: Pillow, or numpy, is needed and not installed.
    """
    if isinstance(image, bytes | bytearray | memoryview):
        return from_png(name, bytes(image))
    if image is None or isinstance(image, str | PathLike | Mapping | int | float):
        raise UnsupportedImage(name, f"is {seen(image)}", _ADVICE)
    buffer = BytesIO()
    # PIL's; its 32-bit numbers, which PNG does not have and PIL would cut to 8, are taken as an array.
    if hasattr(image, "getbands") and image.mode not in {"I", "F"}:
        # PNG has no CMYK, YCbCr, LAB or HSV.
        fits = image.mode in {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}
        (image if fits else image.convert("RGB")).save(buffer, format="PNG")
        return from_png(name, buffer.getvalue())
    pixels = _pixels(name, image)
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtra("an image from an array", "Pillow", "images") from None

    height, width, channels = pixels.shape
    Image.frombytes(_MODES[channels], (width, height), pixels.tobytes()).save(buffer, format="PNG")
    return from_png(name, buffer.getvalue())


@frozen
class DrawnFigure:
    """A figure as what can be shown of it."""

    picture: Picture | None = None
    page: bytes | None = field(
        repr=False, default=None
    )  # HTML in UTF-8, to look at and move about in
    notice: str | None = None  # a sentence that says why there is no picture


def drawn_figure(name: str, figure: Any) -> DrawnFigure:
    """A figure as a picture, as a page, or as both.

    One of matplotlib is a PNG at its own size and resolution; it is not closed. One of plotly is a page, which holds the
    figure whole and loads plotly's own script from its public address when it is opened, as a page that MLflow makes of
    one does: with the script inside, each would have 5 MB. Where kaleido is installed, and has the browser that it needs,
    it is a PNG as well, for which kaleido starts that browser: seconds a figure.

    Raises:
        UnsupportedImage: it is neither.
    """
    if callable(getattr(figure, "to_html", None)) and callable(getattr(figure, "to_image", None)):
        return _of_plotly(name, figure)
    return DrawnFigure(picture=figure_picture(name, figure))


def _of_plotly(name: str, figure: Any) -> DrawnFigure:
    page = figure.to_html(include_plotlyjs="cdn", full_html=True).encode("utf-8", "replace")
    if find_spec("kaleido") is None:
        return DrawnFigure(page=page, notice=_without_picture(name, "kaleido is not installed"))
    try:
        shown = from_png(name, figure.to_image(format="png"))
    except Exception as error:  # noqa: BLE001  # kaleido drives a browser, and whatever that says is no reason to stop
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        return DrawnFigure(page=page, notice=_without_picture(name, f"kaleido says: {reason}"))
    return DrawnFigure(picture=shown, page=page)


def _without_picture(name: str, reason: str) -> str:
    return (
        f"the plotly figure {name!r} is kept as a page, without an image of it for TensorBoard and MLflow's charts: "
        f"{reason} (pip install kaleido, then `plotly_get_chrome`, draws one)"
    )


def figure_picture(name: str, figure: Any) -> Picture:
    """A matplotlib figure as PNG, at its own size and resolution. It is not closed.

    Raises:
        UnsupportedImage: it is no such figure.
    """
    if not callable(getattr(figure, "savefig", None)):
        raise UnsupportedImage(
            name, f"is of type {type(figure).__name__}", "A figure is a matplotlib or plotly Figure"
        )
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return from_png(name, buffer.getvalue())
