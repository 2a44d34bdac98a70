"""TensorBoard's HPARAMS page over runs of ours: the scales of its parallel coordinates, and its bounds."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from treadle_tracking import start_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RATES = [10.0**-exponent for exponent in range(1, 7)]
PLOT = "tf-hparams-parallel-coords-plot"


@pytest.fixture(scope="module")
def tensorboard(tmp_path_factory: pytest.TempPathFactory, serve: Callable[..., str]) -> str:
    """A sweep over learning rates and depths, served."""
    home = tmp_path_factory.mktemp("sweep")
    for rate in RATES:
        for depth in (2, 4):
            params = {"optim": {"lr": rate}, "depth": depth, "clip": None}
            with start_run(f"tensorboard:{home}", params=params, best={"loss": "min"}) as run:
                for step in range(3):
                    run.log({"loss": rate * depth + step % 2}, step=step)
    arguments = ["tensorboard.main", "--logdir", str(home), "--reload_interval", "1"]
    return serve(*arguments, cwd=Path(home))


@pytest.fixture
def page(tensorboard: str, browser: Any) -> Iterator[Any]:
    """The page with its parallel coordinates, once every run has its line."""
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.goto(f"{tensorboard}/#hparams")
    page.get_by_text("Parallel coordinates view").first.click()
    wait_for_lines(page, 2 * len(RATES))
    yield page
    page.close()


def wait_for_lines(page: Any, number: int) -> None:
    """Wait until so many runs are drawn."""
    page.locator(f"{PLOT} .foreground path").nth(number - 1).wait_for(
        state="attached", timeout=60_000
    )
    page.wait_for_timeout(500)
    assert number == page.locator(f"{PLOT} .foreground path").count()


def heights(page: Any) -> list[float]:
    """Where the lines of all runs meet the axis `optim.lr`, each once, from the top: pixels."""
    paths = page.locator(f"{PLOT} .foreground path").evaluate_all(
        "paths => paths.map(path => path.getAttribute('d'))"
    )
    # The axes are depth, optim.lr, and the metrics.
    return sorted({round(float(path.split("L")[1].split(",")[1]), 1) for path in paths})


def choose(page: Any, scale: str) -> None:
    """Choose a scale for `optim.lr`, the second of the axes that have one."""
    page.locator("tf-hparams-scale-and-color-controls").get_by_text(scale).nth(1).click()
    page.wait_for_timeout(500)


def test_the_axis_of_a_rate_can_be_logarithmic(page: Any) -> None:
    """A learning rate is a number to the page: powers of ten are evenly spaced on its logarithmic scale alone."""
    choose(page, "Linear")
    linear = heights(page)
    choose(page, "Logarithmic")
    logarithmic = heights(page)

    gaps = [later - earlier for earlier, later in pairwise(logarithmic)]
    assert len(RATES) == len(logarithmic)
    assert max(gaps) - min(gaps) < 1
    assert linear[1] - linear[0] > 100


def test_the_axis_of_a_rate_can_be_one_of_quantiles(page: Any) -> None:
    """The quantile scale spreads the learning rates evenly, too."""
    choose(page, "Quantile")

    spread = heights(page)
    gaps = [later - earlier for earlier, later in pairwise(spread)]
    assert len(RATES) == len(spread)
    assert max(gaps) < 2 * min(gaps)


def test_a_bound_leaves_the_runs_within_it(page: Any) -> None:
    """A least learning rate that is typed in leaves the runs that have it or more."""
    bounds = page.locator("tf-hparams-query-pane paper-input input")
    bounds.nth(2).fill("0.001")  # after those of depth
    page.keyboard.press("Enter")
    page.wait_for_function(
        "number => document.body && (function count(root) { let n = 0;"
        " for (const e of root.querySelectorAll('*')) {"
        "  if (e.matches('.foreground path')) n += 1;"
        "  if (e.shadowRoot) n += count(e.shadowRoot); } return n; })(document) === number",
        arg=2 * 3,
        timeout=60_000,
    )

    wait_for_lines(page, 2 * 3)
