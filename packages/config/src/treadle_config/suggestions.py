"""The nearest valid name, for messages."""

from collections.abc import Iterable, Sized

_MOST = 20
"""Problems that are given a suggestion: it takes longer to find than all else about a problem, and
a file of another schema, with a hundred thousand keys, would be answered after half a minute."""


def may_suggest(problems: Sized) -> bool:
    """Whether a suggestion is worth its time, after so many problems."""
    return len(problems) < _MOST


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The one known name that is most like the given one, if any is alike.

    The cutoff is the least likeness, between 0 and 1, that counts as alike. Case says nothing
    where all else is the same.
    """
    names = list(known)
    if (same := next((one for one in names if one.lower() == name.lower()), None)) is not None:
        return same
    # Imported here: only a mistake needs it.
    from difflib import get_close_matches

    found = get_close_matches(name, names, n=1, cutoff=cutoff)
    return found[0] if found else None


def nearest_path(path: str, known: Iterable[str]) -> str | None:
    """The one known dotted path that was probably meant.

    First a like name beside it, then the right name at another level, then a like path, then a
    very like name at another level.
    """
    paths = list(known)
    parent, _, name = path.rpartition(".")
    beside = [one for one in paths if one.rpartition(".")[0] == parent]
    best = nearest(name, [one.rpartition(".")[2] for one in beside])
    if best is not None:
        return f"{parent}.{best}" if parent else best
    elsewhere = [one for one in paths if one.rpartition(".")[2] == name]
    if elsewhere:
        return min(elsewhere, key=lambda one: (one.count("."), one))
    if beside and parent:
        # The path down to the name is right, so the name is the mistake: neither what it lies
        # within nor what has just been found unlike it was meant.
        paths = [one for one in paths if one not in beside and not path.startswith(f"{one}.")]
    if (like := nearest(path, paths)) is not None or parent:
        return like
    ends = {one.rpartition(".")[2]: one for one in reversed(paths)}
    end = nearest(name, ends, cutoff=0.8)
    return None if end is None else ends[end]


def did_you_mean(best: str | None) -> str:
    """The suggestion as a question, or nothing."""
    return f"did you mean {best}?" if best else ""
