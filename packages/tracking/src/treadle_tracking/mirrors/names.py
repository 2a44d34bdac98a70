"""Names that another store refuses, spelled in the characters that it takes, each name in a spelling of its own.

A character that is refused becomes `_xHHHH_`, its code point in four to six hexadecimal digits, the way Office Open XML
spells them (ECMA-376, part 1, 22.9.2.19): `lr@0` is `lr_x0040_0`. An underscore that would read as the start of such an
escape is escaped itself, so that different names stay different, and `unescape` gives the name back.
"""

import re
from hashlib import sha256
from typing import TypeAlias

__all__ = ["escape_artifact", "escape_file", "escape_key", "escape_tag", "is_shortened", "unescape"]

_EMPTY = "_xEMPTY_"
_SHORTENED = "_xSHA256_"
_DIGEST_LENGTH = 32  # hexadecimal digits: 128 bits
_LOOKS_ESCAPED = re.compile(r"_(?=x(?:[0-9A-F]{4}|EMPTY_|SHA256_))")
# The same text of a user's own has its underscore escaped, and that escape ends in an underscore as well.
_IS_SHORTENED = re.compile(rf"(?<!_x005F){_SHORTENED}[0-9a-f]{{{_DIGEST_LENGTH}}}\Z")
# Half an escape, and a slash, which would end a part of a path.
_AT_THE_CUT = re.compile(r"(?:_x?[0-9A-F]*|/)\Z")
_ESCAPE = re.compile(r"_x((?:10|[1-9A-F])?[0-9A-F]{4})_")
# A slash at either end or beside another, and `.` or `..` as a whole part: a path would lose them or climb. MLflow
# refuses two dots at the start too, whatever follows.
_NO_PART = re.compile(r"^/|/$|(?<=/)/|^\.(?=\.)|(?:^|(?<=/))\.(?=\.?(?:/|$))")

_Refused: TypeAlias = "re.Pattern[str]"
# Metrics, parameters and tags: `mlflow.utils.validation.validate_param_and_metric_name`.
_IN_KEY = re.compile(r"[^/\w.\- :]")
# Tags of the user's own: those that begin with `treadle.` are ours, and three are what MLflow knows its runs by.
_IN_TAG = re.compile(
    _IN_KEY.pattern + r"|\At(?=readle\.)|\Am(?=lflow\.(?:runName|loggedImages|loggedArtifacts)\Z)"
)
# Files whose names are made here: what the step slider of MLflow's pages can read back.
_IN_FILE = re.compile(r"[^a-zA-Z0-9_\-./ ]")
# Files of the user's own, kept as they are wherever MLflow's server can give them back, and where nothing of ours is.
_IN_ARTIFACT = re.compile(
    r"[\x00-\x1f\x7f#%:;?\\\ud800-\udfff]"
    r"|\At(?=exts(?:/|\Z))|\Ah(?=istograms(?:/|\Z))|\Ap(?=arams\.json(?:/|\Z))|\Ai(?=mages\Z)"
)


def _spelled(match: "re.Match[str]") -> str:
    return f"_x{ord(match.group()):04X}_"


def _character(match: "re.Match[str]") -> str:
    return chr(int(match.group(1), 16))


def _escape(name: str, refused: _Refused, limit: int) -> str:
    if not name:
        return _EMPTY
    escaped = _LOOKS_ESCAPED.sub(_spelled, name)
    escaped = refused.sub(_spelled, escaped)
    escaped = _NO_PART.sub(_spelled, escaped)
    if len(escaped) <= limit:
        return escaped
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
    kept = limit - len(_SHORTENED) - _DIGEST_LENGTH
    return f"{_AT_THE_CUT.sub('', escaped[:kept])}{_SHORTENED}{digest}"


def escape_key(name: str) -> str:
    """`name` as a key of a metric, a parameter or a tag: Unicode letters, digits and `_ - . : / space` stay.

    At most 250 characters: beyond that it ends in a digest of the whole and is `is_shortened`.
    """
    return _escape(name, _IN_KEY, 250)


def escape_tag(name: str) -> str:
    """`name` as the key of a tag of the user's own, likewise."""
    return _escape(name, _IN_TAG, 250)


def escape_file(name: str, limit: int = 120) -> str:
    """`name` as (part of) a file's path in at most `limit` ASCII letters, digits and `_ - . / space`."""
    return _escape(name, _IN_FILE, limit)


def escape_artifact(path: str) -> str:
    """`path` with only what would keep MLflow's server from giving the file back escaped, or take the place of ours."""
    return _escape(path, _IN_ARTIFACT, 1000)


def is_shortened(escaped: str) -> bool:
    """Whether the name was too long, so that `escaped` cannot be turned back."""
    return _IS_SHORTENED.search(escaped) is not None


def unescape(escaped: str) -> str:
    """The name that was escaped; one that `is_shortened` stays as it is."""
    if escaped == _EMPTY:
        return ""
    if is_shortened(escaped):
        return escaped
    return _ESCAPE.sub(_character, escaped)
