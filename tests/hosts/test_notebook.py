"""Trainings in a notebook: real kernels, whose cells are run, interrupted and run again."""

import asyncio
import os
import re
import signal
from collections.abc import Callable, Coroutine, Iterator, Mapping
from html import unescape
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nbclient", reason="needs the hosts environment: hatch run hosts:test")
pytest.importorskip("ipykernel", reason="needs the hosts environment: hatch run hosts:test")

import torch
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook

from treadle_loop import load_checkpoint
from treadle_tracking import RunRecord, open_runs

pytestmark = pytest.mark.hosts

Output = Mapping[str, Any]
Reaction = Callable[[], Coroutine[Any, Any, None]]

# Where a gate is open, nobody waits at it. A step that has come to a closed one says so, and waits until it is opened.
SETUP = """
import os
from pathlib import Path

import torch
import treadle
from torch import nn

gate = Path("gate")
x = torch.randn(22, 3, generator=torch.Generator().manual_seed(1))
y = x.sum(1, keepdim=True)
loader = treadle.TensorLoader(x, y, batch_size=4, shuffle=True, seed=3)
held_out = treadle.TensorLoader(x[:6], y[:6], batch_size=4)


def make_engine(waits_after=4):
    torch.manual_seed(7)
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))
    step = treadle.supervised(nn.functional.mse_loss)

    def waiting_step(model, batch):
        if model.training and engine.updates_made == waits_after and gate.exists():
            print("waiting", flush=True)
            try:
                gate.read_bytes()  # of a pipe: until somebody else has opened and closed it
            finally:
                gate.unlink()
        return step(model, batch)

    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    engine = treadle.Engine(model, waiting_step, optimizer, accumulate=2)
    return engine


OPTIONS = dict(until="4 epochs", validate="2 steps", log="1 step", checkpoint="3 steps")
"""
FIT = """
engine = make_engine()
with treadle.start_run("tensorboard:runs", name="a", resume="auto") as run:
    treadle.fit(engine, loader, {"val": held_out}, run=run, **OPTIONS)
torch.save(engine.model.state_dict(), "weights.pt")
"""
FOR = """
engine = make_engine()
with treadle.start_run("tensorboard:runs", name="a", resume="auto") as run:
    for moment in treadle.training(engine, loader, {"val": held_out}, run=run, **OPTIONS):
        run.log({"drawn": torch.rand(())}, step=moment.counts.steps)
torch.save(engine.model.state_dict(), "weights.pt")
"""
WITHOUT_CHECKPOINT = FIT.replace("**OPTIONS", "**(OPTIONS | {'checkpoint': None})")
WITH_WORKERS = f"""
from torch.utils.data import DataLoader, TensorDataset


dataset = TensorDataset(x, y)
sampler = treadle.loop.EpochSampler(dataset, seed=3)
in_memory, loader = loader, DataLoader(dataset, batch_size=4, sampler=sampler, num_workers=1)
try:
    {FIT.strip().replace(chr(10), chr(10) + "    ")}
finally:
    loader = in_memory
"""


