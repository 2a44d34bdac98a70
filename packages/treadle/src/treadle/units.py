"""`treadle_units` by another name: `from treadle.units import …` is what `from treadle_units import …` is."""

import sys
from typing import TYPE_CHECKING

import treadle_units

if TYPE_CHECKING:
    from treadle_units import *  # noqa: F403  # whatever it has

sys.modules[__name__] = treadle_units
