"""The help page and the schema say what the objects in lists and dicts have."""

from attrs import Factory, frozen


@frozen
class Part:
    size: int = 1
    """how large"""


@frozen
class Adam:
    lr: float = 1e-3


@frozen
class SGD:
    lr: float


@frozen
class Config:
    parts: list[Part] = Factory(list)
    named: dict[str, Adam | SGD] = Factory(dict)
    optim: Adam | SGD | None = Adam()
    table: dict[str, int] = Factory(lambda: {"a": 1})


def main(config: Config) -> None:
    """Do nothing."""


EVERYTHING = """\
usage: p [--SETTING VALUE ...] [--config FILE ...]

Do nothing.

  --parts list[Part]             = [] (default)
  each Part of --parts:
    --parts[0].size int          = 1 (default)  how large
  --named dict[str, Adam | SGD]  = {} (default)
  each Adam | SGD of --named:
    --named.KEY.type adam|sgd    required
    --named.KEY.lr float [adam]  = 0.001 (default)
    --named.KEY.lr float [sgd]   required
  --optim.type adam|sgd          = adam (default), null with --no-optim
  --optim.lr float               = 0.001 (default)
  with --optim.type sgd:
    --optim.lr float             required
  --table dict[str, int]         = {a: 1, b: 2} (default, cli --table.b)
  --config FILE                  read settings from this file; may be given again
  --print-config                 print the config and stop; =source, =provenance, =schema, =argv
  --help                         print this and stop; all: with what is not chosen and what lists and dicts hold
"""


def test_all_help_lists_what_items_have(stopped):
    """Below the list or the dict, by a flag that could be given."""
    actual = stopped(main, argv=["--help", "all", "--table.b", "2"], prog="p")

    assert (0, EVERYTHING, "") == actual


SCHEMA = """\
parts                list[Part]             []
parts[0].size        int                    1         how large
named                dict[str, Adam | SGD]  {}
named.KEY.type       adam|sgd               required
named.KEY.lr [adam]  float                  0.001
named.KEY.lr [sgd]   float                  required
optim.type           adam|sgd               adam
optim.lr [adam]      float                  0.001
optim.lr [sgd]       float                  required
table                dict[str, int]         {a: 1}
"""


def test_the_schema_lists_what_items_have(stopped):
    """Every path there is."""
    assert (0, SCHEMA, "") == stopped(main, argv=["--print-config=schema"], prog="p")


@frozen
class Tree:
    size: int = 1
    inside: list["Tree"] = Factory(list)


def test_a_class_that_holds_itself_is_cut_short(stopped):
    """It has no end."""

    def grow(config: Tree) -> None:
        """Do nothing."""

    actual = stopped(grow, argv=["--print-config=schema"], prog="p")

    assert (0, "size    int         1\ninside  list[Tree]  []\n", "") == actual