class Notebook(NotebookClient):  # type: ignore[misc]  # it has no types
    """A kernel in a folder, in which cells are run as from a browser."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            new_notebook(),
            timeout=100,
            shell_timeout_interval=1,  # until a kernel that is dead is found so
            allow_errors=True,
            resources={"metadata": {"path": str(folder)}},
        )
        self.messages: list[Output] = []
        self._reactions: dict[str, Reaction] = {}
        self._reacting: list[asyncio.Future[None]] = []

    def run(self, source: str, reactions: Mapping[str, Reaction] | None = None) -> list[Output]:
        """The outputs of a cell; what is to be done is done when the cell first prints the text."""
        self.messages.clear()
        self._reactions = dict(reactions or {})
        self.nb.cells.append(new_code_cell(source))
        cell = self.execute_cell(self.nb.cells[-1], len(self.nb.cells) - 1)
        return list(cell.outputs)

    def value(self, source: str) -> str:
        """What a cell without errors prints, or else shows as plain text of its last value."""
        [output] = self.quiet(source)
        return str(output.get("text") or output["data"]["text/plain"])

    def quiet(self, source: str) -> list[Output]:
        """The outputs of a cell without errors."""
        outputs = self.run(source)
        assert not [one for one in outputs if one["output_type"] == "error"], outputs
        return outputs

    def process_message(self, message: Any, cell: Any, cell_index: int) -> Any:
        """As nbclient does; and keeps it."""
        self.messages.append(message)
        text = message["content"].get("text", "") if message["msg_type"] == "stream" else ""
        for awaited in [awaited for awaited in self._reactions if awaited in text]:
            self._reacting.append(asyncio.ensure_future(self._reactions.pop(awaited)()))
        return super().process_message(message, cell, cell_index)

    async def interrupt(self) -> None:
        """Press the button."""
        await self.km.interrupt_kernel()

    async def kill(self) -> None:
        """End the kernel without a word to anybody."""
        await self.km.signal_kernel(signal.SIGKILL)

    def interrupt_and_open(self, gate: Path) -> Reaction:
        """Press the button while the step waits, and then let it go on."""

        async def react() -> None:
            await self.interrupt()
            gate.write_bytes(b"")  # noqa: ASYNC240  # somebody waits for it already

        return react


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """One kernel for all that do not kill it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        notebook = Notebook(tmp_path_factory.mktemp("kernel"))
        with notebook.setup_kernel():
            yield notebook


@pytest.fixture
def notebook(kernel: Notebook, tmp_path: Path) -> Notebook:
    """That kernel, in the test's own folder, with its names as they were."""
    kernel.quiet(f"{SETUP}\nos.chdir({str(tmp_path)!r})")
    return kernel


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A closed gate in the test's folder."""
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


def only_run(folder: Path) -> RunRecord:
    [run] = open_runs(f"tensorboard:{folder / 'runs'}")
    return run


