"""The same passes by frameworks, each in the way of its documentation.

Every function imports its framework, makes the model anew, and returns what trains it: from a
number of passes to the mean of the loss over the last of them.
"""

from collections.abc import Callable

import hosts
import trainers
from by_hand import Train
from tasks import Loader, Task

Make = Callable[[Task, Loader], Train]

RIVALS: dict[str, tuple[str, Make]] = {
    "Fabric": ("lightning", hosts.fabric),
    "Accelerate": ("accelerate", hosts.accelerate),
    "Ignite": ("pytorch-ignite", hosts.ignite),
    "skorch": ("skorch", trainers.skorch),
    "torchtnt, TrainUnit": ("torchtnt", hosts.torchtnt),
    "torchtnt, AutoUnit": ("torchtnt", hosts.torchtnt_auto),
    "pytorch-accelerated": ("pytorch-accelerated", trainers.pytorch_accelerated),
    "Lightning, without self.log": ("lightning", trainers.lightning_without_log),
    "Lightning": ("lightning", trainers.lightning),
    "Keras on torch": ("keras", trainers.keras),
}
"""By name: the distribution, and what makes its passes."""
