"""The demo on text: its network, its windows, what it writes, and that it goes on exactly."""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from attrs import asdict
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.cli import main
from treadle.demo.device import threads
from treadle.demo.text.command import demo, first_lines
from treadle.demo.text.config import SIZES, Config
from treadle.demo.text.corpus import MissingText, encode, read_text
from treadle.demo.text.network import GPT
from treadle.demo.text.recipe import follow, predict_next, prepare, share_of_rate
from treadle.demo.text.windows import WindowLoader, cut, split
from treadle.demo.text.writing import write
from treadle_config import load
from treadle_tracking import Run, RunRecord, open_runs, start_run
from treadle_units import parse

SMALL = {
    "model": {"layers": 1, "heads": 2, "width": 16, "block": 32, "dropout": 0.1},
    "batch_size": 128,
    "until": "12 steps",
    "optim": {"warmup": "3 steps"},
    "validate": "5 steps",
    "log": "1 step",
    "checkpoint": "4 steps",
    "sample": {"characters": 20},
    "threads": 1,
    "device": "cpu",
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Nothing here is large enough for two, which would wait for each other."""
    with threads(1):
        yield


@pytest.fixture
def short_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training does not take longer than it must."""
    text = read_text()[:12_000]
    monkeypatch.setattr("treadle.demo.text.recipe.read_text", lambda: text)


@pytest.fixture
def gpt() -> GPT:
    torch.manual_seed(0)
    return GPT(11, layers=2, heads=2, width=8, block=16, dropout=0.5).eval()


@pytest.mark.parametrize("place", range(1, 12))
def test_a_later_character_changes_nothing_before_it(gpt: GPT, place: int) -> None:
    """The logits before a place are the same whatever stands there, and those from there on are others."""
    torch.nn.init.normal_(gpt.characters.weight)
    text = torch.arange(12)[None] % 11
    other = text.clone()
    other[0, place] = (other[0, place] + 1) % 11
    with torch.no_grad():
        before, after = gpt(text), gpt(other)

    torch.testing.assert_close(before[:, :place], after[:, :place])
    assert not torch.isclose(before[:, place:], after[:, place:]).all(2).any()


def test_full_is_the_shape_it_is_named_for() -> None:
    """On 65 characters it has the 10.65 million parameters of nanoGPT's, and its 98,304 of positions."""
    with torch.device("meta"):
        model = GPT(65, **asdict(Config(size="full").model))

    assert 10_646_784 + 98_304 == sum(one.numel() for one in model.parameters())


def test_the_text_is_whole_and_split() -> None:
    """Every character is in the vocabulary, and the last tenth is held out."""
    text = read_text()
    corpus = encode(text)

    assert sorted(set(text)) == list(corpus.vocabulary)
    assert text == corpus.decode(corpus.train) + corpus.decode(corpus.held_out)
    assert len(text) // 10 == len(corpus.held_out)


@pytest.mark.parametrize("topics", [None, {"a": b"bytes"}, {}, ["a"]])
def test_a_python_without_the_text_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, topics: Any
) -> None:
    """Left out, or as something else than texts."""
    module = None if topics is None else type(sys)("topics")
    if module is not None:
        vars(module)["topics"] = topics
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", module)
    with pytest.raises(MissingText) as caught:
        read_text()

    assert (
        "this Python has no texts in pydoc_data.topics, which the demo learns from; some systems leave them out: take "
        "one from python.org, conda or uv"
    ) == str(caught.value)


