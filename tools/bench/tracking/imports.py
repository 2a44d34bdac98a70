"""What `import treadle_tracking` costs beside `import mlflow`."""

from harness import Row, Unit, again, process, table
from places import Places

A_PROCESS = Unit("ms", 1e3, decimals=0, of_ratios=3)


def import_tables(_where: Places, rounds: int) -> list[str]:
    """Print imports, less an interpreter that does nothing."""
    theirs = Row("import mlflow", process("import mlflow"))
    rows = [
        theirs,
        Row("import treadle_tracking", process("import treadle_tracking"), gate=1 / 10),
        again(theirs),
        Row("import tensorboard, EventFileWriter", process(_WRITER)),
        Row("import torch", process("import torch")),
    ]
    return table("import", rows, max(rounds, 5), A_PROCESS, less=Row("python", process("pass")))


_WRITER = "from tensorboard.summary.writer.event_file_writer import EventFileWriter"
