"""What a person sees: two demo runs in TensorBoard and in MLflow, in a real browser."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RATES = {"low": "0.001", "high": "0.003"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two demo runs with different learning rates, recorded on both backends."""
    home = tmp_path_factory.mktemp("demo")
    for name, rate in RATES.items():
        subprocess.run(
            [
                *[sys.executable, "-m", "treadle", "demo", "--until", "2 epochs"],
                *["--log", "10 steps", "--name", name, "--optim.lr", rate],
            ],
            cwd=home,
            check=True,
            capture_output=True,
        )
    return home


@pytest.fixture(scope="module")
def tensorboard(home: Path, serve: Callable[..., str]) -> str:
    return serve(
        *["tensorboard.main", "--logdir", str(home / "runs"), "--reload_interval", "1"], cwd=home
    )


@pytest.fixture(scope="module")
def mlflow(home: Path, serve: Callable[..., str]) -> str:
    store = f"sqlite:///{home / 'mlflow.db'}"
    arguments = ["mlflow", "ui", "--backend-store-uri", store, "--workers", "1"]
    return serve(*arguments, cwd=home, ready="/health")


def answer(url: str, question: dict[str, Any] | None = None) -> Any:
    """The JSON that a server answers."""
    data = None if question is None else json.dumps(question).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_tensorboard_shows_two_runs_and_no_other(tensorboard: str) -> None:
    """TensorBoard lists the two runs and no sub-run."""
    assert sorted(f"digits/{name}" for name in RATES) == sorted(answer(f"{tensorboard}/data/runs"))


def test_the_hparams_page_has_a_row_a_run(tensorboard: str, browser: Any) -> None:
    """The HPARAMS page shows both runs with their learning rates."""
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.goto(f"{tensorboard}/#hparams")
    for text in ["optim.lr", "0.0010000", "0.0030000"]:
        page.get_by_text(text).first.wait_for(timeout=60_000)
    page.close()


def test_the_images_page_shows_the_figure(tensorboard: str, browser: Any) -> None:
    """The IMAGES page draws the figure of misclassified digits of both runs."""
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.goto(f"{tensorboard}/#images")
    page.get_by_text("misclassified").first.wait_for(timeout=60_000)
    page.wait_for_function(
        "[...document.querySelectorAll('*')].some(function look(e) {"
        "  return (e.tagName === 'IMG' && e.naturalWidth > 100)"
        "    || [...(e.shadowRoot?.querySelectorAll('*') ?? [])].some(look) })",
        timeout=60_000,
    )
    page.close()


def test_mlflow_has_the_same_runs(mlflow: str, home: Path) -> None:
    """MLflow has both runs finished, with the same points, parameters and artifacts as the directories."""
    from treadle_tracking import open_runs

    api = f"{mlflow}/api/2.0/mlflow"
    found = answer(f"{api}/experiments/get-by-name?experiment_name=digits")
    runs = answer(f"{api}/runs/search", {"experiment_ids": [found["experiment"]["experiment_id"]]})[
        "runs"
    ]
    by_name = {run["info"]["run_name"]: run for run in runs}
    ours = open_runs(f"tensorboard:{home / 'runs'}")

    assert set(RATES) == set(by_name)
    for name, rate in RATES.items():
        run = by_name[name]
        uid = run["info"]["run_id"]
        points = answer(f"{api}/metrics/get-history?run_id={uid}&metric_key=train/loss")["metrics"]
        params = {param["key"]: param["value"] for param in run["data"]["params"]}
        files = answer(f"{api}/artifacts/list?run_id={uid}")["files"]

        assert "FINISHED" == run["info"]["status"]
        assert rate == params["optim.lr"]
        assert list(ours[name].history("train/loss")) == [(p["step"], p["value"]) for p in points]
        assert "model.pt" in {file["path"] for file in files}


def test_the_mlflow_page_lists_both_runs(mlflow: str, browser: Any) -> None:
    """MLflow's page of the experiment lists both runs by name."""
    found = answer(f"{mlflow}/api/2.0/mlflow/experiments/get-by-name?experiment_name=digits")
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.goto(f"{mlflow}/#/experiments/{found['experiment']['experiment_id']}/runs")
    for name in RATES:
        page.get_by_text(name, exact=True).first.wait_for(timeout=90_000)
    page.close()
