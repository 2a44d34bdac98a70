"""What the mirrors of a run lack."""

from collections.abc import Iterator
from functools import partial

from treadle_tracking.doctor.examination import Run
from treadle_tracking.doctor.finding import Finding
from treadle_tracking.masking import HIDDEN
from treadle_tracking.mirrors.errors import MirrorStateDamaged
from treadle_tracking.mirrors.remainder import entries_left
from treadle_tracking.mirrors.state import load_every
from treadle_tracking.shell import forget_command, sync_command
from treadle_tracking.syncing import sync

__all__ = ["unsent_findings"]


def unsent_findings(run: Run) -> Iterator[Finding]:
    """What mirrors lack."""
    try:
        notes = load_every(run.directory)
    except MirrorStateDamaged as error:
        yield Finding(directory=run.directory, kind="mirror", sentence=str(error))
        return
    for sent in notes:
        left = entries_left(run.directory, sent.position)
        if left is None:
            continue
        have = "has" if left == "1 entry" else "have"
        sentence = f"{left} {have} not reached {sent.uri}"
        away = f"a mirror that is there by mistake is taken away with {forget_command(run.directory, sent.uri)}"
        if HIDDEN in sent.uri:
            command = sync_command(run.directory, to=sent.uri)
            yield Finding(
                directory=run.directory,
                kind="unsent",
                sentence=f"{sentence}, and its password is not kept: send them with {command}; {away}",
            )
        else:
            yield Finding(
                directory=run.directory,
                kind="unsent",
                sentence=sentence,
                remedy=f"they are sent; {away}",
                mend=partial(_send, run, sent.uri),
            )


def _send(run: Run, uri: str) -> str:
    sync(run.directory, to=uri, timeout=run.sync_timeout)
    return f"{uri} has everything"
