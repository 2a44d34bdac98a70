"""`treadle_config` by another name: `from treadle.config import …` is what `from treadle_config import …` is."""

import sys
from typing import TYPE_CHECKING

import treadle_config

if TYPE_CHECKING:
    from treadle_config import *  # noqa: F403  # whatever it has

sys.modules[__name__] = treadle_config
