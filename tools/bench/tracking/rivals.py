"""Others, each used in the way of its documentation; each imports its library itself."""

import os
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from loggers import Logger, Make


def summary_writer(folder: Path) -> Logger:
    """Torch's, a call a number."""
    from torch.utils.tensorboard import SummaryWriter

    return _writer(SummaryWriter(str(folder)))


def tensorboardx(folder: Path) -> Logger:
    """The same class of tensorboardX."""
    from tensorboardX import SummaryWriter

    return _writer(SummaryWriter(str(folder)))


def _writer(writer: Any) -> Logger:
    def log(values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    return Logger(log, writer.close)


def event_file_writer(folder: Path) -> Logger:
    """TensorBoard's own writer, given one event with all three."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))

    def log(values: dict[str, float], step: int) -> None:
        numbers = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        writer.add_event(Event(step=step, summary=Summary(value=numbers)))

    return Logger(log, writer.close)


def wandb_offline(folder: Path) -> Logger:
    """Weights & Biases, to a file that is sent later."""
    import wandb

    run = wandb.init(
        mode="offline", dir=str(folder), project="bench", settings=wandb.Settings(silent=True)
    )
    return Logger(lambda values, step: run.log(values, step=step), run.finish)


def trackio(folder: Path) -> Logger:
    """Trackio, to its database on this machine."""
    os.environ["TRACKIO_DIR"] = str(folder)
    import trackio as library

    with redirect_stdout(StringIO()):
        run = library.init(project="bench", embed=False)

    def close() -> None:
        with redirect_stdout(StringIO()):
            run.finish()

    return Logger(lambda values, step: run.log(values, step=step), close)


def lightning_tensorboard(folder: Path) -> Logger:
    """Lightning's logger for TensorBoard."""
    from lightning.pytorch.loggers import TensorBoardLogger

    logger = TensorBoardLogger(str(folder))
    return Logger(logger.log_metrics, lambda: logger.finalize("success"))


def accelerate_tensorboard(folder: Path) -> Logger:
    """Accelerate's tracker for TensorBoard."""
    from accelerate import PartialState
    from accelerate.tracking import TensorBoardTracker

    PartialState()
    tracker = TensorBoardTracker("bench", logging_dir=str(folder))
    tracker.start()
    return Logger(tracker.log, tracker.finish)


def log_metric(uri: str) -> Make:
    """MLflow, a call a number, as most of its examples have it."""
    return partial(_fluent, uri, "each")


def log_metrics(uri: str) -> Make:
    """MLflow, one call with all."""
    return partial(_fluent, uri, "all")


def log_metrics_later(uri: str) -> Make:
    """MLflow's own threads, which return at once."""
    return partial(_fluent, uri, "later")


def _fluent(uri: str, how: str, _folder: Path) -> Logger:
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("bench")
    mlflow.start_run()

    def one_by_one(values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            mlflow.log_metric(name, value, step=step)

    def together(values: dict[str, float], step: int) -> None:
        mlflow.log_metrics(values, step=step)

    def later(values: dict[str, float], step: int) -> None:
        mlflow.log_metrics(values, step=step, synchronous=False)

    def close() -> None:
        mlflow.flush_async_logging()
        mlflow.end_run()

    return Logger({"each": one_by_one, "all": together, "later": later}[how], close)


def lightning_mlflow(uri: str) -> Make:
    """Lightning's logger for MLflow."""
    return partial(_lightning_mlflow, uri)


def _lightning_mlflow(uri: str, _folder: Path) -> Logger:
    from lightning.pytorch.loggers import MLFlowLogger

    logger = MLFlowLogger(experiment_name="bench", tracking_uri=uri)
    return Logger(logger.log_metrics, lambda: logger.finalize("success"))


def accelerate_mlflow(uri: str) -> Make:
    """Accelerate's tracker for MLflow."""
    return partial(_accelerate_mlflow, uri)


def _accelerate_mlflow(uri: str, folder: Path) -> Logger:
    from accelerate import PartialState
    from accelerate.tracking import MLflowTracker

    PartialState()
    os.environ["MLFLOW_TRACKING_URI"] = uri
    tracker = MLflowTracker(experiment_name="bench", logging_dir=str(folder))
    tracker.start()

    def close() -> None:
        tracker.finish()
        del os.environ["MLFLOW_TRACKING_URI"]

    return Logger(tracker.log, close)
