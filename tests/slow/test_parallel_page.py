"""The page of parallel coordinates, operated in a browser: what it selects is what Python selects."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from treadle_tracking import RunRecord
from treadle_tracking.plots import Page, parallel_coordinates

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def run(
    name: str, params: Mapping[str, Any], metrics: Mapping[str, float] | None = None, **other: Any
) -> RunRecord:
    """A run as a reader finds it."""
    about: dict[str, Any] = {
        "target": "tensorboard:/runs",
        "identity": f"/runs/digits/{name}",
        "uid": f"uid of {name}",
        "experiment": "digits",
        "status": "FINISHED",
        "started": 1.0,
        "reader": None,
    }
    return RunRecord(**about | other, name=name, params=params, metrics=metrics or {})


def a_sweep(size: int, more: int = 0) -> list[RunRecord]:
    """Runs of 12 parameters of every kind and 2 metrics."""
    chance = Random(7)  # the same runs every time
    runs = []
    for number in range(size):
        rate = 10 ** chance.uniform(-5, -1)
        params: dict[str, Any] = {
            "amp": chance.random() < 0.5,
            "augment": chance.choice(
                ["none", "randaugment-n2-m9", "trivialaugment-wide", "mixup+cutmix"]
            ),
            "batch_size": chance.choice([16, 32, 64, 128, 256]),
            "model": {
                "act": chance.choice(["gelu", "relu", "silu"]),
                "depth": chance.randint(2, 24),
                "width": chance.choice([256, 384, 512, 768, 1024]),
            },
            "optim": {
                "betas": chance.choice([[0.9, 0.99], [0.9, 0.999], [0.95, 0.98]]),
                "clip": None if number % 3 == 0 else 1.0,
                "lr": rate,
                "name": chance.choice(["adamw", "sgd", "lion", "adafactor"]),
                "weight_decay": chance.choice([0.0, 0.01, 0.05, 0.1]),
            },
        }
        if number % 5:
            params["model"]["dropout"] = round(chance.uniform(0, 0.5), 3)
        params |= {f"extra_{place}": chance.random() for place in range(more)}
        accuracy = 0.5 + 0.4 * math.exp(-((math.log10(rate) + 3) ** 2)) + chance.gauss(0, 0.03)
        loss = {5: math.nan, 9: math.inf, 11: -math.inf}.get(number, 2.2 - 2 * accuracy)
        url = f"http://127.0.0.1:5000/#/runs/{number}" if number % 2 else None
        metrics = {"best/val/loss": loss, "val/loss": loss, "val/accuracy": accuracy}
        runs.append(run(f"sweep-{number:03}", params, metrics, url=url))
    return runs


SWEEP = a_sweep(200)


def value(one: RunRecord, name: str) -> Any:
    """A parameter or metric of a run; `...` where it has none."""
    found: Any = {**one.params, **one.metrics}
    for part in [name] if name in found else name.split("."):
        found = found.get(part, ...) if isinstance(found, dict) else ...
    return found


def selected(runs: Sequence[RunRecord], name: str, least: float, most: float) -> list[str]:
    """The names of the runs whose value is a number within bounds."""
    numbers = [(one.name, value(one, name)) for one in runs]
    return [
        name
        for name, number in numbers
        if isinstance(number, int | float) and least <= number <= most
    ]


class Opened:
    """A page in the browser."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def settle(self) -> None:
        """Wait until what was done is drawn."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def names(self) -> list[str]:
        """The runs of the table."""
        self.settle()
        names: list[str] = self.page.locator("tbody .run").all_inner_texts()
        return names

    def count(self) -> str:
        self.settle()
        return str(self.page.locator(".count").inner_text())

    def field(self, name: str, end: str) -> Any:
        return self.page.get_by_label(f"{name}: at {end}", exact=True)

    def bound(self, name: str, least: str = "", most: str = "") -> None:
        self.field(name, "least").fill(least)
        self.field(name, "most").fill(most)

    def bounds(self, name: str) -> tuple[float, float]:
        """Those in the fields of an axis."""
        self.settle()
        texts = [self.field(name, end).input_value() for end in ("least", "most")]
        return float(texts[0] or "-inf"), float(texts[1] or "inf")

    def axis(self, name: str) -> Any:
        return self.page.locator(f'section[aria-label="{name}"]')

    def axes(self) -> list[str]:
        found: list[str] = self.page.locator("section.axis").evaluate_all(
            "axes => axes.sort((a, b) => a.getBoundingClientRect().x - b.getBoundingClientRect().x)"
            ".map(axis => axis.getAttribute('aria-label'))"
        )
        return found

    def scale(self, name: str, kind: str) -> None:
        self.page.get_by_label(f"scale of {name}").select_option(kind)

    def track(self, name: str) -> dict[str, float]:
        box: dict[str, float] = self.axis(name).locator(".track").bounding_box()
        return box

    def drag(self, name: str, start: float, end: float) -> None:
        """Drag along an axis, from one share of its height to another; 0 is its lower end."""
        box = self.track(name)
        x, bottom = box["x"] + 14, box["y"] + box["height"]
        self.page.mouse.move(x, bottom - start * box["height"])
        self.page.mouse.down()
        for step in range(1, 9):
            share = start + (end - start) * step / 8
            self.page.mouse.move(x, bottom - share * box["height"])
        self.page.mouse.up()

    def line_of(self, row: int) -> list[tuple[float, float]]:
        """Where the line of a row of the table meets the axes: shares of the page, in pixels."""
        self.page.locator("tbody tr").nth(row).hover()
        self.settle()
        path = self.page.locator(".thick").get_attribute("d")
        stage = self.page.locator(".stage").bounding_box()
        points = [point.split(",") for point in path.removeprefix("M").split("L")]
        return [(stage["x"] + float(x), stage["y"] + float(y)) for x, y in points]


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Open a page from a file; at the end nothing else was asked for, and the browser had nothing to say."""
    contexts: list[Any] = []
    said: list[str] = []
    asked: list[str] = []
    files: list[str] = []

    def dismiss(dialog: Any) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    def open_page(
        page: Page, *, fragment: str = "", size: tuple[int, int] = (1280, 800), **options: Any
    ) -> Opened:
        path = page.save(tmp_path / f"{len(files)}.html")
        files.append(path.as_uri())
        width, height = size
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("dialog", dismiss)
        context.on("request", lambda request: asked.append(request.url.partition("#")[0]))
        tab.goto(path.as_uri() + fragment)
        opened = Opened(tab)
        tab.locator("table").wait_for(state="attached")
        opened.settle()
        return opened

    yield open_page
    for context in contexts:
        context.close()
    assert [] == said
    assert set(files) == set(asked)


