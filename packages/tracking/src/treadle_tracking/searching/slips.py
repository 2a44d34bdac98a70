"""What a message says of a text that is no sentence: what was found, what was expected, and what may have been meant."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from attrs import frozen

from treadle_tracking.errors import _cut
from treadle_tracking.searching.fields import KINDS
from treadle_tracking.searching.misread import Misread
from treadle_tracking.searching.place import Place

__all__ = ["Situation", "misread"]

_Token: TypeAlias = tuple[str, str, int]  # the grammar's name, as it was written, where

# Of other languages, the longer ones first.
_FOREIGN: Mapping[str, str] = {
    "===": "=",
    "!==": "!=",
    "=>": ">=",
    "=<": "<=",
    "<>": "!=",
    "=~": "like",
    "=!": "!=",
    "&&": "and",
    "||": "or",
    "&": "and",
    "|": "or",
    "!": "not",
    "~": "like",
}
_VALUES = frozenset({"NUMBER", "TEXT", "TRUE", "FALSE"})
_FIELD = frozenset(
    {"WORD", "NAME", "_DOT", "BACKTICKED", "TEXT", "_BRACKET", "_CLOSE_BRACKET", "SUFFIX"}
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2}([T ][0-9:.]+)?)?")
# By what the grammar allows; the first that it does is said.
_EXPECTED: Mapping[str, str] = {
    "NUMBER": "a number, a text in quotes, true or false",
    "COMPARISON": "a comparison: =, !=, <, <=, >, >=, in, like, ilike, between or is null",
    "ASC": "asc, desc, a comma or the end",
    "WORD": "a condition, such as params.lr > 0.1",
    "LIKE": "in, like, ilike or between",
    "NULL": "null or nan",
    "TEXT": "a text in quotes",
    "_CLOSE_BRACKET": "]",
    "_COMMA": "a comma or )",
    "_OPEN": "values in parentheses, such as (1, 2)",
    "_CLOSE": "and, or, or )",
    "$END": "and, or, or the end",
    "_AND": "and, as in between 1 and 2",
}


@frozen
class Situation:
    """Where the reading of a text came to an end.

    Attributes:
        is_order: Whether it is an order that is read.
        text: All of it.
        offset: Where.
        terminal: The grammar's name of what was found: `$END` at the end, nothing for what begins no word.
        source: What was found.
        before: What was read.
        opened: Where the parentheses are that are open.
        accepts: The grammar's names of what may come.
    """

    is_order: bool
    text: str
    offset: int
    terminal: str
    source: str
    before: Sequence[_Token]
    opened: Sequence[int]
    accepts: frozenset[str]

    @property
    def rest(self) -> str:
        """The text from here on."""
        return self.text[self.offset :]

    @property
    def last(self) -> str:
        """The grammar's name of what was read last."""
        return self.before[-1][0] if self.before else ""

    @property
    def field(self) -> str:
        """The field that was read last, as it was written; one for an example where there is none."""
        words = [at for at, one in enumerate(self.before) if one[0] == "WORD"]
        if not words:
            return "params.lr"
        end = words[-1]
        while end + 1 < len(self.before) and self.before[end + 1][0] in _FIELD:
            end += 1
        _, source, offset = self.before[end]
        return _cut(self.text[self.before[words[-1]][2] : offset + len(source)])


def misread(at: Situation) -> Misread:
    """What to say of it, and where."""
    found = _foreign(at)
    if found is not None:
        return found
    if at.terminal:
        found_there = "it ends here" if at.terminal == "$END" else f"found {_cut(at.source)!r}"
        advice = _advice(at)
    else:
        found_there, advice = _no_word(at)
    return Misread(at.offset, f"{found_there}; expected {_expected(at)}{advice and f'. {advice}'}")


def _expected(at: Situation) -> str:
    if at.is_order and "WORD" in at.accepts:
        return "a field, such as metrics.loss or params.lr"
    if at.is_order and at.last in {"ASC", "DESC"}:
        return "a comma or the end"
    if at.last in {"_BRACKET", "_DOT"}:
        return "a name in quotes"
    return next(words for name, words in _EXPECTED.items() if name in at.accepts)


def _foreign(at: Situation) -> Misread | None:
    """What has a meaning elsewhere."""
    begins = [at.offset]
    if at.before:
        name, source, offset = at.before[-1]
        if name == "COMPARISON" and offset + len(source) == at.offset:
            begins.insert(0, offset)
    for begin in begins:
        for sign, ours in _FOREIGN.items():
            if sign == "!" and "WORD" not in at.accepts:
                continue
            if at.text.startswith(sign, begin) and begin + len(sign) > at.offset:
                return Misread(begin, f"{sign!r} is written {ours}")
    return None


def _no_word(at: Situation) -> tuple[str, str]:
    character = at.rest[0]
    if character in "'\"`":
        return f"the {character} is not closed", _doubled(character)
    if unicodedata.category(character) in {"Pi", "Pf"} or character in "\u201e\u201a\u00b4":
        return f"found {character!r}", "Quotes are ' and \""
    if at.is_order and character == "-" and "WORD" in at.accepts:
        return "found '-'", "Write desc behind the field for the greatest first"
    wrong = re.match(r"[+-]?\.?[0-9][\w.]*", at.rest)
    if wrong:
        return f"{_cut(wrong[0])!r} is no number", ""
    if character == ".":
        return (
            "found '.'",
            "A name follows its dot at once; one with other characters is in quotes: params['any name']",
        )
    if at.last == "NAME":
        return f"found {character!r}", _quoted(at)
    return f"found {character!r}", ""