@settings(max_examples=50, deadline=None)
@given(
    block=st.integers(1, 9),
    extra=st.integers(0, 40),
    batch_size=st.integers(1, 5),
    seed=st.integers(0, 2**63 - 1),
    epoch=st.integers(0, 1000),
)
def test_a_pass_goes_once_over_the_text(
    block: int, extra: int, batch_size: int, seed: int, epoch: int
) -> None:
    """Each character but those at the ends is predicted once in an epoch, from the one before it, in whole windows."""
    text = torch.arange(2 * block + extra)
    loader = WindowLoader(text, block=block, batch_size=batch_size, seed=seed)
    loader.set_position(epoch)
    batches = list(loader)
    predicted = torch.cat([following.flatten() for _, following in batches]).sort().values
    start = loader.start(epoch)

    assert len(loader) == len(batches)
    assert all(torch.equal(seen + 1, following) for seen, following in batches)
    assert list(range(start + 1, start + 1 + block * loader.data_records)) == predicted.tolist()
    assert len(text) - len(predicted) < 2 * block + 1


@settings(max_examples=30, deadline=None)
@given(batches=st.integers(0, 6), epoch=st.integers(0, 5))
def test_a_pass_is_gone_on_with_anywhere(batches: int, epoch: int) -> None:
    """From a position on, batches are those of a pass that began at its beginning, and so are those of the next."""
    whole, rest = (WindowLoader(torch.arange(100), block=5, batch_size=3, seed=4) for _ in range(2))
    for _ in range(epoch):
        iter(whole)
    rest.set_position(epoch, min(3 * batches, whole.data_records))
    expected = [*list(whole)[batches:], *whole]
    actual = [*rest, *rest]

    assert len(expected) == len(actual)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(expected, actual, strict=True))


def test_epochs_are_cut_elsewhere() -> None:
    """The windows of one epoch begin at other places than those of another."""
    loader = WindowLoader(torch.arange(1000), block=50, batch_size=3, seed=4)

    assert len({loader.start(epoch) for epoch in range(20)}) > 10


def test_held_out_windows_are_in_their_order() -> None:
    """One after the other, each character predicted once."""
    seen, following = split(cut(torch.arange(10), 3))

    assert [[0, 1, 2], [3, 4, 5], [6, 7, 8]] == seen.tolist()
    assert [[1, 2, 3], [4, 5, 6], [7, 8, 9]] == following.tolist()


def test_writing_draws_from_a_generator_of_its_own(gpt: GPT) -> None:
    """The same seed writes the same and another something else, and no random number of the training is used up."""
    prompt = torch.tensor([3])
    state = torch.get_rng_state()
    options: dict[str, Any] = {"characters": 30, "temperature": 1.0, "top_k": 11}
    one, again, other = (write(gpt, prompt, seed=seed, **options) for seed in (1, 1, 2))

    assert 30 == len(one)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(state, torch.get_rng_state())


def test_of_one_candidate_the_likeliest_is_written(gpt: GPT) -> None:
    """With top_k 1 each character is the one of the largest logit, beyond the block too."""
    written = write(gpt, torch.tensor([3]), characters=20, temperature=5.0, top_k=1, seed=0)
    text = [3, *written.tolist()]
    with torch.no_grad():
        likeliest = [
            int(gpt(torch.tensor([text[max(0, place - 16) : place]]))[0, -1].argmax())
            for place in range(1, 21)
        ]

    assert likeliest == written.tolist()


def test_the_rate_rises_and_falls() -> None:
    """In a line over the warmup, along a cosine to a tenth at the end, and stays where there is no end."""
    assert [0.25, 0.5, 0.75, 1.0] == [share_of_rate(step, 4, 10) for step in range(4)]
    assert [1.0, 0.55, 0.1, 0.1] == [
        round(share_of_rate(step, 4, 10), 9) for step in (4, 7, 10, 99)
    ]
    assert [1.0, 1.0] == [share_of_rate(step, 0, None) for step in (0, 99)]


def test_a_short_training_beats_frequencies() -> None:
    """After 60 steps the loss is below the entropy of who knows how frequent each character is."""
    changes = {"until": "60 steps", "optim": {"lr": 0.02, "warmup": "10 steps"}, "batch_size": 32}
    recipe = prepare(load(Config, SMALL, changes))
    for update in itertools.islice(recipe.engine.updates(recipe.loader), 60):
        loss = float(update.loss)

    assert loss < recipe.corpus.entropy() - 0.1


