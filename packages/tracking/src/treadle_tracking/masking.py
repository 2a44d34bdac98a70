"""Addresses as they may be shown and kept: without the user, the password and the tokens that are in them."""

import re
from urllib.parse import unquote

__all__ = ["HIDDEN", "masked", "to_be_filled_in"]

HIDDEN = "***"

# As those read it who connect: up to the last `@` before a slash; SQLAlchemy takes a slash for a part of a password.
_USER_INFO = re.compile(
    r"(?:(?<=[^/]//)|(?<=\A//))(?:[^/\s]+|(?<!http://)(?<!https://)[^/:@\s]*:[^@\s]*)(?=@)"
    # With a slash too few.
    r"|(?:(?<=http:/)|(?<=https:/))(?!/)[^/\s]+(?=@)"
    r"|(?<=:/)(?!/)[^/:@\s]+:[^/@\s]+(?=@)"
)
# What is behind a `#` is sent nowhere, but shown. Each is looked at, also within the value of another.
_PARAMETER = re.compile(r"[?&;#](?=([^?&;#=\s]+)=([^&\s]+))")
# What drivers of databases, servers and clouds call it; `odbc_connect` has the whole of a connection in it.
_SECRET_NAME = re.compile(
    r"passw|passphrase|pwd|token|secret|credential|signature|odbc_connect"
    r"|(?:api|access|account|shared)[-_]?key|(?:^|[-_])(?:pass|auth|authorization|sig|key)$"
)


def masked(uri: str) -> str:
    """`uri` with `***` for the user and password in it, and for each parameter after `?` or `#` that is a secret by its name."""
    spans = [match.span() for match in _USER_INFO.finditer(uri)]
    spans += [
        match.span(2)
        for match in _PARAMETER.finditer(uri)
        if _SECRET_NAME.search(unquote(match.group(1)).lower())
    ]
    shown, end = [], 0
    # One that overlaps another is hidden with it: whoever reads such an address in two ways is shown neither.
    for begin, after in sorted(spans):
        if begin >= end:
            shown += [uri[end:begin], HIDDEN]
        end = max(end, after)
    return "".join([*shown, uri[end:]])


def to_be_filled_in(shown: str) -> str:
    """What `masked` has shown, with words that say what belongs where it has hidden something."""
    return shown.replace(f"{HIDDEN}@", "USER:PASSWORD@").replace(HIDDEN, "SECRET")
