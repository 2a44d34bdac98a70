"""Tables of calls: to files, to MLflow's stores, and to mirrors at the same stores."""

from figures import Gate, Row, table
from floor import floor
from ours import mirrored, ours
from places import Places
from rivals import (
    accelerate_mlflow,
    accelerate_tensorboard,
    event_file_writer,
    lightning_mlflow,
    lightning_tensorboard,
    log_metric,
    log_metrics,
    log_metrics_later,
    summary_writer,
    tensorboardx,
    trackio,
    wandb_offline,
)

OURS = "treadle_tracking"
FLOOR = "by hand: struct, crc32c, os.write"
WRITER = "torch SummaryWriter"
FAST, SLOW = 5_000, 100  # steps a round: of what takes microseconds, and of what takes milliseconds
# A mirror's thread works and rests in turns, which takes some time to be seen; nobody logs without
# doing something between.
MIRRORED, BETWEEN = 4_000, 1e-4


def log_tables(where: Places, rounds: int) -> list[str]:
    """Print what writes files."""
    rows = [
        Row(FLOOR, floor, FAST),
        Row(OURS, ours, FAST),
        Row(f"{FLOOR}, again", floor, FAST),
        Row(WRITER, summary_writer, FAST),
        Row("tensorboardX SummaryWriter", tensorboardx, FAST),
        Row("tensorboard EventFileWriter, one event", event_file_writer, FAST),
        Row("Lightning TensorBoardLogger", lightning_tensorboard, FAST),
        Row("Accelerate TensorBoardTracker", accelerate_tensorboard, 1_000),
        Row("wandb, offline", wandb_offline, 2_000),
        Row("trackio", trackio, 1_000),
    ]
    gates = [
        Gate(OURS, "mean", WRITER, 1 / 10),
        Gate(OURS, "p99", WRITER, 1 / 10),
        Gate(OURS, "total", WRITER, 1 / 5),
    ]
    return table("three numbers a step, us", rows, gates, where.folder, rounds)


def store_tables(where: Places, rounds: int) -> list[str]:
    """Print MLflow's own ways to its stores."""
    rows = [Row(FLOOR, floor, FAST), Row(OURS, ours, FAST)]
    for kind, uri in where.stores().items():
        rows += [
            Row(f"mlflow.log_metrics, {kind}", log_metrics(uri), SLOW),
            Row(f"mlflow.log_metric, {kind}", log_metric(uri), SLOW // 2),
            Row(f"mlflow.log_metrics, asynchronous, {kind}", log_metrics_later(uri), SLOW),
            Row(f"Lightning MLFlowLogger, {kind}", lightning_mlflow(uri), SLOW),
            Row(f"Accelerate MLflowTracker, {kind}", accelerate_mlflow(uri), SLOW),
        ]
    title = "three numbers a step, MLflow's ways, us"
    return table(title, rows, [], where.folder, max(rounds // 3, 3))


def mirror_tables(where: Places, rounds: int) -> list[str]:
    """Print ours with mirrors, beside the same without and beside MLflow's own at the same place."""
    missed = []
    for kind, uri in where.stores().items():
        theirs = f"mlflow.log_metrics, {kind}"
        rows = [
            Row(OURS, ours, MIRRORED, BETWEEN),
            Row(f"{OURS}, again", ours, MIRRORED, BETWEEN),
            Row("mirrored by a thread", mirrored(f"mlflow:{uri}"), MIRRORED, BETWEEN),
            Row(
                "mirrored by a process",
                mirrored(f"mlflow:{uri}", mirror="process"),
                MIRRORED,
                BETWEEN,
            ),
            Row(theirs, log_metrics(uri), SLOW),
        ]
        gates = [
            gate
            for row in rows[2:4]
            for gate in (
                Gate(row.name, "mean", OURS, 2),
                Gate(row.name, "p99", OURS, 2),
                Gate(row.name, "total", theirs, 1 / 8),
            )
        ]
        title = f"three numbers a step, {kind}, us"
        missed += table(title, rows, gates, where.folder, max(rounds // 2, 3))
    return missed
