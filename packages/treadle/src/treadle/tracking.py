"""`treadle_tracking` by another name: `from treadle.tracking import …` is what `from treadle_tracking import …` is."""

import sys
from typing import TYPE_CHECKING

import treadle_tracking

if TYPE_CHECKING:
    from treadle_tracking import *  # noqa: F403  # whatever it has

sys.modules[__name__] = treadle_tracking
