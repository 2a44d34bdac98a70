"""Images and figures as a `SummaryWriter` makes pixels of them."""

import sys
from typing import Any

from treadle_tracking.compat.arrays import as_array
from treadle_tracking.errors import MissingExtra, UnsupportedImage
from treadle_tracking.pictures import Picture, picture

__all__ = ["drawn_picture", "laid_out_picture"]

_COLUMNS = 8
_COLORS = (3, 4)
_ADVICE = "Say in `dataformats` what its dimensions are, such as 'CHW', 'HWC', 'HW' or 'NCHW'"


def laid_out_picture(tag: str, image: Any, layout: str) -> Picture:
    """An image, or a batch of them as a grid of eight columns, as PNG.

    uint8 is 0 to 255; anything else is 0 to 1. What is outside is clipped, and one channel becomes grey.

    Args:
        tag: The image's, for messages.
        image: An array or a tensor.
        layout: What its dimensions are: the letters of `NCHW`, `CHW` or `HW` in any order.

    Raises:
        UnsupportedImage: the layout is none of these, or not the image's.
        MissingExtra: numpy or Pillow is not installed.
    """
    try:
        array = as_array(image, "an image from an array")
    except ValueError as error:  # a ragged list
        raise UnsupportedImage(tag, f"is no array ({error})", _ADVICE) from None
    letters = layout.upper()
    if sorted(letters) not in (list("CHNW"), list("CHW"), list("HW")) or len(letters) != array.ndim:
        raise UnsupportedImage(
            tag,
            f"has the shape {array.shape}, which is not {layout!r}",
            _ADVICE,
        )
    wanted = "NHWC" if "N" in letters else "HWC"
    array = array.transpose([letters.index(letter) for letter in wanted if letter in letters])
    if "C" not in letters:
        array = array[..., None]
    return _picture(tag, array)


def _picture(tag: str, array: Any) -> Picture:
    """An image of shape (H, W, C) or a batch of shape (N, H, W, C), with C of 1, 3 or 4."""
    import numpy as np

    if array.shape[-1] == 1:
        array = np.repeat(array, 3, axis=-1)
    if array.shape[-1] not in _COLORS or 0 in array.shape:
        raise UnsupportedImage(
            tag,
            f"has {array.shape[-1]} channels of {array.shape[-3]} by {array.shape[-2]} pixels",
            "It takes 1, 3 or 4 of some; say in `dataformats` which dimension they are",
        )
    if array.dtype != np.uint8:
        # The fraction is cut off, as torch does it, so that a page of old and new runs shows the same.
        scaled = np.nan_to_num(array.astype(np.float32)) * 255
        array = scaled.clip(0, 255).astype(np.uint8)
    return picture(tag, _grid(array) if array.ndim == 4 else array)


def _grid(images: Any) -> Any:
    """Images of one size, (N, H, W, C), side by side in rows, (rows · H, columns · W, C), black where there is none."""
    import numpy as np

    count, height, width, channels = images.shape
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    places = np.zeros((rows * columns, height, width, channels), images.dtype)
    places[:count] = images
    places = places.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return places.reshape(rows * height, columns * width, channels)


def drawn_picture(tag: str, figure: Any, *, close: bool) -> Picture:
    """A matplotlib figure, or a list of such of one size as a grid, as PNG at its own size and resolution.

    Args:
        tag: The figure's, for messages.
        figure: The figure, or the list.
        close: Whether pyplot is to forget it, if pyplot has made it.

    Raises:
        UnsupportedImage: it is no such figure.
        MissingExtra: matplotlib is not installed.
    """
    import numpy as np

    if not isinstance(figure, list):
        return _picture(tag, _pixels(tag, figure, close=close))
    return _picture(tag, np.stack([_pixels(tag, each, close=close) for each in figure]))


def _pixels(tag: str, figure: Any, *, close: bool) -> Any:
    """A figure as uint8 of shape (H, W, 3)."""
    if not callable(getattr(figure, "savefig", None)):
        raise UnsupportedImage(
            tag, f"is of type {type(figure).__name__}", "A figure is a matplotlib Figure"
        )
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError:
        raise MissingExtra("a figure", "matplotlib", "plots") from None
    import numpy as np

    shown = figure.canvas
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.array(canvas.buffer_rgba())[:, :, :3]
    figure.set_canvas(shown)
    if close and "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)
    return pixels
