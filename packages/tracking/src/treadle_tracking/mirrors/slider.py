"""Images for the step slider of MLflow's pages, which finds them by the names of their files.

A slider wants two files an image, told apart from all others by their names alone, and a tag on the run
(`mlflow.tracking.client.MlflowClient.log_image`; `mlflow.utils.mlflow_tags.MLFLOW_LOGGED_IMAGES`).
"""

import re
from hashlib import sha256
from io import BytesIO
from uuid import UUID

from treadle_tracking.clock import milliseconds
from treadle_tracking.entries import Image
from treadle_tracking.mirrors.names import escape_file

__all__ = ["FOLDER", "SLIDER_TAG", "image_file", "image_files", "thumbnail"]

FOLDER = "images"
SLIDER_TAG = "mlflow.loggedImages"
THUMBNAIL_SIDE = 256  # pixels of the longer side; the slider draws a much smaller one as a sliver
_LEAST, _MOST = 128, 512  # pixels of the longer side of an image that is its own thumbnail
# Of older versions of MLflow the marks are `%` and `#`, where they are `+` and `~` now.
_FILE = re.compile(
    rf"{FOLDER}/(.+)([+%])step\2(-?\d+)\2timestamp\2(\d+)\2[0-9a-f\-]{{36}}"
    rf"(?:(\.png)|\2compressed\.webp)",
    re.DOTALL,
)
_LARGEST = 50_000_000  # pixels; beyond that, decoding costs more than a thumbnail is worth


def thumbnail(image: Image) -> bytes:
    """The image scaled, up or down, to 256 pixels on its longer side; as it is from 128 to 512 of them, and where Pillow
    is missing or refuses.

    A browser draws a PNG as well under the name of a WebP, which is the name that the slider asks for.
    """
    side = max(image.width, image.height)
    if _LEAST <= side <= _MOST or image.width * image.height > _LARGEST:
        return image.png
    try:
        from PIL import Image as Pillow
    except ImportError:
        return image.png
    try:
        with Pillow.open(BytesIO(image.png), formats=["PNG"]) as picture:
            scale = THUMBNAIL_SIDE / max(picture.size)
            size = tuple(max(1, int(length * scale)) for length in picture.size)
            scaled = BytesIO()
            # Pixels that are only repeated take few bytes, and are seen as they are.
            how = Pillow.Resampling.NEAREST if scale > 1 else Pillow.Resampling.BICUBIC
            picture.resize((size[0], size[1]), how).save(scaled, "PNG")
    except (OSError, ValueError, SyntaxError):
        return image.png
    return scaled.getvalue()


def image_files(image: Image, uid: str) -> dict[str, bytes]:
    """The two files of one image, by name; the same image of the same run has the same names every time.

    Args:
        image: The entry.
        uid: The run's identity.
    """
    # MLflow puts a random identity here; one that follows from the image makes a second sending overwrite the first.
    origin = f"{uid}\n{image.name}\n{image.step}\n{image.wall_time!r}".encode(
        "utf-8", "backslashreplace"
    )
    identity = UUID(bytes=sha256(origin + sha256(image.png).digest()).digest()[:16], version=4)
    key = escape_file(image.name).replace("/", "~")
    stem = f"{key}+step+{image.step}+timestamp+{milliseconds(image.wall_time)}+{identity}"
    return {f"{stem}.png": image.png, f"{stem}+compressed.webp": thumbnail(image)}


def image_file(path: str) -> tuple[str, int, int, bool] | None:
    """What the path of a slider's file says; None for a file of another kind.

    Returns:
        The image's name as it is spelled, with its slashes; its step; its time in milliseconds since the epoch; and
        whether this is the image itself, and not its thumbnail.
    """
    matched = _FILE.fullmatch(path)
    if matched is None:
        return None
    key, _, step, time, suffix = matched.groups()
    return re.sub("[~#]", "/", key), int(step), int(time), suffix is not None
