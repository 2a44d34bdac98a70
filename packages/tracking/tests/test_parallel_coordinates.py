import json
import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from math import inf, nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking.comparing.sameness import differ
from treadle_tracking.errors import InvalidChoice, InvalidMapping
from treadle_tracking.missing import MISSING
from treadle_tracking.plots import (
    AmbiguousAxis,
    InvalidBounds,
    NoPage,
    NothingToDraw,
    ScaleUnfit,
    UnknownAxis,
    parallel_coordinates,
)
from treadle_tracking.plots.columns import Categories, Numbers, column, natural
from treadle_tracking.reading import RunRecord


def run(params=None, metrics=None, **other):
    about = {
        "target": "tensorboard:/runs",
        "identity": "/runs/digits/a",
        "uid": "u",
        "experiment": "digits",
        "name": "a",
        "status": "FINISHED",
        "started": 1.0,
        "reader": None,
    }
    return RunRecord(**about | other, params=params or {}, metrics=metrics or {})


class Elements(HTMLParser):
    """The elements of a page as a browser finds them, each with its text."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.is_open = False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append([tag, dict(attributes), ""])
        self.is_open = True

    def handle_endtag(self, tag):
        self.is_open = False

    def handle_data(self, data):
        if self.is_open:
            self.found[-1][2] += data


def data_of(page):
    [text] = [
        text
        for tag, attributes, text in Elements(page.html).found
        if tag == "script" and attributes.get("type") == "application/json"
    ]
    return json.loads(text)


def axes_of(*arguments, **options):
    return {
        axis["key"]: axis for axis in data_of(parallel_coordinates(*arguments, **options))["axes"]
    }


def test_the_parameters_that_vary_have_an_axis():
    """By default an axis has each parameter that is not the same in all runs; one that a run lacks is not the same."""
    runs = [
        run({"optim": {"lr": 0.1, "clip": None}, "same": 1, "list": [1, 2], "nan": nan, "some": 1}),
        run({"optim": {"lr": 0.2, "clip": 1.0}, "same": 1.0, "list": [1, 3], "nan": nan}),
    ]

    expected = ["params.list", "params.optim.clip", "params.optim.lr", "params.some"]
    assert expected == list(axes_of(runs))


def test_a_single_run_has_all_its_parameters():
    """Where nothing tells the runs apart, every parameter has an axis."""
    assert ["params.a", "params.b"] == list(axes_of([run({"a": 1, "b": "x"})]))


def test_axes_are_in_natural_order_unless_they_are_listed():
    """Parameters are sorted by name with numbers as numbers; a list of names keeps its order and counts once."""
    runs = [run({"l10": 1, "l9": 1, "B": 1, "a": 1}), run({"l10": 2, "l9": 2, "B": 2, "a": 2})]

    assert ["params.a", "params.B", "params.l9", "params.l10"] == list(axes_of(runs))
    assert ["params.l10", "params.a"] == list(axes_of(runs, params=["l10", "params.a", "l10"]))


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (["loss", "best/loss"], ["best/loss"]),
        (["a", "train/loss", "val/loss", "best/x"], ["best/x", "val/loss", "a"]),
        (["a", "b", "val_acc", "test.acc"], ["test.acc", "val_acc", "a"]),
        (["lr", "lr/head", "train/learning_rate", "train/loss"], ["train/loss"]),
        (["lr"], ["lr"]),
        ([], []),
    ],
)
def test_three_metrics_have_an_axis(metrics, expected):
    """The best values come first and stand for their metrics, then those of held-out data; learning rates are no results."""
    runs = [run({"p": i}, {name: float(i) for name in metrics}) for i in range(2)]

    chosen = [axis["name"] for axis in axes_of(runs).values() if axis["kind"] == "metrics"]
    assert expected == chosen


def test_metrics_that_say_nothing_have_no_axis():
    """A metric that is the same in all runs is left out, and of two others that of more runs is first."""
    runs = [
        run({}, {"epoch": 3.0, "a": 1.0}),
        run({}, {"epoch": 3.0, "b": 1.0}),
        run({}, {"epoch": 3.0, "b": 2.0}),
    ]

    assert ["metrics.b", "metrics.a"] == list(axes_of(runs))


def test_what_is_named_has_an_axis():
    """What color, scales and bounds name is drawn, though it is not listed or is the same in all runs."""
    runs = [run({"a": 1, "same": 2, "b": i}, {"x": 1.0, "y": float(i)}) for i in range(1, 3)]
    options = {"params": ["a"], "metrics": [], "color": "x", "scales": {"b": "log"}}

    expected = ["params.a", "params.b", "params.same", "metrics.x"]
    assert expected == list(axes_of(runs, bounds={"same": (1, None)}, **options))
    assert ["params.b", "params.same", "metrics.y"] == list(axes_of(runs, bounds={"same": (1, 2)}))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "metrics.m"),
        ({"metrics": []}, "params.a"),
        ({"color": "a"}, "params.a"),
        ({"scales": {"z": "linear"}}, "metrics.m"),
    ],
)
def test_the_first_metric_gives_the_color(options, expected):
    """Lines are colored by what is asked for, else by the first metric, else by the first parameter."""
    runs = [run({"a": i}, {"m": float(i), "z": float(i)}) for i in range(2)]

    assert expected == data_of(parallel_coordinates(runs, **options))["color"]


def test_a_name_of_both_kinds_is_told_apart():
    """A name that a parameter and a metric have is refused without a prefix, and taken with one."""
    runs = [run({"lr": i, "params.lr": i}, {"lr": float(i)}) for i in range(2)]
    with pytest.raises(AmbiguousAxis) as refused:
        parallel_coordinates(runs, color="lr")

    expected = (
        "color names 'lr', which is a parameter and a metric: say 'params.lr' or 'metrics.lr'"
    )
    assert expected == str(refused.value)
    assert "metrics.lr" == data_of(parallel_coordinates(runs, color="metrics.lr"))["color"]
    # A parameter of this very name goes before a prefix.
    assert "params.params.lr" == data_of(parallel_coordinates(runs, color="params.lr"))["color"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"color": "val/los"},
            UnknownAxis,
            "color names 'val/los' (str), and no run has a parameter or metric of this name. Did you mean 'val/loss'?",
        ),
        (
            {"params": ["val/loss"]},
            UnknownAxis,
            "params names 'val/loss' (str), and no run has a parameter of this name. There is 'act', 'lr', 'shift'.",
        ),
        (
            {"metrics": [3]},
            UnknownAxis,
            "metrics names 3 (int), and no run has a metric of this name. There is 'val/loss'.",
        ),
        (
            {"params": "lr"},
            InvalidChoice,
            "params is 'lr' (str); expected ['lr']",
        ),
        (
            {"scales": {"lr": "logarithmic"}},
            InvalidChoice,
            "the scale of 'lr' is 'logarithmic' (str); expected 'linear' or 'log' or 'quantile'",
        ),
        (
            {"scales": ["lr"]},
            InvalidMapping,
            "scales are ['lr'] (list); expected a mapping by name, such as {'lr': 'log'}",
        ),
        (
            {"scales": {"act": "log"}},
            ScaleUnfit,
            "the axis 'act' has no log scale: its values are categories. Leave it out of `scales`",
        ),
        (
            {"scales": {"shift": "log"}},
            ScaleUnfit,
            (
                "the axis 'shift' has no log scale: 2 runs have 0 or less, down to -1, and a logarithm needs more than 0. "
                "Use 'quantile' or 'linear'"
            ),
        ),
        (
            {"bounds": {"act": (1, 2)}},
            InvalidBounds,
            (
                "the bounds of 'act' are those of categories, which have no order to be bounded; expected (least, most), two "
                "numbers of which each may be None for no bound, such as (1e-4, None)"
            ),
        ),
        (
            {"bounds": {"lr": 1}},
            InvalidBounds,
            (
                "the bounds of 'lr' are 1 (int); expected (least, most), two numbers of which each may be None for no bound, "
                "such as (1e-4, None)"
            ),
        ),
        (
            {"bounds": {"lr": (nan, 2)}},
            InvalidBounds,
            (
                "the bounds of 'lr' have nan (float); expected (least, most), two numbers of which each may be None for no "
                "bound, such as (1e-4, None)"
            ),
        ),
        (
            {"bounds": {"lr": (2, 1)}},
            InvalidBounds,
            (
                "the bounds of 'lr' are (2, 1) (tuple), of which the least is above the most; expected (least, most), two "
                "numbers of which each may be None for no bound, such as (1e-4, None)"
            ),
        ),
        (
            {"params": [], "metrics": []},
            NothingToDraw,
            "there is nothing to draw: params and metrics are both empty. An axis is a parameter or a metric of the runs",
        ),
    ],
)
def test_what_cannot_be_drawn_is_an_error(options, error, message):
    """Whatever is asked for and cannot be had is named, with what can."""
    runs = [
        run({"lr": 0.1, "act": "relu", "shift": 0}, {"val/loss": 1.0}),
        run({"lr": 0.2, "act": "gelu", "shift": -1}, {"val/loss": 2.0}),
    ]
    with pytest.raises(error) as refused:
        parallel_coordinates(runs, **options)

    assert message == str(refused.value)


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([], "there is nothing to draw: no runs were given. Look at what was searched for"),
        (
            [run()],
            "there is nothing to draw: no run has a parameter or a metric. An axis is a parameter or a metric of the runs",
        ),
    ],
)
def test_nothing_is_not_drawn(runs, message):
    """No run, and runs without a parameter or a metric, are an error."""
    with pytest.raises(NothingToDraw) as refused:
        parallel_coordinates(runs)

    assert message == str(refused.value)


def test_everything_that_is_no_number_has_a_place_beside_the_axis():
    """Among numbers, infinities, NaN, None, other values and missing ones are told apart, and shown whole."""
    values = [1, 0.5, 2**60 + 1, inf, -inf, nan, None, "auto", True, 10**400, MISSING, 3, 4, 5]

    expected = Numbers(
        values=(
            *(
                1,
                0.5,
                2**60 + 1,
                "inf",
                "-inf",
                "nan",
                "none",
                "other",
                "other",
                "other",
                "missing",
            ),
            *(3, 4, 5),
        ),
        shown={2: str(2**60 + 1), 7: "auto", 8: "True", 9: str(10**400)},
    )
    assert expected == column(values)


def test_most_values_decide_what_an_axis_is():
    """An axis is one of numbers if more than half of the values that are there are numbers."""
    assert isinstance(column([1, 2, "a", None, None, MISSING]), Numbers)
    assert isinstance(column([1, "a", None]), Categories)
    assert isinstance(column([True, False]), Categories)
    assert isinstance(column([nan, None]), Numbers)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (["b", "a", "C"], ("a", "b", "C")),
        (["1e-2", "10", "9", "adam"], ("1e-2", "9", "10", "adam")),
        (["layer10", "layer9", "layer09"], ("layer09", "layer9", "layer10")),
        ([True, False], ("False", "True")),
        ([[0.9, 0.99], None, [0.9, 0.999]], ("[0.9, 0.99]", "[0.9, 0.999]", "None")),
        (["True", True, "a"], ("'True'", "a", "True")),
        (["", " ", "a"], ("' '", "''", "a")),
        (["x" * 600, "y"], ("x" * 499 + "…", "y")),
        (["9" * 5000, "a"], ("9" * 499 + "…", "a")),
    ],
)
def test_categories_are_in_natural_order(values, texts):
    """Texts that read as numbers are sorted as numbers, numbers within texts too; what looks the same is told apart."""
    found = column([*values, MISSING])

    assert texts == found.texts
    assert -1 == found.values[-1]
    assert len(values) == len(set(found.values)) - 1


@given(st.lists(st.text(max_size=12)))
def test_the_natural_order_is_an_order(texts):
    """Whatever the texts, sorting them twice in different orders gives the same."""
    backwards = texts[::-1]

    assert sorted(texts, key=natural) == sorted(backwards, key=natural)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 1.0], False),
        ([1, True], True),
        ([nan, nan], False),
        ([2**60, 2**60 + 1], True),
        ([0.0, -0.0], False),
        ([[1], [1]], False),
        ([[1], [1.0]], False),
        ([[1], [True]], True),
        ([None, MISSING], True),
        (["a", "a"], False),
    ],
)
def test_what_varies_is_exact(values, expected):
    """Numbers are compared as numbers, exactly; a value differs from none, and a boolean from a number."""
    assert expected == differ(values)


@pytest.mark.parametrize(
    ("values", "scale", "why"),
    [
        ([1e-5, 1e-4, 1e-3, 1e-2, 1e-1], "log", None),
        ([1, 2, 3], "linear", None),
        ([0.001, 0.3, 0.6, 0.9], "linear", None),
        ([0.0, 1e-5, 1.0], "linear", "a run has 0.0, and a logarithm needs more than 0"),
        (
            [-2, 0, 5, "inf"],
            "linear",
            "2 runs have 0 or less, down to -2, and a logarithm needs more than 0",
        ),
        (["nan"], "linear", None),
        ([5e-324, 1e-300, 1.7e308], "log", None),
    ],
)
def test_a_logarithmic_scale_is_offered_for_positive_numbers(values, scale, why):
    """Where a value is 0 or less the reason is given; where numbers crowd at the bottom it is the first scale."""
    numbers = Numbers(values=tuple(values), shown={})

    assert (scale, why) == (numbers.best_scale, numbers.without_log)


def test_the_page_holds_the_values_exactly():
    """Doubles, bounds and places arrive in the page as they are."""
    runs = [run({"lr": 0.1 + 0.2}, {"m": 5e-324}), run({"lr": 1e-5}, {"m": 1.7976931348623157e308})]
    axes = axes_of(runs, bounds={"lr": (1e-5, inf)}, scales={"m": "quantile"})

    assert [0.1 + 0.2, 1e-5] == axes["params.lr"]["values"]
    assert [1e-5, "inf"] == axes["params.lr"]["bounds"]
    assert [5e-324, 1.7976931348623157e308] == axes["metrics.m"]["values"]
    assert "quantile" == axes["metrics.m"]["scale"]


@given(
    st.text()
    | st.sampled_from(
        [
            "</script><script>alert(1)</script>",
            "<!--",
            "<!--<script>",
            "\u2028\u2029",
            "]]>",
            "&lt;",
        ]
    )
)
def test_no_text_breaks_out_of_the_page(text):
    """Whatever a run is called, the page has the same elements, and its data are the same text."""
    plain = parallel_coordinates([run({"a": "b"}, name="a")])
    page = parallel_coordinates([run({text or "a": text}, name=text, experiment=text)], title=text)

    def tags(page):
        return [(tag, attributes.get("id")) for tag, attributes, _ in Elements(page.html).found]

    data = data_of(page)
    assert tags(plain) == tags(page)
    assert [text] == data["runs"]["name"]
    assert text or "a" == data["axes"][0]["name"]
    page.html.encode()


def test_a_link_is_one_to_a_page():
    """Only an address of http or https is linked to."""
    urls = [
        "http://h/1",
        "https://h/2",
        "HTTPS://h/3",
        None,
        "javascript:alert(1)",
        "file:///etc",
        "data:,a",
        "http://[",
        "//h",
    ]
    runs = [run({"a": 1}, url=url) for url in urls]

    assert [*urls[:3], *[None] * 6] == data_of(parallel_coordinates(runs))["runs"]["url"]


def test_the_policy_lets_nothing_in():
    """The page's policy allows its own style and script by their hashes, and nothing else."""
    page = parallel_coordinates([run({"a": 1})])
    found = Elements(page.html).found
    [policy] = [
        attributes["content"]
        for _, attributes, _ in found
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    [style] = [text for tag, _, text in found if tag == "style"]
    [script] = [text for tag, attributes, text in found if tag == "script" and not attributes]

    def hashed(text):
        return "'sha256-" + b64encode(sha256(text.encode()).digest()).decode() + "'"

    assert (
        f"default-src 'none'; script-src {hashed(script)}; style-src {hashed(style)}; base-uri 'none'; form-action 'none'"
        == policy
    )
    assert [] == re.findall(r"https?://(?!www\.w3\.org/2000/svg)[^\"'\s]*", page.html)
    assert [] == re.findall(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(", script)


def test_a_page_says_what_it_shows():
    """The title is the one given, or how many runs of which experiment there are."""
    one, two = run({"a": 1}), run({"a": 2}, experiment="letters")

    def title(*runs, **options):
        page = parallel_coordinates(runs, **options)
        return re.search("<title>(.*)</title>", page.html)[1], data_of(page)["title"]

    assert ("1 run of digits",) * 2 == title(one)
    assert ("1,001 runs of digits",) * 2 == title(*[one] * 1001)
    assert ("2 runs of 2 experiments",) * 2 == title(one, two)
    assert ("a &lt; b", "a < b") == title(one, title="a < b")


def test_a_notebook_shows_the_page_in_a_frame():
    """A notebook's output holds the whole page, in a frame that has no part in the notebook."""
    page = parallel_coordinates([run({"a": '"quoted" & <b>'})])
    found = Elements(page._repr_html_()).found
    [[tag, attributes, text]] = found

    assert ("iframe", "") == (tag, text)
    assert page.html == attributes["srcdoc"]
    assert "allow-scripts allow-popups allow-popups-to-escape-sandbox" == attributes["sandbox"]
    assert page.html == unescape(re.search('srcdoc="([^"]*)"', page._repr_html_())[1])
    assert "Page()" == repr(page)


def test_a_page_is_saved_as_a_whole(tmp_path):
    """Saving replaces a page that was there, leaves nothing beside it, and gives the path."""
    page = parallel_coordinates([run({"a": "ü\ud800"}, name="\ud800")])
    path = tmp_path / "page.html"
    path.write_text(parallel_coordinates([run({"a": 1})]).html)
    saved = page.save(str(path))

    assert path == saved
    assert page.html.encode() == path.read_bytes()
    assert ["page.html"] == [file.name for file in tmp_path.iterdir()]


@pytest.mark.parametrize("there", ["", "<!doctype html>\n<html lang='en'>", "import torch\n"])
def test_nothing_but_a_page_is_replaced_unless_it_is_forced(tmp_path, there):
    """What is no page of this kind stays as it is, and the error says so."""
    page = parallel_coordinates([run({"a": 1})])
    path = tmp_path / "mine.py"
    path.write_text(there)
    with pytest.raises(NoPage) as caught:
        page.save(path)
    before = path.read_text()
    page.save(path, force=True)

    assert (there, page.html) == (before, path.read_text())
    assert (
        f"{str(path)!r} is there, and is no page of this kind: choose another name, or pass force=True if it is to be "
        f"replaced"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("given", "kind"),
    [("nope/x.html", FileNotFoundError), (".", IsADirectoryError), ("way", IsADirectoryError)],
)
@pytest.mark.parametrize("force", [False, True])
def test_what_cannot_be_saved_is_called_as_it_was(tmp_path, monkeypatch, given, kind, force):
    """The error is the system's, and names the path that was given and no other."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "way").mkdir()
    with pytest.raises(kind) as caught:
        parallel_coordinates([run({"a": 1})]).save(given, force=force)

    assert (given, None) == (caught.value.filename, caught.value.filename2)
    assert str(caught.value).endswith(f": '{given}'")


def test_a_page_that_cannot_be_saved_changes_nothing(tmp_path):
    """Where the path cannot be written, the error is raised and nothing is left."""
    way = tmp_path / "way"
    way.write_bytes(b"")
    with pytest.raises(OSError, match="way"):
        parallel_coordinates([run({"a": 1})]).save(way / "page.html")

    assert [Path("way")] == [file.relative_to(tmp_path) for file in tmp_path.iterdir()]


def test_a_page_is_small():
    """200 runs of 12 parameters and 2 metrics are a page of less than 200 kB."""
    runs = [
        run(
            {f"part.number_{n}": (i * n + 1) / 7 for n in range(1, 13)},
            {"best/val/loss": i / 3, "val/accuracy": i / 9},
            uid=f"{i:032x}",
            name=f"a-name-of-some-length-{i:03}",
            url=f"http://127.0.0.1:5000/#/experiments/1/runs/{i:032x}",
        )
        for i in range(200)
    ]
    page = parallel_coordinates(runs)

    assert 14 == len(data_of(page)["axes"])
    assert 200_000 > len(page.html.encode())
