"""What a place is tried with: a run with entries of every kind, and names and values that are hard to keep."""

from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from attrs import evolve
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from treadle_tracking.entries import (
    Artifact,
    Committed,
    Ended,
    Entry,
    Function,
    Histogram,
    Image,
    Params,
    Scalars,
    Started,
    Table,
    Tags,
    Text,
)

__all__ = [
    "ANYTHING",
    "CHARACTERS",
    "NAMES",
    "STEPS",
    "VALUES",
    "sample_directory",
    "sample_log",
    "sample_start",
]

# Without the one character that no text of PostgreSQL's can have.
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
# What databases, paths and people find hard, besides what Hypothesis thinks of.
NAMES = st.text(CHARACTERS, min_size=1, max_size=30) | st.sampled_from(
    [
        "lr@0",
        "a[0]",
        "a%",
        "a//b",
        "/a",
        "a/",
        "../a",
        ".",
        "a.b",
        "A",
        "_x0040_",
        "größe",
        "a'b\"c\\",
        "a\nb",
    ]
)
STEPS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(CHARACTERS, max_size=20),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(NAMES, values, max_size=3),
    max_leaves=6,
)
ANYTHING = settings(
    max_examples=25,
    deadline=None,
    # The place is one for all examples, and each is a run of its own there.
    suppress_health_check=[
        HealthCheck.differing_executors,
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],
)
_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)


def sample_start() -> Started:
    """The beginning of a run of its own."""
    return Started(
        wall_time=1_700_000_000.25, uid=uuid4().hex, experiment="digits", name="base line"
    )


def sample_directory(folder: Path) -> Path:
    """A run directory below `folder` with the files that `sample_log` speaks of."""
    directory = folder / "runs" / "digits" / "base line"
    files = directory / "artifacts"
    (files / "tables").mkdir(parents=True)
    (files / "functions").mkdir()
    (files / "model.bin").write_bytes(b"weights")
    (files / "tables" / "errors.json").write_bytes(b'{"columns": ["a"], "data": [[1]]}')
    (files / "functions" / "augment.py").write_bytes(b"def augment(x): ...\n")
    (directory / "params.json").write_bytes(b"{}\n")
    return directory


def sample_log(run: Started) -> list[Entry]:
    """A whole run: entries of every kind, as they are in its log."""
    times = (run.wall_time + 0.002 * tick for tick in count())
    entries: list[Entry] = [
        evolve(run, wall_time=next(times)),
        Params(wall_time=next(times), values={"lr": 1e-3, "model": {"depth": 3, "act": None}}),
        Tags(wall_time=next(times), values={"note": "first", "kept": ""}),
    ]
    entries += [
        Scalars(wall_time=next(times), step=step, values={"loss": 1 / step, "val/acc": step / 10})
        for step in range(1, 6)
    ]
    entries += [
        Image(wall_time=next(times), step=5, name="samples", png=_PNG, width=1, height=1),
        Text(wall_time=next(times), step=5, name="note", text="# A note"),
        Histogram(
            wall_time=next(times),
            step=5,
            name="weights",
            buckets=((0.0, 0.5, 3.0), (0.5, 1.0, 1.0)),
        ),
        Artifact(wall_time=next(times), path="model.bin", size=7, sha256="0" * 64),
        Artifact(wall_time=next(times), path="tables/errors.json", size=33, sha256="1" * 64),
        Table(
            wall_time=next(times), step=5, name="errors", path="tables/errors.json", preview="| a |"
        ),
        Artifact(wall_time=next(times), path="functions/augment.py", size=20, sha256="2" * 64),
        Function(
            wall_time=next(times),
            name="augment",
            qualified_name="train:augment",
            sha256="2" * 64,
            path="functions/augment.py",
            source="def augment(x): ...\n",
        ),
        Committed(wall_time=next(times), step=5),
        Tags(wall_time=next(times), values={"note": "second"}),
        Ended(wall_time=next(times), status="FAILED"),
    ]
    return entries