def test_a_loss_is_in_nats_and_bits() -> None:
    """A model that knows nothing takes log2(n) bits for each of n characters; tokens are counted."""
    model = GPT(8, layers=1, heads=1, width=4, block=4, dropout=0.0)
    torch.nn.init.zeros_(model.characters.weight)
    loss = predict_next(model, (torch.zeros(2, 4, dtype=torch.int64), torch.ones(2, 4).long()))

    assert (3.0, 8, {"tokens": 8}) == (
        round(float(loss.metrics["bits_per_character"]), 5),  # type: ignore[arg-type]
        loss.weight,
        loss.counts,
    )


class Killed(BaseException):
    """What ends a program without a word to anybody."""


def deadly_at(call: int, real: Any) -> Any:
    """A method that ends the program when it is called so often."""
    calls = itertools.count()

    def deadly(run: Run, *values: Any, **named: Any) -> Any:
        if next(calls) == call:
            raise Killed
        return real(run, *values, **named)

    return deadly


def attempt() -> tuple[list[torch.Tensor], RunRecord]:
    recipe = prepare(load(Config, SMALL))
    with start_run("tensorboard:runs", uid="u", resume="auto") as run:
        follow(recipe, run)
    [record] = open_runs("tensorboard:runs")
    return list(recipe.engine.model.state_dict().values()), record


def test_a_training_killed_anywhere_goes_on_exactly(
    here: Path, monkeypatch: pytest.MonkeyPatch, short_text: None
) -> None:
    """Weights, metrics and texts are bitwise those of a training that nothing interrupted."""
    pytest.importorskip("rich", reason="needs the extra treadle[progress]")
    texts: dict[int, str] = {}
    log, text = Run.log, Run.text

    def keep(run: Run, name: str, written: str, *, step: int) -> None:
        texts[step] = written
        text(run, name, written, step=step)

    monkeypatch.setattr(Run, "text", keep)
    weights, whole = attempt()
    expected = dict(texts)
    (here / "runs").rename(here / "whole")
    monkeypatch.setattr(Run, "log", deadly_at(3, log))
    with pytest.raises(Killed):
        attempt()
    monkeypatch.setattr(Run, "log", deadly_at(9, log))
    with pytest.raises(Killed):
        attempt()
    monkeypatch.setattr(Run, "log", log)
    texts.clear()
    again, record = attempt()
    [whole] = open_runs("tensorboard:whole")

    assert [5, 10, 12] == sorted(expected)
    assert {10: expected[10], 12: expected[12]} == texts
    assert all(map(torch.equal, weights, again))
    assert {name: whole.history(name) for name in whole.metrics} == {
        name: record.history(name) for name in record.metrics
    }
    assert ("sample",) == record.texts


def test_everything_follows_the_size_until_it_is_said() -> None:
    """`--size` decides shapes, rate and length, and each of them may be said by itself."""
    full = load(
        Config, argv=["--size", "full", "--model.width", "192", "--until", "1M tokens | 2 h"]
    )

    assert (6, 6, 192, 256, 0.2) == (
        full.model.layers,
        full.model.heads,
        full.model.width,
        full.model.block,
        full.model.dropout,
    )
    assert (64, 1e-3, parse("10 epochs")) == (full.batch_size, full.optim.lr, full.validate)
    assert parse("1M tokens") == full.optim.decay
    assert load(Config, argv=["--until", "2 min"]).optim.decay is None
    assert {"tiny", "small", "full"} == set(SIZES)
    for size in SIZES:
        load(Config, {"size": size})


