"""For scripts that have a `SummaryWriter`: one changed import.

```text
from treadle_tracking.compat import SummaryWriter  # was: from torch.utils.tensorboard import SummaryWriter
```
"""

from treadle_tracking.compat.writer import SummaryWriter

__all__ = ["SummaryWriter"]
