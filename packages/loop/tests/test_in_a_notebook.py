"""What a notebook shows of a pass; real ones are in tests/hosts."""

import torch

from treadle_loop import EpochResult


class Printer:
    """What IPython hands to an object that shows itself."""

    def __init__(self):
        self.shown = ""

    def text(self, text):
        self.shown += text


def test_a_result_is_its_line():
    """The last value of a cell is what a program would print."""
    printer = Printer()
    result = EpochResult("trained", 10, 10, 10, 0.52, torch.tensor(0.231), {}, {})
    result._repr_pretty_(printer, False)

    assert str(result) == printer.shown
