import zlib
from io import BytesIO

import pytest

from treadle_tracking.errors import MissingExtra, UnsupportedImage
from treadle_tracking.pictures import drawn_figure, figure_picture, picture

ADVICE = (
    "Give PNG bytes, a PIL image, or an array or tensor of shape (H, W), (H, W, C) or (C, H, W) with C of 1, 3 or 4, "
    "of uint8, of bool, of integers from 0 to 255 or of floats from 0 to 1"
)


def png_of_one_grey_pixel():
    def chunk(kind, data):
        return (
            len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        )

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", b"\0\0\0\1\0\0\0\1\x08\0\0\0\0")
        + chunk(b"IDAT", zlib.compress(b"\0\x7f"))
        + chunk(b"IEND", b"")
    )


@pytest.fixture
def np():
    return pytest.importorskip("numpy", reason="numpy is no dependency of treadle-tracking")


@pytest.fixture
def pixels(np):
    """Reads the pixels of a picture back, as an array."""
    image = pytest.importorskip("PIL.Image", reason="needs the extra treadle-tracking[images]")
    return lambda shown: np.asarray(image.open(BytesIO(shown.png)))


def test_png_bytes_are_kept_as_they_are():
    """A PNG is not encoded anew, and its size is read from it."""
    png = png_of_one_grey_pixel()
    kept = picture("digit", png)

    assert (png, 1, 1) == (kept.png, kept.width, kept.height)


def test_bytes_that_are_no_png_are_an_error():
    """Other bytes are named as what they are."""
    with pytest.raises(UnsupportedImage) as caught:
        picture("digit", b"GIF89a")

    assert f"image 'digit' is 6 bytes that are no PNG. {ADVICE}" == str(caught.value)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
def test_bytes_of_an_array_come_back(np, pixels, shape):
    """An array of uint8 is the same pixels in the PNG, without loss."""
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    shown = picture("digit", array)

    assert (7, 5) == (shown.width, shown.height)
    assert array.squeeze().tolist() == pixels(shown).tolist()


def test_channels_may_come_first(np, pixels):
    """An array of shape (C, H, W) is shown as its (H, W, C)."""
    array = np.arange(3 * 5 * 7, dtype=np.uint8).reshape(3, 5, 7)

    assert array.transpose(1, 2, 0).tolist() == pixels(picture("digit", array)).tolist()


@pytest.mark.usefixtures("pixels")
@pytest.mark.parametrize(("shape", "size"), [((3, 5, 3), (5, 3)), ((4, 4, 5), (5, 4))])
def test_channels_are_last_where_both_fit(np, shape, size):
    """A shape with channels at both ends is (H, W, C); one with them first alone is (C, H, W)."""
    shown = picture("digit", np.zeros(shape, dtype=np.uint8))

    assert size == (shown.width, shown.height)


def test_floats_and_bools_go_from_0_to_1(np, pixels):
    """0 is black and 1 is white, rounded to the nearest of 256."""
    assert [[0, 128, 255]] == pixels(picture("a", np.array([[0.0, 0.5, 1.0]]))).tolist()
    assert [[0, 255]] == pixels(picture("a", np.array([[False, True]]))).tolist()
    assert [[0, 255]] == pixels(picture("a", np.array([[0, 255]], dtype=np.int64))).tolist()


def test_tensors_are_images(pixels):
    """A tensor of any float kind, also one that has a gradient, is an image."""
    torch = pytest.importorskip("torch", reason="torch is no dependency of treadle-tracking")
    tensor = torch.tensor([[0.0, 1.0]], dtype=torch.bfloat16, requires_grad=True)

    assert [[0, 255]] == pixels(picture("a", tensor)).tolist()


def test_pil_images_are_images(pixels):
    """A PIL image keeps its pixels; one of a mode that PNG has not becomes RGB."""
    image = pytest.importorskip("PIL.Image", reason="needs the extra treadle-tracking[images]")

    assert [[7]] == pixels(picture("a", image.new("L", (1, 1), 7))).tolist()
    assert [[300]] == pixels(picture("a", image.new("I;16", (1, 1), 300))).tolist()
    assert [[128]] == pixels(picture("a", image.new("F", (1, 1), 0.5))).tolist()
    assert [[200]] == pixels(picture("a", image.new("I", (1, 1), 200))).tolist()
    assert [[[0, 0, 0]]] == pixels(picture("a", image.new("CMYK", (1, 1), (0, 0, 0, 255)))).tolist()


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda np: np.zeros((2, 3, 5, 1)), "has the shape (2, 3, 5, 1)"),
        (lambda np: np.zeros((5, 7, 2)), "has the shape (5, 7, 2)"),
        (lambda np: np.zeros((0, 7)), "has the shape (0, 7)"),
        (lambda np: np.array([[0.0, 1.5]]), "has values from 0.0 to 1.5 (float64)"),
        (lambda np: np.array([[0.0, np.nan]]), "has values from nan to nan (float64)"),
        (lambda np: np.array([[-1, 3]]), "has values from -1 to 3 (int64)"),
        (lambda np: np.array([["x"]]), "is a ndarray of dtype <U1"),
        (lambda np: "path.png", "is 'path.png' (str)"),
        (lambda np: None, "is None (NoneType)"),
        (lambda np: [[1], [2, 3]], "is a list without a shape"),
    ],
)
def test_what_is_no_image_is_an_error(np, make, problem):
    """The message says what was given and what an image is: values are never clipped or scaled by guess."""
    with pytest.raises(UnsupportedImage) as caught:
        picture("digit", make(np))

    assert f"image 'digit' {problem}. {ADVICE}" == str(caught.value)


