"""Writes the files beside this one with the programs that they are named for: see README.md."""

import shutil
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
IMAGE = (np.arange(48, dtype=np.uint8) * 5).reshape(4, 4, 3)


def torch_files(folder):
    from torch.utils.tensorboard import SummaryWriter

    # First, since torch counts the files of a process, and they are read in the order of their names.
    for purge in (None, 3):
        name = "resumed" if purge is None else "purged"
        for first, value in ((0, 1.0), (3, 2.0)):
            again = {} if purge is None or first == 0 else {"purge_step": purge}
            with SummaryWriter(folder / name, filename_suffix=f".{first}", **again) as writer:
                for step in range(first, first + 6):
                    writer.add_scalar("loss", value + step, step)
                    if first == 0:
                        writer.add_scalar("old", value + step, step)
    with SummaryWriter(folder / "full") as writer:
        for step in range(4):
            writer.add_scalar("loss", 1 / (step + 1), step)
        writer.add_scalar("exact", 0.1234567890123456, 1, new_style=True, double_precision=True)
        writer.add_scalar("stepless", 3.0)
        writer.add_scalar("odd", -2.0, -1)
        writer.add_scalars("curves", {"a": 0.5, "b": 0.25}, 2)
        writer.add_text("note", "# Hello", 1)
        writer.add_image("picture", IMAGE, 3, dataformats="HWC")
        writer.add_histogram("weights", np.arange(10.0), 2)
        hparams = {"lr": 0.1, "batch": 16, "amp": True, "name": "adam"}
        writer.add_hparams(hparams, {"final/acc": 0.75, "loss": 9.0})
    with SummaryWriter(folder / "trials") as writer:
        for number in range(2):
            writer.add_hparams({"lr": 0.1 * number}, {"acc": float(number)})


def tensorboardx_files(folder):
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(folder / "full")) as writer:
        for step in range(4):
            writer.add_scalar("loss", 1 / (step + 1), step)
        writer.add_text("note", "# Hello", 1)
        writer.add_image("picture", IMAGE, 3, dataformats="HWC")
        writer.add_histogram("weights", np.arange(10.0), 2)
        writer.add_hparams({"lr": 0.1, "amp": True, "batch": 16}, {"acc": 0.75})


def lightning_files(folder):
    from lightning.pytorch.loggers import TensorBoardLogger

    logger = TensorBoardLogger(str(folder), name="digits", version=0)
    logger.log_hyperparams(
        {"batch": 16, "lr": 0.1, "amp": True, "clip": None, "model": {"depth": 3, "act": len}}
    )
    for step in range(4):
        logger.log_metrics({"loss": 1 / (step + 1), "epoch": 0}, step)
    logger.finalize("success")


WRITERS = {"torch": torch_files, "tensorboardx": tensorboardx_files, "lightning": lightning_files}

if __name__ == "__main__":
    for name in sys.argv[1:] or WRITERS:
        shutil.rmtree(HERE / name, ignore_errors=True)
        WRITERS[name](HERE / name)
