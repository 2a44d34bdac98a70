"""What a notebook shows of a config; real ones are in tests/hosts."""

import builtins
import sys
from types import SimpleNamespace

from attrs import frozen

from treadle_config import resolve


@frozen
class Config:
    lr: float = 0.1
    width: int = 8


class Printer:
    """What IPython hands to an object that shows itself."""

    def __init__(self):
        self.shown = ""

    def text(self, text):
        self.shown += text


def test_a_resolution_explains_itself():
    """The last value of a cell is shown with its sources, without a line too many."""
    printer = Printer()
    resolution = resolve(Config, argv=["--lr", "0.2"])
    resolution._repr_pretty_(printer, False)

    assert resolution.explain() == f"{printer.shown}\n"


def test_a_cell_is_named_as_the_notebook_names_it(monkeypatch):
    """Its file is called by a hash, which nobody has seen; other files keep their names."""
    shell = SimpleNamespace(
        compile=SimpleNamespace(
            format_code_name={__file__: ("Cell", "In[3]"), "other.py": None}.get
        )
    )
    monkeypatch.setattr(builtins, "get_ipython", lambda: shell, raising=False)
    line = sys._getframe().f_lineno + 1
    here = resolve(Config, {"lr": 0.2}).source("lr")
    names = {"resolve": resolve, "Config": Config}
    exec(compile("source = resolve(Config, {'lr': 0.2}).source('lr')", "other.py", "exec"), names)

    assert (f"code In[3]:{line}", "code other.py:1") == (str(here), str(names["source"]))


def test_a_shell_that_names_no_cells_is_no_matter(monkeypatch):
    """Where IPython is another one, the file has its name."""
    monkeypatch.setattr(builtins, "get_ipython", object, raising=False)
    line = sys._getframe().f_lineno + 1
    here = resolve(Config, {"lr": 0.2}).source("lr")

    assert f"code test_in_a_notebook.py:{line}" == str(here)
