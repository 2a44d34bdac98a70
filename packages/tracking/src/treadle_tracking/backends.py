"""Kinds of places that a run can be sent to, each known by the scheme of its targets.

Another package adds one by an entry point: in the group `treadle_tracking.backends`, its name is the scheme, and its
object a module, or anything else, with the functions of `Backend`.
"""

from collections import defaultdict
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

from treadle_tracking.errors import TrackingError, seen
from treadle_tracking.masking import masked
from treadle_tracking.mirrors.base import Mirror

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

    from treadle_tracking.reading.reader import Reader

__all__ = [
    "Backend",
    "BackendClash",
    "BackendNotLoaded",
    "BackendUnfit",
    "BackendWithoutMirror",
    "BackendWithoutReader",
    "installed_schemes",
    "is_known",
    "mirror",
    "normalized",
    "reader",
]

_GROUP = "treadle_tracking.backends"
_DIRECTORY = "tensorboard"  # the run directory itself
# Known without a look at what is installed, which takes 50 ms.
_OWN = {"mlflow": "treadle_tracking.mirrors.mlflow_backend"}


class Backend(Protocol):
    """What an entry point of the group `treadle_tracking.backends` names: a module will do. Either function may be missing.

    It may also have a function `normalized(address: str) -> str`. That gives the address as it means the same from
    every directory and at every time, and raises where it can be none; it is called before `mirror`, with what the
    user has written. Without one, addresses are taken as they are.
    """

    def mirror(self, address: str) -> Mirror:
        """The mirror at this address, which is what follows the scheme and its colon.

        May look at the machine, to say what is missing there, and asks nothing of a network.
        """

    def reader(self, address: str) -> "Reader":
        """What reads the runs at this address. May ask the place whether it is there, and changes nothing.

        A place that has some parameters as texts alone may take `infer_types: bool = False` too, as in `open_runs`.
        """


class BackendClash(TrackingError):
    """Several installed packages have a backend of one scheme."""

    def __init__(self, scheme: str, origins: list[str]) -> None:
        super().__init__(
            f"{len(origins)} installed packages have a backend of '{scheme}:': {', '.join(origins)}. "
            f"Uninstall all but one of them"
        )
        self.scheme = scheme


class BackendNotLoaded(TrackingError):
    """The backend that an installed package promises cannot be imported."""

    def __init__(self, scheme: str, origin: str, error: Exception) -> None:
        super().__init__(
            f"the backend of '{scheme}:', {origin}, cannot be imported ({type(error).__name__}: {error}). "
            f"Update that package, or install what it lacks"
        )
        self.scheme = scheme


class BackendWithoutMirror(TrackingError):
    """Runs cannot be sent to a place of this kind."""

    def __init__(self, target: str, origin: str) -> None:
        super().__init__(
            f"target {target!r} cannot be sent a run: the backend of '{target.partition(':')[0]}:', {origin}, has no "
            f"function `mirror`"
        )


class BackendWithoutReader(TrackingError):
    """Runs cannot be read at a place of this kind."""

    def __init__(self, target: str, origin: str) -> None:
        super().__init__(
            f"runs cannot be read from {target!r}: the backend of '{target.partition(':')[0]}:', {origin}, has no "
            f"function `reader`"
        )


class BackendUnfit(TrackingError):
    """What a backend has made is no mirror or reader, or one that cannot be found again."""

    def __init__(self, scheme: str, origin: str, problem: str, suite: str) -> None:
        super().__init__(
            f"the backend of '{scheme}:', {origin}, {problem}. Whoever wrote it finds that out with "
            f"treadle_tracking.testing.{suite}"
        )
        self.scheme = scheme


@frozen
class _Found:
    backend: Any
    origin: str  # for messages: the object, and the package that it is from


def _installed() -> "dict[str, list[EntryPoint]]":
    """The entry points of other packages by scheme."""
    from importlib.metadata import entry_points

    found = defaultdict(list)
    for entry_point in entry_points(group=_GROUP):
        if entry_point.name != _DIRECTORY and entry_point.name not in _OWN:
            found[entry_point.name].append(entry_point)
    return found


def _origin(entry_point: "EntryPoint") -> str:
    package = entry_point.dist
    return (
        f"{entry_point.value} of {package.name} {package.version}" if package else entry_point.value
    )


