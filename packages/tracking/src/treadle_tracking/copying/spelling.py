"""Whether two targets are one place, spelled in two ways."""

import os
import re
from urllib.parse import urlsplit

__all__ = ["is_same_place"]

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_PORTS = {"http": 80, "https": 443}
_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///(.*?)(?:\?.*)?\Z", re.DOTALL)


def is_same_place(one: str, other: str) -> bool:
    """Whether these targets, whole and absolute, lead to one place, as far as the addresses say; of directories, also
    whether one is within the other.

    What it does not see, as that a server keeps its runs in the database that the other names, does no harm: runs are
    known by their uids there, and nothing is sent to where it is.
    """
    scheme, _, address = one.partition(":")
    other_scheme, _, other_address = other.partition(":")
    if scheme != other_scheme:
        return False
    if scheme == "tensorboard":
        paths = os.path.realpath(address), os.path.realpath(other_address)
        return os.path.commonpath(paths) in paths
    return _place(address) == _place(other_address)


def _place(address: str) -> object:
    matched = _SQLITE.match(address)
    if matched is not None:
        return os.path.realpath(matched.group(1))
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return address
    if parts.scheme not in _PORTS or host is None:
        return address.rstrip("/")
    if host in _LOOPBACK:
        host = "localhost"
    return parts.scheme, host, port or _PORTS[parts.scheme], parts.path.rstrip("/")
