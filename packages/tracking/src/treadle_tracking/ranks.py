"""Which of a training's processes this one is: the one that records has rank 0."""

import os
import sys
from operator import index

from treadle_tracking.errors import InvalidRank
from treadle_tracking.notices import say

__all__ = ["this_rank"]

# Of the launchers that say to every process which it is: torchrun, and those that do as it does.
_LAUNCHED = ("RANK", "WORLD_SIZE")
# Of what starts any program several times: the copies may be ranks of one training, or trainings of their own.
_STARTED = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    # Those of the step, which srun gives its tasks. SLURM_NTASKS is what the job asked for, and counts less.
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
)


def this_rank(rank: int | None = None) -> int:
    """The rank of this process, from 0.

    Where it is not given, it is, of these, the first that is there: what an initialised `torch.distributed` says;
    `RANK`, as torchrun sets it; `OMPI_COMM_WORLD_RANK`, `PMI_RANK` or `SLURM_PROCID`, as mpirun and srun set them; 0.

    A variable counts only together with the number of processes (`WORLD_SIZE`, …), and only if it is an integer below
    that: `RANK=16` alone may be anything, and to take it for a rank would record nothing. With one process the rank is
    0, as in the shell of an allocation and in a batch script outside of `srun`. Whoever is not rank 0 by a variable of
    mpirun's or srun's alone is told so on stderr, since `srun` may also have started as many trainings.

    Args:
        rank: The rank, where it is known.

    Raises:
        InvalidRank: `rank` is no integer from 0.
    """
    if rank is not None:
        try:
            given = index(rank)
        except TypeError:
            raise InvalidRank(rank) from None
        if given < 0 or isinstance(rank, bool):
            raise InvalidRank(rank)
        return given
    # Whoever has initialised it has imported it.
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_rank())
    found = _from_environment(*_LAUNCHED)
    if found is not None:
        return found
    for variable, size in _STARTED:
        found = _from_environment(variable, size)
        if found is not None:
            if found > 0:
                say(
                    f"this process is rank {found} of {os.environ[size]} by {variable}, and rank 0 records: nothing of "
                    f"this one is kept. If it is a separate training, say so: start_run(…, rank=0)"
                )
            return found
    return 0


def _from_environment(variable: str, size: str) -> int | None:
    """The rank that a variable says; None where it says none."""
    try:
        rank, ranks = int(os.environ[variable]), int(os.environ[size])
    except (KeyError, ValueError):
        return None
    return rank if 0 <= rank < ranks else None
