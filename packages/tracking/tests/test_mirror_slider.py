"""Images as MLflow's step slider wants them."""

from io import BytesIO

import pytest
from attrs import evolve

from treadle_tracking.entries import Image
from treadle_tracking.mirrors.slider import image_file, image_files, thumbnail

IMAGE = Image(wall_time=1.5, step=3, name="val/a~b", png=b"no PNG", width=2, height=1)


def test_an_image_is_two_files_of_one_identity():
    """The names hold key, step, time and an identity, and end as MLflow's own do."""
    expected = [
        "val~a_x007E_b+step+3+timestamp+1500+IDENTITY.png",
        "val~a_x007E_b+step+3+timestamp+1500+IDENTITY+compressed.webp",
    ]

    names = list(image_files(IMAGE, "u"))
    identity = names[0][-40:-4]

    assert expected == [name.replace(identity, "IDENTITY") for name in names]


def test_the_names_of_an_images_files_say_which_it_is():
    """Key, step and time can be read from a file's name, and whether it is the thumbnail; of older MLflows' too."""
    whole, small = (f"images/{name}" for name in image_files(evolve(IMAGE, step=-3), "u"))
    older = whole.replace("+", "%").replace("~", "#")

    assert ("val/a_x007E_b", -3, 1500, True) == image_file(whole) == image_file(older)
    assert ("val/a_x007E_b", -3, 1500, False) == image_file(small)
    assert [None] * 4 == [
        image_file(path)
        for path in (whole[7:], f"{whole}.png", "images/plain.png", whole.replace("+step", "%step"))
    ]


def test_the_same_image_has_the_same_names():
    """Sent again, an image overwrites itself."""
    assert image_files(IMAGE, "u") == image_files(evolve(IMAGE), "u")


@pytest.mark.parametrize("change", [{"step": 4}, {"name": "b"}, {"png": b"x"}, {"wall_time": 1.6}])
def test_another_image_has_other_names(change):
    """Nothing is overwritten by what it is not."""
    actual = set(image_files(IMAGE, "u")) & set(image_files(evolve(IMAGE, **change), "u"))

    assert set() == actual


def test_the_image_of_another_run_has_other_names():
    """The identity is the run's too."""
    assert set() == set(image_files(IMAGE, "u")) & set(image_files(IMAGE, "v"))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((20, 10), (256, 128)),
        ((10, 20), (128, 256)),
        ((64, 64), (256, 256)),
        ((600, 600), (256, 256)),
        ((1, 900), (1, 256)),
    ],
)
def test_a_thumbnail_has_256_pixels_on_its_longer_side(size, expected):
    """Small images are scaled up and large ones down, keeping their shape."""
    pillow = pytest.importorskip("PIL.Image", reason="needs the extra treadle-tracking[images]")
    buffer = BytesIO()
    pillow.new("RGB", size).save(buffer, "PNG")
    image = evolve(IMAGE, png=buffer.getvalue(), width=size[0], height=size[1])

    actual = pillow.open(BytesIO(thumbnail(image))).size

    assert expected == actual


def test_what_cannot_be_decoded_is_its_own_thumbnail():
    """A damaged picture is shown as far as a browser can, and stops nothing."""
    assert b"no PNG" == thumbnail(IMAGE)


def test_a_huge_image_is_its_own_thumbnail():
    """An image that would take long to decode is not decoded."""
    assert b"no PNG" == thumbnail(evolve(IMAGE, width=10_000, height=10_000))


@pytest.mark.parametrize("size", [(128, 1), (300, 200), (512, 512)])
def test_an_image_that_can_be_seen_is_its_own_thumbnail(size):
    """No copy of it is made that may be larger than it is."""
    pillow = pytest.importorskip("PIL.Image", reason="needs the extra treadle-tracking[images]")
    buffer = BytesIO()
    pillow.new("RGB", size).save(buffer, "PNG")
    image = evolve(IMAGE, png=buffer.getvalue(), width=size[0], height=size[1])

    assert image.png == thumbnail(image)


def test_a_small_image_is_not_smoothed():
    """Its thumbnail has no color that it has not, and few bytes."""
    pillow = pytest.importorskip("PIL.Image", reason="needs the extra treadle-tracking[images]")
    picture = pillow.new("L", (8, 8))
    picture.putdata([255 * ((x + x // 8) % 2) for x in range(64)])
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    image = evolve(IMAGE, png=buffer.getvalue(), width=8, height=8)

    actual = pillow.open(BytesIO(thumbnail(image)))

    assert {0, 255} == {color for _, color in actual.getcolors()}