def test_tokens_are_a_length(short_text: None) -> None:
    """A training until 10k tokens ends with the step that reaches them, and its rate is lowest there."""
    pytest.importorskip("rich", reason="needs the extra treadle[progress]")
    recipe = prepare(load(Config, SMALL, {"until": "10k tokens", "batch_size": 64}))
    with start_run("tensorboard:runs", name="a") as run:
        follow(recipe, run)
    [record] = open_runs("tensorboard:runs")

    # 64 windows of 32 characters a step
    assert 5 == record.history("train/loss")[-1][0]
    assert recipe.engine.optimizer is not None
    assert 0.1 == pytest.approx(recipe.engine.optimizer.param_groups[0]["lr"] / 3e-3)


WRONG = {
    "an unknown size": (["--size", "huge"], ["--size", "huge", "tiny, small, full"]),
    "heads that do not fit": (["--model.heads", "5"], ["model.heads", "5", "64"]),
    "a share of one": (["--model.dropout", "1"], ["model.dropout"]),
    "no block": (["--model.block", "0"], ["model.block"]),
    "a length that is not counted": (["--until", "9 frames"], ["--until", "frames", "tokens"]),
    "a warmup in time": (["--optim.warmup", "9 s"], ["optim.warmup", "9 s"]),
    "alternatives": (["--log", "5 s | 1 epoch"], ["--log", "one length"]),
    "an unknown device": (["--device", "gpu"], ["gpu", "cpu"]),
    "an unknown setting": (["--model.hads", "2"], ["model.hads", "model.heads"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_is_one_message(
    case: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names what was said, ends with code 2, and nothing is written."""
    pytest.importorskip("rich", reason="needs the extra treadle[progress]")
    arguments, named = WRONG[case]
    with pytest.raises(SystemExit) as caught:
        demo(arguments)
    said = capsys.readouterr()

    assert (2, "") == (caught.value.code, said.out)
    assert [] == [word for word in named if word not in said.err]
    assert [] == list(here.iterdir())


WORDS = {
    "another demo": (
        ["demo", "txt"],
        "treadle: there is no demo 'txt'; there are digits and text\n",
    ),
    "digits by name": (["demo", "digits", "--log", "5 s | 1 epoch"], "log is '5 s | 1 epoch'"),
    "digits without": (["demo", "--log", "5 s | 1 epoch"], "log is '5 s | 1 epoch'; give one"),
    "text": (["demo", "text", "--seed", "-1"], "treadle demo text --help"),
}


@pytest.mark.parametrize("case", WORDS)
def test_a_word_says_which_demo(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without one it is the digits, and one that there is not is a message with those that there are."""
    pytest.importorskip("rich", reason="needs the extra treadle[progress]")
    words, said = WORDS[case]
    with pytest.raises(SystemExit) as caught:
        main(words)

    assert 2 == caught.value.code
    assert said in capsys.readouterr().err


def test_without_the_bar_it_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing is one sentence."""
    monkeypatch.setattr("treadle.demo.text.command.find_spec", lambda _: None)
    with pytest.raises(SystemExit) as caught:
        demo([])

    assert 2 == caught.value.code
    assert (
        "treadle demo text: the demo needs the extra 'demo': pip install 'treadle[demo]'\n"
        == capsys.readouterr().err
    )


def test_help_needs_no_torch() -> None:
    """The page is made from the config's class, and names the run's settings too."""
    pytest.importorskip("rich", reason="needs the extra treadle[progress]")
    code = (
        "import sys\n"
        "from treadle.cli import main\n"
        "try: main(['demo', 'text', '--help'])\n"
        "finally: assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)
    assert "--model.heads" in done.stdout
    assert "--run.target" in done.stdout


def test_the_last_sample_is_cut_to_a_few_lines() -> None:
    """Long lines and many lines are left out at the end, and that is seen."""
    text = "\n".join(["x" * 200] * 20)

    assert ["  " + "x" * 100] * 12 + ["  ..."] == first_lines(text).splitlines()
    assert "  a\n\n  b" == first_lines("a\n\nb\n")
