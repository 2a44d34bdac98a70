"""What every mirror has to stand: a suite for the tests of whoever writes one. It needs pytest and hypothesis.

```text
class TestShelf(MirrorConformance):
    def make(self): ...
    def stored(self): ...
    def broken(self): ...
```
"""

from treadle_tracking.testing.conformance import MirrorConformance
from treadle_tracking.testing.stored import StoredRun

__all__ = ["MirrorConformance", "StoredRun"]
