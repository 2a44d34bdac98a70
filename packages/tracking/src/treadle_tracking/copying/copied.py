"""What became of one run that was to be brought elsewhere."""

from typing import Literal, TypeAlias

from attrs import frozen

__all__ = ["Copied", "Outcome"]

Outcome: TypeAlias = Literal["copied", "completed", "there"]


@frozen(kw_only=True)
class Copied:
    """A run that is at the target."""

    uid: str
    name: str
    experiment: str  # at the target
    # "copied": it is new there. "completed": it was there, and has got what it lacked. "there": nothing had to be sent.
    outcome: Outcome
    identity: str  # what it is called there: the path of its directory, MLflow's id of it
    problems: tuple[
        str, ...
    ] = ()  # a sentence for each thing that is not there as it is at the source