def result_in(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The weights at the end, and all that was logged."""
    run = only_run(folder)
    return torch.load(folder / "weights.pt"), {name: run.history(name) for name in run.metrics}


def check_equal(
    expected: tuple[dict[str, torch.Tensor], dict[str, Any]],
    actual: tuple[dict[str, torch.Tensor], dict[str, Any]],
) -> None:
    assert expected[1] == actual[1]
    assert all(torch.equal(expected[0][name], actual[0][name]) for name in expected[0])


def error_of(outputs: list[Output]) -> tuple[str, str]:
    [error] = [one for one in outputs if one["output_type"] == "error"]
    return error["ename"], error["evalue"]


@pytest.fixture
def whole(
    kernel: Notebook, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[dict[str, torch.Tensor], dict[str, Any]]]:
    """What a cell comes to that nothing interrupts."""

    def run(cell: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        folder = tmp_path_factory.mktemp("whole")
        kernel.quiet(f"here = os.getcwd()\nos.chdir({str(folder)!r})")
        kernel.quiet(cell)
        kernel.quiet("os.chdir(here)")
        return result_in(folder)

    return run


@pytest.mark.parametrize(
    "cell", [FIT, FOR, WITH_WORKERS, WITHOUT_CHECKPOINT], ids=["fit", "for", "workers", "no saving"]
)
def test_a_cell_that_is_interrupted_and_run_again_has_never_been_interrupted(
    notebook: Notebook, tmp_path: Path, gate: Path, whole: Callable[[str], Any], cell: str
) -> None:
    """Weights and histories are bitwise those of a cell that nobody interrupts, in one run that was KILLED meanwhile."""
    expected = whole(cell)
    outputs = notebook.run(cell, {"waiting": notebook.interrupt_and_open(gate)})
    killed = only_run(tmp_path)
    logged = [step for step, _ in killed.history("train/loss")]
    counts = load_checkpoint(killed.directory / "checkpoints")["schedule"]["progress"]
    notebook.quiet(cell)

    assert ("KILLED", [1, 2, 3, 4, 5]) == (killed.status, logged)
    # All 22 records, and two updates' of the second pass.
    assert (38, 10, 5, 1) == tuple(
        counts[unit] for unit in ("records", "batches", "steps", "epochs")
    )
    assert "KeyboardInterrupt" == error_of(outputs)[0]
    assert "FINISHED" == only_run(tmp_path).status
    check_equal(expected, result_in(tmp_path))


def test_the_error_says_how_to_go_on(notebook: Notebook, tmp_path: Path, gate: Path) -> None:
    """The last line below the cell names the step, the place, and the call that continues the run."""
    outputs = notebook.run(FIT, {"waiting": notebook.interrupt_and_open(gate)})

    kind, message = error_of(outputs)
    assert "KeyboardInterrupt" == kind
    assert (
        f"stopped after step 5, which is saved in {tmp_path}/runs/default/a/checkpoints: the same call goes on from "
        f"there with this run, which start_run(..., name='a', resume='auto') reopens once it is closed"
    ) == message


def test_without_a_run_a_directory_is_enough(
    notebook: Notebook, tmp_path: Path, gate: Path
) -> None:
    """Checkpoints in a directory are gone on from by the same cell, and the error names them."""
    cell = 'engine = make_engine()\ntreadle.fit(engine, loader, until="4 epochs", directory="here")'
    outputs = notebook.run(cell, {"waiting": notebook.interrupt_and_open(gate)})
    notebook.quiet(cell)

    assert (
        "KeyboardInterrupt",
        "stopped after step 5, which is saved in here: the same call goes on from there",
    ) == error_of(outputs)
    assert "12" == notebook.value("engine.updates_made")


def test_with_neither_the_engine_stays_as_it_is(
    notebook: Notebook, tmp_path: Path, gate: Path
) -> None:
    """Nothing is saved; the engine has made its five updates, and another call makes all that it is asked for."""
    notebook.quiet("engine = make_engine()")
    cell = 'result = treadle.fit(engine, loader, until="4 epochs")'
    outputs = notebook.run(cell, {"waiting": notebook.interrupt_and_open(gate)})
    made = notebook.value("engine.updates_made")
    notebook.quiet(cell)

    assert (
        "stopped after step 5, which is not saved, as there is neither a run nor a directory=... for it: the engine is "
        "as that step has left it, and another call counts from 0"
    ) == error_of(outputs)[1]
    assert ("5", "(88, 12, 17)") == (
        made,
        notebook.value(
            "counts = result.outcome.counts\ncounts.records, counts.steps, engine.updates_made"
        ),
    )


def test_a_run_that_is_still_open_goes_on(
    notebook: Notebook, tmp_path: Path, gate: Path, whole: Callable[[str], Any]
) -> None:
    """A run of another cell, that is closed by none, is taken back to the checkpoint, and no point is there twice."""
    expected = whole(FIT)
    notebook.quiet('engine = make_engine()\nrun = treadle.start_run("tensorboard:runs", name="a")')
    cell = 'treadle.fit(engine, loader, {"val": held_out}, run=run, **OPTIONS)'
    outputs = notebook.run(cell, {"waiting": notebook.interrupt_and_open(gate)})
    notebook.quiet(cell)
    notebook.quiet("run.close()\ntorch.save(engine.model.state_dict(), 'weights.pt')")

    assert "KeyboardInterrupt" == error_of(outputs)[0]
    check_equal(expected, result_in(tmp_path))


def test_the_second_interrupt_ends_the_cell_in_the_middle_of_a_step(
    notebook: Notebook, tmp_path: Path, gate: Path, whole: Callable[[str], Any]
) -> None:
    """It is raised at once; the cell that is run again goes on from the checkpoint before, exactly."""
    expected = whole(FIT)
    heard = "import signal\nsignal.signal(signal.SIGINT, lambda *_: print('heard', flush=True))\n"
    outputs = notebook.run(
        heard + FIT, {"waiting": notebook.interrupt, "heard": notebook.interrupt}
    )
    killed = only_run(tmp_path)
    saved = load_checkpoint(killed.directory / "checkpoints")["schedule"]["progress"]["steps"]
    gate.unlink(missing_ok=True)  # who was interrupted on the way there has not gone through
    notebook.quiet(FIT)

    assert ("KeyboardInterrupt", "") == error_of(outputs)
    assert ("KILLED", 3) == (killed.status, saved)
    check_equal(expected, result_in(tmp_path))


def test_a_kernel_that_is_killed_is_gone_on_with_by_another(
    notebook: Notebook, tmp_path: Path, gate: Path, whole: Callable[[str], Any]
) -> None:
    """After kill -9 the same cell in another kernel gives what it would have given, without a point twice."""
    expected = whole(FIT)
    other = Notebook(tmp_path)
    with other.setup_kernel():
        other.quiet(SETUP)
        with pytest.raises(DeadKernelError):
            other.run(FIT, {"waiting": other.kill})
    left = only_run(tmp_path).status
    gate.unlink()
    notebook.quiet(FIT)

    assert ("UNFINISHED", "FINISHED") == (left, only_run(tmp_path).status)
    check_equal(expected, result_in(tmp_path))


def test_an_error_in_the_body_leaves_nothing_behind(notebook: Notebook, tmp_path: Path) -> None:
    """Though a notebook keeps the last traceback, signals mean what they meant; the run FAILED, and the cell goes on."""
    cell = """
engine = make_engine()
with treadle.start_run("tensorboard:runs", name="a", resume="auto") as run:
    moments = treadle.training(engine, loader, run=run, **OPTIONS)
    for moment in moments:
        assert moment.counts.steps != last
"""
    outputs = notebook.run(f"last = 5\n{cell}")
    failed = only_run(tmp_path).status
    handlers = notebook.value(
        "import signal\n[signal.getsignal(one).name for one in (signal.SIGTERM, signal.SIGUSR1)]"
    )
    notebook.quiet(f"last = None\n{cell}")

    assert "AssertionError" == error_of(outputs)[0]
    assert ("FAILED", "['SIG_DFL', 'SIG_DFL']") == (failed, handlers)
    assert list(range(1, 13)) == [step for step, _ in only_run(tmp_path).history("train/loss")]


def test_the_bar_is_one_output_above_the_lines(notebook: Notebook) -> None:
    """It is replaced where it is, without ipywidgets, and stays with what the training has come to."""
    outputs = notebook.quiet(
        "import sys, treadle.progress\n"
        "refresh, treadle.progress._REFRESH_SECONDS = treadle.progress._REFRESH_SECONDS, 0.0\n"
        'result = treadle.fit(make_engine(), loader, {"val": held_out}, until="4 epochs", progress=True)\n'
        "treadle.progress._REFRESH_SECONDS = refresh\n"
        "assert 'ipywidgets' not in sys.modules"
    )
    bar, lines = outputs[0], "".join(one["text"] for one in outputs[1:])
    drawn = [one for one in notebook.messages if one["msg_type"] == "update_display_data"]

    assert ("display_data", {"stream"}) == (
        bar["output_type"],
        {one["output_type"] for one in outputs[1:]},
    )
    assert 12 == len(drawn)  # after the first step, which displays it, each of eleven; and the end
    assert re.search(r"epoch 4, step 12 .*100%", bar["data"]["text/plain"])
    assert "epoch 4, step 12" in bar["data"]["text/html"]
    assert [f"epoch {n}: {verb}" for n in range(1, 5) for verb in ("trained", "validated")] == [
        " ".join(line.split()[:3]) for line in lines.splitlines()
    ]


def test_the_bar_stays_where_the_training_was_interrupted(notebook: Notebook, gate: Path) -> None:
    """After an interrupt it shows the step that the error names."""
    cell = 'treadle.fit(make_engine(), loader, until="4 epochs", progress=True)'
    outputs = notebook.run(cell, {"waiting": notebook.interrupt_and_open(gate)})

    assert error_of(outputs)[1].startswith("stopped after step 5,")
    assert "epoch 2, step 5 " in outputs[0]["data"]["text/plain"]


def test_what_a_training_came_to_is_shown_in_lines(notebook: Notebook) -> None:
    """The last value of a cell is what a program would print: of `fit`, and of a pass."""
    fitted = notebook.value(
        'treadle.fit(make_engine(), loader, {"val": held_out}, until="1 epoch")'
    ).splitlines()
    passed = notebook.value("make_engine().train_epoch(loader)")

    assert 3 == len(fitted)
    assert fitted[0].startswith("reached 1 epoch after 22 records, 6 batches, 3 steps, 1 epoch")
    assert fitted[1].startswith("trained 22 records in 6 batches (3 steps), ")
    assert re.fullmatch(r"validated 6 records in 2 batches, .* \(val\)", fitted[2])
    assert passed.startswith("trained 22 records in 6 batches (3 steps), ")


def test_a_config_is_shown_with_its_sources(notebook: Notebook) -> None:
    """The last value of a cell is the explanation, in which a cell is called as the notebook calls it."""
    shown = notebook.value(
        "from attrs import frozen\n"
        "@frozen\n"
        "class Config:\n"
        "    lr: float = 0.1\n"
        "    width: int = 8\n"
        'treadle.config.resolve(Config, {"lr": 0.2})'
    )
    number = notebook.nb.cells[-1].execution_count

    assert (
        "precedence code_over_file: default < file < env < code < cli\n"
        "\n"
        f"lr     0.2  code In[{number}]:6\n"
        "width  8    default"
    ) == shown


def test_runs_are_shown_as_a_table_and_as_a_page_that_needs_nothing(notebook: Notebook) -> None:
    """The runs are a table; the page is in a frame that may load nothing from anywhere."""
    notebook.quiet(FIT)
    [table] = notebook.quiet("runs = treadle.open_runs('tensorboard:runs')\nruns")
    [page] = notebook.quiet("runs.parallel_coordinates()")
    [frame] = re.findall(r'<iframe srcdoc="([^"]*)"', page["data"]["text/html"])

    assert "<td>FINISHED</td>" in table["data"]["text/html"]
    assert "metrics.val/loss" in table["data"]["text/html"]
    assert "default-src 'none'" in unescape(frame)
    assert [] == re.findall(r"""(?:src|href)=["']?\w+:|url\(|@import""", unescape(frame))


def test_the_loop_that_runs_in_a_kernel_is_in_nobodys_way(
    notebook: Notebook, tmp_path: Path
) -> None:
    """Trainings, in the cell and in threads that a coroutine waits for, and all readers work while a loop runs."""
    notebook.quiet(
        "import asyncio\n"
        "asyncio.get_running_loop()\n"
        "def train(name):\n"
        "    with treadle.start_run('tensorboard:runs', name=name) as run:\n"
        "        return treadle.fit(make_engine(), loader, run=run, **OPTIONS).outcome.counts.steps\n"
        "steps = [train('a'), *await asyncio.gather(*(asyncio.to_thread(train, name) for name in 'bc'))]\n"
        "assert steps == [12, 12, 12]\n"
        "runs = treadle.open_runs('tensorboard:runs')\n"
        "runs.search('metrics.lr > 0').dataframe(), runs.compare(), runs.history(), runs.parallel_coordinates();"
    )

    assert ["FINISHED"] * 3 == [one.status for one in open_runs(f"tensorboard:{tmp_path / 'runs'}")]


def test_the_page_is_a_notebook(
    notebook: Notebook, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its blocks run as cells; the one that is interrupted and run again gives what it gives undisturbed."""
    page = (root / "docs" / "examples" / "notebook.md").read_text()
    cells = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    [long] = [cell for cell in cells if cell.startswith("model, result = train(")]
    undisturbed: dict[str, Any] = {}
    (tmp_path / "undisturbed").mkdir()
    monkeypatch.chdir(tmp_path / "undisturbed")
    for cell in cells[: cells.index(long) + 1]:
        exec(compile(cell, "cell", "exec"), undisturbed)  # our own page
    for cell in cells:
        if cell is long:
            outputs = notebook.run(cell, {"epoch 2: ": notebook.interrupt})
            assert error_of(outputs)[1].startswith("stopped after step ")
        shown = notebook.quiet(cell)
        if cell is long:
            notebook.quiet("torch.save(model.state_dict(), 'weights.pt')")
    weights = torch.load(tmp_path / "weights.pt")

    assert [("first", "FINISHED"), ("narrow", "FINISHED")] == [
        (one.name, one.status) for one in open_runs(f"tensorboard:{tmp_path / 'runs'}")
    ]
    assert "<iframe" in shown[0]["data"]["text/html"]
    assert all(
        torch.equal(weights[name], value)
        for name, value in undisturbed["model"].state_dict().items()
    )