def installed_schemes() -> list[str]:
    """The schemes that other packages have a backend of, sorted."""
    return sorted(_installed())


def is_known(scheme: str) -> bool:
    """Whether a target can begin with this scheme. Only one that is not ours takes a look at what is installed."""
    return scheme == _DIRECTORY or scheme in _OWN or scheme in _installed()


def _find(scheme: str) -> _Found:
    own = _OWN.get(scheme)
    if own is not None:
        return _Found(import_module(own), own)
    claims = _installed()[scheme]
    origins = [_origin(claim) for claim in claims]
    if len(claims) > 1:
        raise BackendClash(scheme, sorted(origins))
    try:
        return _Found(claims[0].load(), origins[0])
    except Exception as error:
        raise BackendNotLoaded(scheme, origins[0], error) from error


def normalized(target: str) -> str:
    """A target of a known scheme as it means the same from every directory, if its backend makes it so.

    Raises:
        BackendClash: several packages have a backend of the scheme.
        BackendNotLoaded: the backend cannot be imported.
        InvalidTarget: the address is none, or whatever else the backend says of it.
    """
    scheme, _, address = target.partition(":")
    normalize = getattr(_find(scheme).backend, "normalized", None)
    return target if normalize is None else f"{scheme}:{normalize(address)}"


def mirror(target: str) -> Mirror:
    """The mirror that a normalized target names.

    Args:
        target: A scheme that is known and no `tensorboard`, a colon, and an address, secrets and all.

    Raises:
        BackendClash: several packages have a backend of the scheme.
        BackendNotLoaded: the backend cannot be imported.
        BackendWithoutMirror: runs cannot be sent there.
        BackendUnfit: what the backend has made is no mirror, or its `uri` cannot be kept in the run directory.
        TrackingError: whatever else the backend says of the address, or of what it needs.
    """
    scheme, _, address = target.partition(":")
    found = _find(scheme)
    make = getattr(found.backend, "mirror", None)
    if not callable(make):
        raise BackendWithoutMirror(masked(target), found.origin)
    made = make(address)
    if not isinstance(made, Mirror):
        problem = f"has made {masked(seen(made))}, which is no mirror"
        raise BackendUnfit(scheme, found.origin, problem, "MirrorConformance")
    if flaw := _flaw("a mirror whose uri", made.uri, target):
        raise BackendUnfit(scheme, found.origin, flaw, "MirrorConformance")
    return made


def reader(target: str, *, infer_types: bool = False) -> "Reader":
    """What reads the runs at a normalized target.

    Args:
        target: As for `mirror`.
        infer_types: What a backend is told whose function `reader` takes it, and no other.

    Raises:
        BackendClash: several packages have a backend of the scheme.
        BackendNotLoaded: the backend cannot be imported.
        BackendWithoutReader: runs cannot be read there.
        BackendUnfit: what the backend has made is no reader, or its `target` is none.
        TrackingError: whatever else the backend says of the address, or of what it needs.
    """
    from treadle_tracking.reading.reader import Reader

    scheme, _, address = target.partition(":")
    found = _find(scheme)
    make = getattr(found.backend, "reader", None)
    if not callable(make):
        raise BackendWithoutReader(masked(target), found.origin)
    made = make(address, **({"infer_types": True} if infer_types and _takes_types(make) else {}))
    if not isinstance(made, Reader):
        problem = f"has made {masked(seen(made))}, which is no reader"
        raise BackendUnfit(scheme, found.origin, problem, "ReaderConformance")
    if flaw := _flaw("a reader whose target", made.target, target):
        raise BackendUnfit(scheme, found.origin, flaw, "ReaderConformance")
    return made


def _takes_types(make: "Callable[..., object]") -> bool:
    """Whether a function `reader` knows of parameters that are texts alone."""
    from inspect import signature

    try:
        return "infer_types" in signature(make).parameters
    except (TypeError, ValueError):
        return False


def _flaw(what: str, name: str, target: str) -> str | None:
    """Why this cannot be the name of what was made of `target`."""
    scheme = target.partition(":")[0]
    if not name.startswith(f"{scheme}:"):
        return f"has made {what} does not begin with '{scheme}:'"
    if name != masked(name):
        return f"has made {what} shows a secret of {masked(target)!r}"
    return None
