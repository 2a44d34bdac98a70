"""What a trial of Ray Tune is, seen from inside."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

from treadle.errors import MissingExtra, NotInTrial

__all__ = ["CLOSING_SECONDS", "is_in_trial", "outlasting_ray", "timings", "trial_context"]

CLOSING_SECONDS = 20.0  # for mirrors, when a trial is stopped; what they lack then is sent at the end of the sweep

_TUNE = "ray.tune.trainable.trainable_fn_utils"


def trial_context() -> Any:
    """What Ray knows of the trial that this is.

    Raises:
        NotInTrial: It is none.
        MissingExtra: Ray is not installed.
    """
    try:
        from ray import tune
    except ImportError:
        raise MissingExtra("a trial of Ray Tune", "ray") from None
    if not is_in_trial():
        raise NotInTrial(
            "a trial's run can only start in a trial: call this in the function given to ray.tune.Tuner"
        )
    return tune.get_context()


def is_in_trial() -> bool:
    """Whether this is one."""
    # Whoever is in a trial has Ray loaded. What is public complains to those who are not in one.
    tune = sys.modules.get(_TUNE)
    return tune is not None and bool(tune._in_tune_session())  # noqa: SLF001


@contextmanager
def outlasting_ray() -> Iterator[None]:
    """See to it that the block is over before the process is.

    Tune stops a trial by an exit in its thread, does not wait for that, and then ends the process within a tenth of a
    second.
    """
    session = sys.modules[_TUNE].get_session()
    finish, over = session.finish, Event()

    def finish_and_wait(timeout: float | None = None) -> Any:
        try:
            return finish(timeout=timeout)
        finally:
            over.wait(CLOSING_SECONDS + 5)

    session.finish = finish_and_wait
    try:
        yield
    finally:
        over.set()
        session.finish = finish


def timings(seconds: float, reports: int) -> dict[str, str]:
    """Ray's own numbers, as tags.

    Args:
        seconds: Since the trial began.
        reports: How many there were.
    """
    import ray

    return {
        "ray.time_total_s": f"{seconds:.3f}",
        "ray.training_iteration": str(reports),
        "ray.node_ip": ray.util.get_node_ip_address(),
        "ray.pid": str(os.getpid()),
    }