TEXTS = """() => {
  const shown = [];
  let nodes = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest('script, option, .unseen, noscript, [hidden], .listed')) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    nodes += 1;
    for (const { left, top, right, bottom } of range.getClientRects()) {
      const box = { text: node.data, node: nodes, left, top, right, bottom };
      for (let outer = parent; outer !== document.body; outer = outer.parentElement) {
        if (outer.matches('.frame') || getComputedStyle(outer).overflowX !== 'hidden') continue;
        const window = outer.getBoundingClientRect();
        [box.left, box.right] = [Math.max(box.left, window.left), Math.min(box.right, window.right)];
        [box.top, box.bottom] = [Math.max(box.top, window.top), Math.min(box.bottom, window.bottom)];
      }
      if (box.left < box.right && box.top < box.bottom) shown.push(box);
    }
  }
  const cut = [...document.querySelectorAll('body *')].filter(one =>
    !one.closest('script, option, .unseen, noscript, [hidden], .listed, canvas, svg, select')
    && getComputedStyle(one).overflowX === 'hidden'
    && (one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight + 1)
  ).map(one => one.textContent);
  const frame = document.querySelector('.frame');
  return { shown, cut, scrolls: frame.scrollWidth > frame.clientWidth };
}"""


def overlapping(shown: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Pairs of texts of which one is drawn over the other, by more than the blank of its line."""
    return [
        (one["text"], other["text"])
        for one, other in combinations(shown, 2)
        if one["node"] != other["node"]  # the end of a line that was cut is under its ellipsis
        and min(one["right"], other["right"]) - max(one["left"], other["left"]) > 0.5
        and min(one["bottom"], other["bottom"]) - max(one["top"], other["top"]) > 2
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(show: Callable[..., Opened], scheme: str) -> None:
    """200 runs of 12 parameters and 2 metrics fit a window of 1280 x 800: no text is cut, none overlaps another."""
    opened = show(parallel_coordinates(SWEEP), color_scheme=scheme)
    for kind in ("quantile", "linear"):
        texts = opened.page.evaluate(TEXTS)

        assert 14 == len(opened.axes())
        assert not texts["scrolls"]
        assert [] == texts["cut"]
        assert [] == overlapping(texts["shown"])
        assert all(0 <= text["left"] and text["right"] <= 1280 for text in texts["shown"])
        for name in ("optim.lr", "model.depth", "best/val/loss", "model.dropout"):
            opened.scale(name, kind)
        opened.settle()


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("optim.lr", "3e-4", "5e-3"),
        ("optim.lr", repr(value(SWEEP[3], "optim.lr")), repr(value(SWEEP[8], "optim.lr"))),
        ("batch_size", "32", "64"),
        ("model.dropout", "", ".1"),
        ("best/val/loss", "1.1", ""),
        ("best/val/loss", "", "0.45"),
        ("best/val/loss", "-inf", "+Infinity"),
        ("optim.clip", "0", ""),
        ("optim.lr", "2", "3"),
    ],
)
def test_typed_bounds_select_what_python_selects(
    show: Callable[..., Opened], name: str, least: str, most: str
) -> None:
    """A run on a bound is within, infinities are compared as numbers, and NaN, None and what is missing is outside."""
    low, high = float(least or "-inf"), float(most or "inf")
    if low > high:
        low, high, least, most = high, low, most, least
    opened = show(parallel_coordinates(SWEEP))
    opened.bound(name, least, most)

    expected = selected(SWEEP, name, low, high)
    assert f"{len(expected)} of 200 runs selected" == opened.count()
    assert expected[:100] == opened.names()


def test_dragged_bounds_are_typed_bounds(show: Callable[..., Opened]) -> None:
    """A part dragged along an axis is in its fields, can be resized, moved and cleared, and outlives another scale."""
    opened = show(parallel_coordinates(SWEEP))
    seen = []

    def check() -> None:
        low, high = opened.bounds("optim.lr")
        seen.append((low, high))
        assert selected(SWEEP, "optim.lr", low, high) == opened.names()

    opened.drag("optim.lr", 0.3, 0.5)
    check()
    for kind in ("linear", "quantile", "log"):
        opened.scale("optim.lr", kind)
        check()
    assert 1 == len(set(seen))

    opened.drag("optim.lr", 0.5, 0.6)  # its upper end
    check()
    assert seen[-2][0] == seen[-1][0]
    assert seen[-2][1] < seen[-1][1]
    opened.drag("optim.lr", 0.45, 0.65)  # the whole
    check()
    assert seen[-2][0] < seen[-1][0]
    assert seen[-2][1] < seen[-1][1]
    opened.drag("optim.lr", 0.1, -0.3)  # a new one, to beyond the end
    check()
    assert min(value(one, "optim.lr") for one in SWEEP) >= seen[-1][0]
    box = opened.track("optim.lr")
    opened.page.mouse.dblclick(box["x"] + 14, box["y"] + 5)
    assert "200 runs, all selected" == opened.count()
    assert (-math.inf, math.inf) == opened.bounds("optim.lr")


@pytest.mark.parametrize("kind", ["linear", "log", "quantile"])
def test_dragging_selects_what_it_covers(show: Callable[..., Opened], kind: str) -> None:
    """On every scale a drag selects the runs whose lines meet the axis within it, to a pixel, and its ends are short numbers."""
    opened = show(parallel_coordinates(SWEEP, scales={"optim.lr": kind}))
    opened.drag("optim.lr", 0.25, 0.75)
    low, high = opened.bounds("optim.lr")
    places = positions(kind, [value(one, "optim.lr") for one in SWEEP])
    pixel = 1 / opened.track("optim.lr")["height"]
    names = set(opened.names()) if len(opened.names()) < 100 else None

    chosen = set(selected(SWEEP, "optim.lr", low, high))
    assert names in (None, chosen)
    for one, place in zip(SWEEP, places, strict=True):
        if 0.25 + 1.5 * pixel < place < 0.75 - 1.5 * pixel:
            assert one.name in chosen
        if not 0.25 - 1.5 * pixel < place < 0.75 + 1.5 * pixel:
            assert one.name not in chosen
    assert max(len(repr(low)), len(repr(high))) <= 9


def positions(kind: str, values: Sequence[float]) -> list[float]:
    """Where values lie along an axis from 0 to 1."""
    if kind == "quantile":
        ordered = sorted(values)
        shares = {
            value: (ordered.index(value) + (ordered.count(value) - 1) / 2) / (len(values) - 1)
            for value in values
        }
        return [shares[value] for value in values]
    moved = [math.log10(value) if kind == "log" else value for value in values]
    low, high = min(moved), max(moved)
    return [(value - low) / (high - low) for value in moved]


@pytest.mark.parametrize("name", ["optim.lr", "batch_size"])
@pytest.mark.parametrize("kind", ["linear", "log", "quantile"])
def test_values_lie_where_python_computes(
    show: Callable[..., Opened], name: str, kind: str
) -> None:
    """Each line meets its axis at the share of the height that Python computes; on a quantile scale ties share their rank."""
    opened = show(parallel_coordinates(SWEEP, scales={name: kind}))
    axis = opened.axes().index(name)
    shares = []
    for row in range(0, 40, 3):
        height = opened.line_of(row)[axis][1]
        box = opened.track(name)  # looking at a row may scroll the page
        shares.append((box["y"] + box["height"] - height) / box["height"])

    expected = positions(kind, [value(one, name) for one in SWEEP])[0:40:3]
    assert [pytest.approx(share, abs=0.003) for share in expected] == shares


def test_several_axes_select_together(show: Callable[..., Opened]) -> None:
    """A run is selected if every axis selects it: by bounds, by categories and by the place of what is missing."""
    opened = show(parallel_coordinates(SWEEP))
    opened.bound("optim.lr", least="1e-4")
    opened.axis("augment").get_by_role("button", name="none").click()
    opened.axis("augment").get_by_role("button", name="mixup+cutmix").click()
    opened.axis("model.dropout").get_by_role("button", name="missing").click()
    opened.bound("model.dropout", least="0.4")

    expected = [
        one.name
        for one in SWEEP
        if value(one, "optim.lr") >= 1e-4
        and value(one, "augment") in {"none", "mixup+cutmix"}
        and (value(one, "model.dropout") is ... or value(one, "model.dropout") >= 0.4)
    ]
    assert 0 < len(expected) < 100
    assert expected == opened.names()
    opened.page.get_by_role("button", name="Clear all bounds").click()
    assert "200 runs, all selected" == opened.count()


def test_categories_are_dragged_over(show: Callable[..., Opened]) -> None:
    """A drag along categories picks those whose middle it covers, and picks others when its end is dragged on."""
    opened = show(parallel_coordinates(SWEEP))
    order = ["mixup+cutmix", "none", "randaugment-n2-m9", "trivialaugment-wide"]

    def picked() -> list[str]:
        opened.settle()
        pressed = opened.axis("augment").locator('.pick[aria-pressed="true"]')
        return sorted(pressed.all_inner_texts())

    opened.drag("augment", 0.3, 0.45)
    assert order[1:2] == picked()
    opened.drag("augment", 0.5, 0.7)  # its upper end
    assert order[1:3] == picked()
    expected = [one.name for one in SWEEP if value(one, "augment") in order[1:3]]
    assert expected[:100] == opened.names()
    opened.drag("augment", 0.4, 0.15)  # the whole
    assert order[:2] == picked()


def test_places_beside_an_axis_are_picked(show: Callable[..., Opened]) -> None:
    """NaN, both infinities and None have places of their own, each picked by its button."""
    opened = show(parallel_coordinates(SWEEP))
    for name, place, expected in [
        ("best/val/loss", "NaN", ["sweep-005"]),
        ("best/val/loss", "inf", ["sweep-009"]),
        ("best/val/loss", "-inf", ["sweep-011"]),
        ("optim.clip", "None", [one.name for one in SWEEP if value(one, "optim.clip") is None]),
    ]:
        button = opened.axis(name).get_by_role("button", name=place, exact=True)
        button.click()
        assert expected == opened.names()
        button.click()


def test_bounds_and_scales_from_python_are_there_at_first(show: Callable[..., Opened]) -> None:
    """The page begins with the bounds, scales, color and title that it was made with."""
    page = parallel_coordinates(
        SWEEP,
        bounds={"optim.lr": (3e-4, None), "batch_size": (None, 64)},
        scales={"model.depth": "quantile"},
        color="optim.lr",
        title="One & all",
    )
    opened = show(page)

    both = set(selected(SWEEP, "optim.lr", 3e-4, math.inf))
    expected = [name for name in selected(SWEEP, "batch_size", 0, 64) if name in both]
    assert expected == opened.names()
    assert (0.0003, math.inf) == opened.bounds("optim.lr")
    assert "quantile" == opened.page.get_by_label("scale of model.depth").input_value()
    assert "params.optim.lr" == opened.page.get_by_label("color by").input_value()
    assert "One & all" == opened.page.locator("h1").inner_text() == opened.page.title()


def test_the_address_keeps_the_state(show: Callable[..., Opened]) -> None:
    """The address of the page brings back bounds, picks, scales, color, order and sorting, in another window too."""
    from playwright.sync_api import expect

    page = parallel_coordinates(SWEEP, bounds={"model.depth": (4, None)})
    opened = show(page)
    opened.page.get_by_role("button", name="Clear all bounds").click()
    expect(opened.page).to_have_url(re.compile("#all$"))
    opened.bound("optim.lr", least="0.00030000000000000003")
    opened.axis("model.act").get_by_role("button", name="gelu").click()
    opened.axis("optim.clip").get_by_role("button", name="None").click()
    opened.scale("optim.lr", "quantile")
    opened.page.get_by_label("color by").select_option("params.amp")
    opened.axis("amp").locator(".name").press("ArrowRight")
    opened.page.locator('[data-sort$="batch_size"]').click()
    opened.page.locator('[data-sort$="batch_size"]').click()
    expect(opened.page).to_have_url(re.compile("sort=-params.batch_size"))
    fragment = "#" + opened.page.url.partition("#")[2]
    again = show(page, fragment=fragment)

    assert opened.names() == again.names()
    assert 0 < len(again.names()) < 100
    assert (0.00030000000000000003, math.inf) == again.bounds("optim.lr")
    assert ["augment", "amp"] == again.axes()[:2]
    assert "params.amp" == again.page.get_by_label("color by").input_value()
    assert "quantile" == again.page.get_by_label("scale of optim.lr").input_value()
    again.page.evaluate("() => { location.hash = '' }")
    expect(again.field("model.depth", "least")).to_have_value("4")
    assert selected(SWEEP, "model.depth", 4, 99)[:100] == again.names()


@pytest.mark.parametrize(
    "fragment",
    [
        "#bounds.params.optim.lr=x..",
        "#nonsense",
        "#color=a&order=b&sort=+c",
        "#%",
        "#scale.params.model.dropout=log",
    ],
)
def test_a_broken_address_is_no_address(show: Callable[..., Opened], fragment: str) -> None:
    """What an address says and the page does not have is passed over."""
    opened = show(parallel_coordinates(SWEEP), fragment=fragment)

    assert "200 runs, all selected" == opened.count()
    assert "linear" == opened.page.get_by_label("scale of model.dropout").input_value()


def test_a_line_is_shown_with_its_values(show: Callable[..., Opened]) -> None:
    """The line under the pointer is drawn thick, and a box that stays in the window has its run and its values."""
    opened = show(parallel_coordinates(SWEEP[:40]))
    opened.bound("optim.lr", least="1e-3")
    name = opened.names()[0]
    line = opened.line_of(0)
    (one,) = (one for one in SWEEP if one.name == name)
    box = opened.page.locator(".box")
    for left in (0, 5, 12):
        (x, y), (to_x, to_y) = line[left], line[left + 1]
        opened.page.mouse.move(x + 0.4 * (to_x - x), y + 0.4 * (to_y - y))
        opened.settle()
        place = box.bounding_box()

        at = (x + 0.4 * (to_x - x), y + 0.4 * (to_y - y))
        assert place["x"] >= 0
        assert place["y"] >= 0
        assert not (
            place["x"] < at[0] < place["x"] + place["width"]
            and place["y"] < at[1] < place["y"] + place["height"]
        )
        assert place["x"] + place["width"] <= 1280
        assert place["y"] + place["height"] <= 800
    shown = opened.page.locator(".box .row").all_inner_texts()
    values = dict(row.split("\n") for row in shown)
    assert 14 == len(values)
    assert name == opened.page.locator(".box .title").inner_text()
    assert pytest.approx(value(one, "optim.lr"), rel=1e-11) == float(values["optim.lr"])
    assert str(value(one, "amp")) == values["amp"]


def test_only_selected_lines_react(show: Callable[..., Opened]) -> None:
    """A line that is not selected does not answer to the pointer."""
    runs = [run("low", {"a": 0, "b": 0}), run("high", {"a": 1, "b": 1})]
    opened = show(parallel_coordinates(runs))
    [(x, y), (to_x, _)] = opened.line_of(0)
    opened.page.mouse.move((x + to_x) / 2, y)
    opened.settle()
    shown = opened.page.locator(".box .title").inner_text()
    opened.bound("a", least="1")
    opened.settle()
    where_it_was = opened.page.locator(".box").is_hidden()
    opened.page.mouse.move((x + to_x) / 2 + 1, y)
    opened.settle()

    assert "low" == shown
    assert where_it_was
    assert opened.page.locator(".box").is_hidden()
    assert 0 == opened.page.locator(".thick").count()


def test_a_click_keeps_a_line(show: Callable[..., Opened]) -> None:
    """A line that was clicked stays thick, its row is marked, and Escape lets it go."""
    runs = [run("low", {"a": 0, "b": 0}), run("high", {"a": 1, "b": 1})]
    opened = show(parallel_coordinates(runs))
    [(x, y), (to_x, _)] = opened.line_of(1)
    opened.page.mouse.click((x + to_x) / 2, y)
    opened.page.mouse.move(5, 5)
    opened.settle()
    kept = opened.page.locator(".thick").get_attribute("data-run")
    marked = opened.page.locator("tr.pinned").inner_text()
    opened.page.keyboard.press("Escape")
    opened.settle()

    assert "1" == kept
    assert marked.startswith("high")
    assert 0 == opened.page.locator(".thick").count()


def test_the_table_links_and_sorts(show: Callable[..., Opened]) -> None:
    """Each run is linked to its page where it has one, and a column sorts with what has no number last either way."""
    runs = [
        run(f"{a}", {"a": a, "t": f"l{a}"}, url="http://h/x" if a == 2 else None)
        for a in (2, 10, None, math.nan, 1)
    ]
    opened = show(parallel_coordinates(runs, params=["a", "t"]))
    [link] = opened.page.locator("tbody a").all()
    orders = []
    for column in ("a", "a", "t"):
        opened.page.locator(f'[data-sort$=".{column}"]').click()
        orders.append(opened.names())

    assert ("2", "http://h/x", "noopener noreferrer", "_blank") == (
        link.inner_text(),
        *[link.get_attribute(name) for name in ("href", "rel", "target")],
    )
    assert ["1", "2", "10", "None", "nan"] == orders[0]
    assert ["10", "2", "1", "None", "nan"] == orders[1]
    assert ["1", "2", "10", "nan", "None"] == orders[2]


def test_more_rows_are_shown_when_asked_for(show: Callable[..., Opened]) -> None:
    """The table has the first hundred runs, and another hundred on request."""
    opened = show(parallel_coordinates(SWEEP))
    first = len(opened.names())
    more = opened.page.get_by_role("button", name="Show 100 more of 100")
    more.click()

    assert [100, 200] == [first, len(opened.names())]
    assert more.is_hidden()


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "\"'><b onmouseover=alert(3)>",
    "${alert(4)} {{alert(5)}}",
    "\u202egnp.txt \u2028 line",
    "__proto__",
    "</script x",
    "<!--<script>",
]


def test_texts_are_only_texts(show: Callable[..., Opened]) -> None:
    """Whatever runs, parameters, metrics and values are called, it is shown as it is and does nothing."""
    runs = [
        run(
            text,
            {text: text, "n": place, "constructor": place % 2 == 0},
            {text: float(place)},
            status=text,
            group=text,
        )
        for place, text in enumerate(HOSTILE)
    ]
    opened = show(
        parallel_coordinates(runs, params=[*HOSTILE, "n", "constructor"], title=HOSTILE[1])
    )
    shown = opened.page.locator("tbody .run").evaluate_all("all => all.map(one => one.textContent)")
    names = opened.page.locator(".name").evaluate_all("all => all.map(one => one.textContent)")
    opened.page.locator(".stage .pick").first.click()

    assert HOSTILE == shown
    assert {*HOSTILE, "n", "constructor"} == set(names)
    assert 0 == opened.page.locator("img, b").count()
    assert HOSTILE[1] == opened.page.title()
    assert f"1 of {len(HOSTILE)} runs selected" == opened.count()


def test_a_dark_window_has_a_dark_page(show: Callable[..., Opened]) -> None:
    """Paper and ink follow the window's scheme, and so do the colors of the lines, which stand out from both."""
    runs = [run(f"{place}", {"a": place}, {"loss": float(place)}) for place in range(3)]
    opened = show(parallel_coordinates(runs))
    found, bars = [], []
    for scheme in ("light", "dark", "light"):
        opened.page.emulate_media(color_scheme=scheme)
        opened.settle()
        bars.append(opened.page.locator(".bar").evaluate("bar => bar.style.background"))
        for row in range(3):
            opened.line_of(row)
            shown = opened.page.evaluate(
                "() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color,"
                " getComputedStyle(document.querySelector('.thick')).stroke]"
            )
            found.append(tuple(shown))

    def lightness(color: str) -> float:
        red, green, blue = (float(part) / 255 for part in re.findall(r"\d+", color)[:3])
        return float(0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2)

    def contrast(one: str, other: str) -> float:
        low, high = sorted([lightness(one), lightness(other)])
        return (high + 0.05) / (low + 0.05)

    assert bars[0] == bars[2] != bars[1]
    assert [True, False, True] == [lightness(paper) > 0.5 for paper, _, _ in found[::3]]
    for paper, ink, line in found:
        assert contrast(paper, ink) > 7
        assert contrast(paper, line) > 1.8


def test_the_keyboard_is_enough(show: Callable[..., Opened]) -> None:
    """Axes are moved, categories picked and bounds typed with keys alone, and a text that is no number is marked as such."""
    opened = show(parallel_coordinates(SWEEP))
    name = opened.axis("augment").locator(".name")
    name.press("ArrowRight")
    opened.settle()
    moved = opened.axes()[:3]
    focused = opened.page.evaluate("() => document.activeElement.textContent")
    opened.axis("model.act").get_by_role("button", name="gelu").press("Enter")
    field = opened.field("optim.lr", "least")
    field.focus()
    opened.page.keyboard.type("0.00x")
    opened.settle()
    wrong = [field.get_attribute("aria-invalid"), field.get_attribute("title"), field.input_value()]
    opened.page.keyboard.press("Backspace")
    opened.page.keyboard.type("1")
    within = opened.names()

    assert ["amp", "batch_size", "augment"] == moved
    assert "augment" == focused
    assert ["true", "This is no number, such as 0.001 or 1e-3.", "0.00x"] == wrong
    assert "false" == field.get_attribute("aria-invalid")
    gelu = {one.name for one in SWEEP if value(one, "model.act") == "gelu"}
    assert [name for name in selected(SWEEP, "optim.lr", 0.001, 1) if name in gelu] == within


def test_axes_are_dragged_by_their_names(show: Callable[..., Opened]) -> None:
    """A name that is dragged takes its axis along; a click on it colors the lines."""
    opened = show(parallel_coordinates(SWEEP))
    box = opened.axis("amp").locator(".name").bounding_box()
    opened.page.mouse.move(box["x"] + 20, box["y"] + 20)
    opened.page.mouse.down()
    for step in range(1, 11):
        opened.page.mouse.move(box["x"] + 20 + 18 * step, box["y"] + 20)
    opened.page.mouse.up()
    opened.settle()
    moved = opened.axes()[:3]
    colored = opened.page.get_by_label("color by").input_value()
    opened.axis("optim.lr").locator(".name").click()
    opened.settle()

    assert ["augment", "batch_size", "amp"] == moved
    assert "metrics.best/val/loss" == colored
    assert "params.optim.lr" == opened.page.get_by_label("color by").input_value()
    assert "true" == opened.axis("optim.lr").locator(".name").get_attribute("aria-pressed")


def test_a_scale_that_is_not_offered_says_why(show: Callable[..., Opened]) -> None:
    """The logarithmic scale of an axis with 0 cannot be chosen, and the choice says why."""
    opened = show(parallel_coordinates(SWEEP))
    option = opened.page.get_by_label("scale of optim.weight_decay").locator("option").nth(1)

    zeros = sum(value(one, "optim.weight_decay") == 0 for one in SWEEP)
    expected = f"log: {zeros} runs have 0 or less, down to 0.0, and a logarithm needs more than 0"
    assert expected == option.inner_text()
    assert option.is_disabled()


def test_many_axes_are_scrolled_to(show: Callable[..., Opened]) -> None:
    """34 axes and names of 200 characters keep their texts apart; the plot scrolls sideways, and the page does not."""
    runs = [
        run(
            one.name * 20,
            {**one.params, "long " * 40: place, "texts": "word " * 30 + str(place % 3)},
        )
        for place, one in enumerate(a_sweep(30, more=20))
    ]
    opened = show(parallel_coordinates(runs))
    texts = opened.page.evaluate(TEXTS)
    wide = opened.page.evaluate("() => document.documentElement.scrollWidth > innerWidth")
    opened.page.mouse.move(600, 400)
    opened.settle()

    assert 34 == len(opened.axes())
    assert texts["scrolls"]
    assert not wide
    assert [] == overlapping(texts["shown"])
    # What is cut is whole in its title.
    assert {"long " * 40} == {text for text in texts["cut"] if text.startswith("long")}
    name = opened.page.locator(".name", has_text="long").first
    assert name.get_attribute("title").startswith("long " * 40)


@pytest.mark.parametrize("count", [2, 3, 4, 8])
def test_axes_take_the_room_there_is(show: Callable[..., Opened], count: int) -> None:
    """Few axes are as far apart as they can be: only labels are right of the last."""
    runs = [run(f"{place}", {f"p{n}": place + n for n in range(count)}) for place in range(9)]
    opened = show(parallel_coordinates(runs))
    frame = opened.page.locator(".frame").bounding_box()
    tracks = [opened.axis(f"p{n}").locator(".track").bounding_box()["x"] for n in range(count)]
    steps = {round(right - left) for left, right in pairwise(tracks)}

    assert 1 == len(steps)
    assert tracks[-1] > frame["x"] + frame["width"] - 160
    assert not opened.page.evaluate(TEXTS)["scrolls"]


LIMITS = """() => {
  const listed = document.querySelector('.listed');
  const cut = [...listed.querySelectorAll('td .words, th .words')].filter(one => one.scrollWidth > one.clientWidth);
  return { cut: cut.map(one => one.textContent), scrolls: listed.scrollWidth > listed.clientWidth };
}"""


@pytest.mark.parametrize(
    ("columns", "is_cut", "scrolls"),
    [(1, False, False), (7, True, False), (12, True, True)],
)
def test_the_table_cuts_names_where_there_is_no_room(
    show: Callable[..., Opened], columns: int, is_cut: bool, scrolls: bool
) -> None:
    """The widest first, and so that the table fits; it is scrolled before a text is too short to be read."""
    name = "a-name-of-some-sixty-characters-that-a-sweep-may-give-a-run-"
    runs = [
        run(f"{name}{place}", {f"c{n}": f"{'word ' * 8 * (n % 2)}{place}" for n in range(columns)})
        for place in range(3)
    ]
    table = show(parallel_coordinates(runs)).page.evaluate(LIMITS)

    assert (is_cut, scrolls) == (f"{name}0" in table["cut"], table["scrolls"])
    assert "FINISHED" not in table["cut"]


@pytest.mark.parametrize(
    "runs",
    [
        [run("a", {"x": 1})],
        [run("a", {"x": "only"})],
        [run("a", {}, {"loss": math.nan})],
        [run("a", {"x": 1e308, "y": 5e-324}), run("b", {"x": -1e308, "y": 1e308})],
        [run("a", {"x": 2.0**53, "y": 1e15}), run("b", {"x": 2.0**53 + 2, "y": 1e15 + 1})],
        [run(f"{place}", {"x": f"text {place}", "y": place}) for place in range(99)],
        [run(f"{place}", {"x": place}) for place in (1, 2, 3, 4, 98, 99, 100)],
    ],
    ids=["one", "text", "nothing finite", "extreme", "close", "many texts", "crowded"],
)
def test_unusual_runs_are_drawn(show: Callable[..., Opened], runs: list[RunRecord]) -> None:
    """A single run, an axis without a finite number, and the ends of what doubles can be have lines within the plot."""
    opened = show(parallel_coordinates(runs))
    texts = opened.page.evaluate(TEXTS)
    stage = opened.page.locator(".stage").bounding_box()
    points = opened.line_of(0)
    for name in opened.axes():
        select = opened.axis(name).locator("select")
        for kind in ("quantile", "log", "linear"):
            if select.count() and select.locator(f"option[value={kind}]").is_enabled():
                select.select_option(kind)
                opened.drag(name, 0.1, 1.2)
                points += opened.line_of(0) if opened.names() else []

    assert [] == overlapping(texts["shown"])
    assert all(
        stage["y"] < y < stage["y"] + stage["height"] for _, y in points[: len(opened.axes())]
    )
    assert all(math.isfinite(x) and math.isfinite(y) for x, y in points)


def test_thousands_of_runs_are_selected(show: Callable[..., Opened]) -> None:
    """2,000 runs are drawn and selected like a few."""
    runs = a_sweep(2000)
    opened = show(parallel_coordinates(runs))
    opened.drag("optim.lr", 0.5, 0.52)

    expected = selected(runs, "optim.lr", *opened.bounds("optim.lr"))
    assert f"{len(expected)} of 2,000 runs selected" == opened.count()
    assert expected[:100] == opened.names()


def test_two_frames_of_a_notebook_do_not_meddle(browser: Any, tmp_path: Path) -> None:
    """Pages in one notebook are operated apart, change nothing of the notebook's address, and ask for nothing."""
    frames = "".join(parallel_coordinates(SWEEP[:size])._repr_html_() for size in (20, 30))
    notebook = tmp_path / "notebook.html"
    notebook.write_text(f"<!doctype html><title>notebook</title>{frames}")
    tab = browser.new_page()
    said: list[str] = []
    asked: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(notebook.as_uri())
    one, other = (tab.frame_locator("iframe").nth(place) for place in (0, 1))
    tab.locator("iframe").nth(1).scroll_into_view_if_needed()
    other.locator("tbody tr").first.wait_for()
    tab.locator("iframe").nth(0).scroll_into_view_if_needed()
    one.get_by_label("optim.lr: at least").fill("1e-3")
    expected = len(selected(SWEEP[:20], "optim.lr", 1e-3, 1))
    one.get_by_text(f"{expected} of 20 runs selected").wait_for()
    tab.wait_for_timeout(400)  # the address would have changed by then
    counts = [frame.locator(".count").inner_text() for frame in (one, other)]
    url = tab.url
    tab.close()

    assert [f"{expected} of 20 runs selected", "30 runs, all selected"] == counts
    assert notebook.as_uri() == url
    assert [] == said
    assert [notebook.as_uri()] == [address for address in asked if not address.startswith("about:")]