def _doubled(quote: str) -> str:
    return f"Within {quote}…{quote} a {quote} is written twice"


def _quoted(at: Situation) -> str:
    """Advice on a name that goes on with something that needs quotes."""
    kind, _, name = at.field.partition(".")
    begun = at.before[-1][2] + len(at.before[-1][1]) == at.offset
    more = re.match(r"[^\s=<>!,()\[\]'\"`]+", at.rest) if begun else None
    whole = _cut(f"{name}{more[0] if more else ''}")
    return f"A name with other characters is in quotes: {kind}['{whole}']" if more else ""


def _advice(at: Situation) -> str:
    """What may have been meant by a word that cannot be here."""
    accepts = at.accepts
    if at.last == "TEXT" and at.before[-1][2] + len(at.before[-1][1]) == at.offset:
        return _doubled(at.before[-1][1][0]) if at.terminal != "$END" else _on_end(at)
    if at.is_order:
        return _on_order(at)
    if "NUMBER" in accepts:
        return _on_value(at)
    if "NULL" in accepts:
        return _on_presence(at)
    if "COMPARISON" in accepts:
        return _on_comparison(at)
    if "WORD" in accepts:
        return _on_condition(at)
    if "LIKE" in accepts:
        return "Write !=" if at.terminal == "COMPARISON" else ""
    if "_AND" in accepts or "_COMMA" in accepts:
        return _on_end(at)
    if accepts == {"TEXT"} and at.terminal == "WORD":
        return f"Write '{_cut(at.source)}'"
    return ""


def _on_order(at: Situation) -> str:
    word = at.source.lower()
    if at.terminal == "WORD" and word.startswith(("asc", "desc")):
        return f"Write {'asc' if word.startswith('a') else 'desc'}"
    return ""


def _on_value(at: Situation) -> str:
    compared = at.last == "COMPARISON"
    is_not = "is not" if compared and at.before[-1][1] == "!=" else "is"
    if at.terminal == "NULL" or (at.terminal == "WORD" and at.source.lower() == "none"):
        return f"Write {at.field} {is_not} null" if compared else f"Write … or {at.field} is null"
    if at.terminal == "NAN":
        return f"Nothing is equal to NaN: write {at.field} {is_not} nan"
    if at.terminal == "BACKTICKED":
        return "A text is in ' or in \", a name in backticks"
    if at.terminal == "WORD":
        if at.source.lower() in KINDS and at.rest[len(at.source) :].lstrip()[:1] in {".", "["}:
            return "A field is compared with a value, and not with another field"
        return f"A text is in quotes: '{_cut(at.source)}'"
    return "The parentheses are empty" if at.terminal == "_CLOSE" and at.last == "_OPEN" else ""


def _on_presence(at: Situation) -> str:
    sign = "!=" if at.last == "NOT" else "="
    if at.terminal in _VALUES:
        return f"Write {at.field} {sign} {_cut(at.source)}"
    if at.terminal == "WORD" and at.source.lower() in {"none", "missing", "empty"}:
        return f"Write {at.field} is{' not' if at.last == 'NOT' else ''} null"
    return f"Write {at.field} {sign} '{_cut(at.source)}'" if at.terminal == "WORD" else ""


def _on_comparison(at: Situation) -> str:
    if at.terminal == "_OPEN" and at.last == "WORD":
        return "There are no functions; the least and the greatest of a metric are metrics.loss.min and .max"
    if at.terminal == "_BRACKET" and at.last == "_CLOSE_BRACKET":
        return "Of a nested parameter the whole name is in the quotes: params['optim.lr']"
    is_param = at.field.lower().startswith("param")
    if is_param and at.terminal in {"$END", "_AND", "_OR", "_CLOSE"}:
        return f"Of true or false, write {at.field} = true"
    return ""


def _on_condition(at: Situation) -> str:
    if at.terminal in {"TEXT", "BACKTICKED"}:
        return "A name in quotes stands behind its kind, as in params['any name']"
    if at.terminal in _VALUES:
        return "The field comes first, as in params.lr > 0.1"
    return "The parentheses are empty" if at.terminal == "_CLOSE" and at.last == "_OPEN" else ""


def _on_end(at: Situation) -> str:
    if at.terminal == "$END" and at.opened:
        return f"The parenthesis at {Place('', at.text, at.opened[-1])} is not closed"
    if at.terminal == "_CLOSE":
        return "There is no ( for it"
    if at.terminal == "COMPARISON":
        return "Join two conditions with and, or write between"
    if at.last == "NUMBER":
        date = _DATE.match(at.text, at.before[-1][2])
        if date and date.end() > at.offset:
            return f"A time is in quotes: '{date[0]}'"
    if at.terminal in {"ASC", "DESC"} or at.source.lower() in {"order", "limit"}:
        return "What comes first, and how many, are arguments of their own"
    joined = {"WORD", "NOT", "_OPEN", "_COMMA"}
    return "Join two conditions with and, or with or" if at.terminal in joined else ""