def test_a_missing_pillow_names_the_extra(np, monkeypatch):
    """Without Pillow an array cannot be an image, and the message says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(MissingExtra) as caught:
        picture("digit", np.zeros((2, 2)))

    assert (
        "an image from an array needs Pillow, which is not installed: pip install 'treadle-tracking[images]'"
    ) == str(caught.value)


def test_a_figure_is_its_png():
    """A matplotlib figure is drawn at its own size, without pyplot."""
    figure = pytest.importorskip(
        "matplotlib.figure", reason="needs the extra treadle-tracking[plots]"
    ).Figure(figsize=(2, 1), dpi=50)
    figure.add_subplot().plot([1, 2])
    shown = figure_picture("curve", figure)

    assert (100, 50) == (shown.width, shown.height)


def test_what_is_no_figure_is_an_error():
    """Something without `savefig` is named as what it is."""
    with pytest.raises(UnsupportedImage) as caught:
        figure_picture("curve", 3)

    assert "image 'curve' is of type int. A figure is a matplotlib or plotly Figure" == str(
        caught.value
    )


class Plot:
    """Stands for a figure of plotly."""

    def __init__(self, image):
        self.image = image

    def to_html(self, *, include_plotlyjs, full_html):
        return f"<html>{include_plotlyjs} {full_html} ü\ud800</html>"

    def to_image(self, *, format):
        if isinstance(self.image, Exception):
            raise self.image
        return self.image


@pytest.fixture
def kaleido(monkeypatch):
    """Says whether kaleido is installed, which draws plotly's figures."""

    def installed(found):
        monkeypatch.setattr("treadle_tracking.pictures.find_spec", lambda name: found or None)

    return installed


def test_a_matplotlib_figure_is_a_picture_alone():
    """A figure of matplotlib has no page."""

    class Figure:
        def savefig(self, file, format):
            file.write(png_of_one_grey_pixel())

    drawn = drawn_figure("curve", Figure())

    assert (png_of_one_grey_pixel(), None, None) == (drawn.picture.png, drawn.page, drawn.notice)


def test_a_plotly_figure_is_a_page_and_a_picture(kaleido):
    """With kaleido, a figure of plotly is both; its page is UTF-8 that takes plotly's script from its public address."""
    kaleido(True)
    drawn = drawn_figure("curve", Plot(png_of_one_grey_pixel()))

    assert (png_of_one_grey_pixel(), None) == (drawn.picture.png, drawn.notice)
    assert "<html>cdn True ü?</html>".encode() == drawn.page


@pytest.mark.parametrize(
    ("is_installed", "image", "reason"),
    [
        (False, None, "kaleido is not installed"),
        (True, RuntimeError("no Chrome here\nsee https://…"), "kaleido says: no Chrome here"),
        (True, KeyError(), "kaleido says: KeyError"),
    ],
)
def test_a_plotly_figure_without_its_painter_is_a_page(kaleido, is_installed, image, reason):
    """Without kaleido, or without its browser, there is the page, and a sentence says what draws the image."""
    kaleido(is_installed)
    drawn = drawn_figure("curve", Plot(image))

    assert drawn.picture is None
    assert drawn.page.startswith(b"<html>")
    assert (
        "the plotly figure 'curve' is kept as a page, without an image of it for TensorBoard and MLflow's charts: "
        f"{reason} (pip install kaleido, then `plotly_get_chrome`, draws one)"
    ) == drawn.notice


def test_plotlys_own_figure_is_a_page(kaleido):
    """A figure of plotly itself is a whole page that loads the script, and not 5 MB."""
    go = pytest.importorskip("plotly.graph_objects", reason="plotly is no dependency")
    kaleido(False)
    drawn = drawn_figure("curve", go.Figure(go.Scatter(y=[1, 2])))

    assert b"<html>" in drawn.page
    assert b"https://cdn.plot.ly/plotly" in drawn.page
    assert len(drawn.page) < 50_000


def test_what_is_no_image_asks_for_no_numpy(monkeypatch):
    """Nobody installs numpy to be told that a file's name is no image."""
    monkeypatch.setitem(__import__("sys").modules, "numpy", None)
    with pytest.raises(UnsupportedImage) as caught:
        picture("digit", "x.png")

    assert f"image 'digit' is 'x.png' (str). {ADVICE}" == str(caught.value)
