"""What the demo trains, and what it records of it."""

from dataclasses import dataclass
from math import cos, pi
from textwrap import indent
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import LambdaLR

from treadle.demo.device import choose_device
from treadle.demo.text.config import Config
from treadle.demo.text.corpus import Corpus, bits, encode, read_text
from treadle.demo.text.network import GPT
from treadle.demo.text.windows import WindowLoader, cut, split
from treadle.demo.text.writing import write
from treadle.errors import TreadleError
from treadle.moments import training
from treadle.planning import total_steps
from treadle.progress import Narrator
from treadle_loop import Engine, EpochResult, Loss, PrecisionUnavailable, TensorLoader
from treadle_tracking import Run

_LEAST = 0.1  # of the highest learning rate, at the end


class UnknownPrecision(TreadleError):
    """The device does not compute in the precision that was asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """All that is needed to train."""

    engine: Engine
    loader: WindowLoader
    validation: TensorLoader
    corpus: Corpus  # on the CPU
    config: Config


def prepare(config: Config) -> Recipe:
    """Make the data, the model and the engine.

    Raises:
        MissingText: This Python comes without the text.
        UnknownDevice: The device is not here.
        UnknownPrecision: It does not compute in this precision.
        UnknownTotal: Nobody can say when the learning rate is to be at its lowest.
    """
    device = choose_device(config.device)
    corpus = encode(read_text())
    block = config.model.block
    loader = WindowLoader(
        corpus.train.to(device), block=block, batch_size=config.batch_size, seed=config.seed
    )
    seen, following = split(cut(corpus.held_out.to(device), block))
    validation = TensorLoader(seen, following, batch_size=config.batch_size)
    torch.manual_seed(config.seed)
    model = GPT(
        len(corpus.vocabulary),
        layers=config.model.layers,
        heads=config.model.heads,
        width=config.model.width,
        block=block,
        dropout=config.model.dropout,
    ).to(device)
    optimizer = torch.optim.AdamW(
        _groups(model, config.optim.weight_decay), lr=config.optim.lr, betas=(0.9, 0.99)
    )
    try:
        engine = Engine(
            model,
            predict_next,
            optimizer,
            accumulate=config.accumulate,
            clip_norm=config.optim.clip_norm,
            precision=config.precision,
        )
    except PrecisionUnavailable as error:
        raise UnknownPrecision(f"--precision {config.precision}: {error}") from None
    counts = {"tokens": block}
    warmup, decay = (
        None if limit is None else total_steps(limit, loader, engine, per_record=counts)
        for limit in (config.optim.warmup, config.optim.decay)
    )
    engine.scheduler = LambdaLR(optimizer, lambda step: share_of_rate(step, warmup or 0, decay))
    return Recipe(engine, loader, validation, corpus, config)


def predict_next(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Loss:
    """Say how surprised the model is by what comes next, `(B, T)` both: the mean over all characters, in nats."""
    seen, following = batch
    value = cross_entropy(model(seen).flatten(0, 1), following.flatten())
    tokens = following.numel()
    return Loss(
        value,
        weight=tokens,
        counts={"tokens": tokens},
        metrics={"bits_per_character": bits(value.detach())},
    )


def share_of_rate(step: int, warmup: int, total: int | None) -> float:
    """The learning rate of a step, counted from 0, as a share of the highest.

    It rises in a line over `warmup` steps, and then falls along half a cosine, to a tenth after `total` steps; where
    there is no `total`, it stays. (I. Loshchilov and F. Hutter, SGDR, 2017, equation 5, without restarts.)
    """
    if step < warmup:
        return (step + 1) / warmup
    if total is None:
        return 1.0
    done = min(1.0, (step - warmup) / max(1, total - warmup))
    return _LEAST + (1 - _LEAST) * (1 + cos(pi * done)) / 2


def follow(recipe: Recipe, run: Run) -> tuple[EpochResult, str]:
    """Train, and record what the model writes at each validation; returns the last of both."""
    engine, config = recipe.engine, recipe.config
    run.json("vocabulary", list(recipe.corpus.vocabulary))
    validated, sample = None, None
    narrator = Narrator(len(recipe.loader))
    try:
        for moment in training(
            engine,
            recipe.loader,
            {"val": recipe.validation},
            until=config.until,
            validate=config.validate,
            log=config.log,
            checkpoint=config.checkpoint,
            best="val/loss:min",
            keep=config.keep,
            patience=config.patience,
            run=run,
        ):
            narrator.tell(moment)
            if "validate" in moment.due:
                validated, sample = moment.validated["val"], sample_of(recipe)
                # Indented, and so shown as it is: the text is full of what Markdown would make something of.
                run.text("sample", indent(sample, "    ", lambda _: True), step=moment.counts.steps)
    finally:
        narrator.close()
    return (
        validated or engine.test_epoch(recipe.validation, verb="validated"),
        sample or sample_of(recipe),
    )


def sample_of(recipe: Recipe) -> str:
    """What the model writes now, after the end of a line."""
    config, corpus = recipe.config.sample, recipe.corpus
    prompt = torch.tensor([corpus.vocabulary.index("\n")])

    def forward(model: Any, prompt: Tensor) -> Tensor:
        return write(
            model,
            prompt,
            characters=config.characters,
            temperature=config.temperature,
            top_k=config.top_k,
            seed=recipe.config.seed,
        )

    [written] = recipe.engine.predict([prompt], forward)
    return corpus.decode(written)


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices decay; the scales of normalisations have nothing to shrink to."""
    parameters = list(model.parameters())
    return [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": weight_decay},
        {"params": [one for one in parameters if one.ndim == 1], "weight_decay": 0.0},
    ]
