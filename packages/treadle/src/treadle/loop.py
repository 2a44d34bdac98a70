"""`treadle_loop` by another name: `from treadle.loop import …` is what `from treadle_loop import …` is."""

import sys
from typing import TYPE_CHECKING

import treadle_loop

if TYPE_CHECKING:
    from treadle_loop import *  # noqa: F403  # whatever it has

sys.modules[__name__] = treadle_loop
