"""Tables of answers: one line for each way to train, one column for each question."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

Answer = Callable[[], str]
"""One cell: does it, and says what came of it."""

NAMES = {
    "lightning": "Lightning",
    "accelerate": "Accelerate",
    "pytorch-ignite": "Ignite",
    "torchtnt": "torchtnt",
    "skorch": "skorch",
    "pytorch-accelerated": "pytorch-accelerated",
    "keras": "Keras on torch",
    "torchmetrics": "torchmetrics",
}
"""What a distribution is called."""


def versions() -> str:
    """Those of what is installed, in one line."""
    found = []
    for distribution, name in {"torch": "torch", **NAMES}.items():
        try:
            found.append(f"{name} {version(distribution)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join(found)


def answered(answer: Answer) -> str:
    """The answer, or what was raised instead."""
    try:
        return answer()
    except ImportError as error:
        return f"not installed ({error.name})"
    except Exception as error:  # noqa: BLE001 (whatever a framework raises is its answer)
        return error_line(error)


def error_line(error: BaseException) -> str:
    """Its class and the first line of what it says."""
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0]}" if said else type(error).__name__


def table(
    title: str,
    columns: Sequence[str],
    right: Sequence[str],
    rows: Mapping[str, Sequence[Answer]],
    *,
    ours: str = "treadle_loop",
) -> list[str]:
    """Print the answers, the right ones first; the names of the questions that ours got wrong."""
    lines = {"the right answer": list(right)}
    lines |= {name: [answered(answer) for answer in answers] for name, answers in rows.items()}
    widths = [
        max(len(columns[index]), *(len(cells[index]) for cells in lines.values())) + 3
        for index in range(len(columns))
    ]
    first = max(len(title), *(2 + len(name) for name in lines)) + 3
    print(f"\n{title:<{first}}{_padded(columns, widths)}".rstrip())
    for name, cells in lines.items():
        print(f"  {name:<{first - 2}}{_padded(cells, widths)}".rstrip(), flush=True)
    return [
        f"{title}: {column}"
        for column, wanted, got in zip(columns, right, lines[ours], strict=True)
        if wanted != got
    ]


def listed(title: str, questions: Sequence[str], rows: Mapping[str, Sequence[Answer]]) -> None:
    """Print answers that are long: each question with a line for each way to train."""
    print(f"\n{title}")
    for index, question in enumerate(questions):
        print(f"  {question}")
        for name, answers in rows.items():
            print(f"    {name:28}{answered(answers[index])}", flush=True)


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
