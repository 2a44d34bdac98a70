"""The runtimes: how the engine talks to one process, or to several that train together.

They are named after what they run on: `runtimes.torch()`, `runtimes.ddp()`, `runtimes.fsdp2()`; or
after the framework that hosts the loop: `runtimes.fabric(fabric)`,
`runtimes.accelerate(accelerator)`.
"""

from treadle_loop.runtimes.accelerate import AccelerateRuntime as accelerate  # noqa: N813
from treadle_loop.runtimes.distributed import DDPRuntime as ddp  # noqa: N813
from treadle_loop.runtimes.distributed import FSDP2Runtime as fsdp2  # noqa: N813
from treadle_loop.runtimes.fabric import FabricRuntime as fabric  # noqa: N813
from treadle_loop.runtimes.plain import PlainRuntime as torch  # noqa: N813

__all__ = ["accelerate", "ddp", "fabric", "fsdp2", "torch"]
