"""The grammar of filters and orders, and reading a text by it."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from treadle_tracking.searching.errors import (
    FilterTooDeep,
    FilterTooLong,
    InvalidFilter,
    InvalidOrder,
)
from treadle_tracking.searching.misread import Misread
from treadle_tracking.searching.place import Place
from treadle_tracking.searching.slips import Situation, misread

if TYPE_CHECKING:
    from lark import Lark, Token

__all__ = ["MOST_CHARACTERS", "MOST_PARENTHESES", "read"]

MOST_CHARACTERS = 10_000
# Within each other. A chain of `and`, `or` or `not` may be as long as the text.
MOST_PARENTHESES = 100

# A name's first dot is a part of it, so that what follows is a name and never a number or a word of the language.
_GRAMMAR = r"""
filter: disjunction?
?disjunction: conjunction (_OR conjunction)*
?conjunction: negation (_AND negation)*
?negation: primary | NOT+ primary -> inverse
?primary: condition | _OPEN disjunction _CLOSE
?condition: field COMPARISON literal -> comparison
  | field NOT? LIKE TEXT -> likeness
  | field NOT? _IN _OPEN literal (_COMMA literal)* _COMMA? _CLOSE -> membership
  | field NOT? _BETWEEN literal _AND literal -> between
  | field _IS NOT? (NULL | NAN) -> presence
literal: NUMBER | TEXT | TRUE | FALSE

order: ordering (_COMMA ordering)*
ordering: field (ASC | DESC)?

field: WORD
  | WORD NAME
  | WORD _DOT (BACKTICKED | TEXT) SUFFIX?
  | WORD _BRACKET TEXT _CLOSE_BRACKET SUFFIX?

SUFFIX.4: /(?<=[\]'"`])\.\w+/
NAME.4: /(?<=\w)\.\w[\w\/:-]*(?:\.[\w\/:-]+)*/
_DOT.4: /(?<=\w)\.(?=['"`])/
NUMBER.3: /[+-]?(?:inf(?:inity)?|(?:[0-9]+(?:_[0-9]+)*\.?(?:[0-9]+(?:_[0-9]+)*)?|(?<!\w)\.[0-9]+(?:_[0-9]+)*)(?:e[+-]?[0-9]+(?:_[0-9]+)*)?)(?![\w.])/i
_AND.2: /and\b/i
_OR.2: /or\b/i
NOT.2: /not\b/i
_IN.2: /in\b/i
LIKE.2: /i?like\b/i
_BETWEEN.2: /between\b/i
_IS.2: /is\b/i
NULL.2: /null\b/i
NAN.2: /nan\b/i
TRUE.2: /true\b/i
FALSE.2: /false\b/i
ASC.2: /asc\b/i
DESC.2: /desc\b/i
WORD: /[^\W\d]\w*/
COMPARISON: /==|!=|<=|>=|=|<|>/
TEXT: /'(?:[^']|'')*+'|"(?:[^"]|"")*+"/
BACKTICKED: /`(?:[^`]|``)*+`/
_OPEN: "("
_CLOSE: ")"
_BRACKET: "["
_CLOSE_BRACKET: "]"
_COMMA: ","
%ignore /\s+/
"""


@cache
def _parser() -> "Lark":
    # 20 ms, once a process.
    from lark import Lark

    from treadle_tracking.searching.building import Builder

    builder: Any = Builder()
    return Lark(
        _GRAMMAR,
        start=["filter", "order"],
        parser="lalr",
        lexer="basic",
        transformer=builder,
        maybe_placeholders=False,
    )


def read(text: str, sentence: Literal["filter", "order"], what: str) -> Any:
    """What `Builder` makes of `text`, which is a whole `sentence`; `what` is the argument's name, for messages.

    Raises:
        SearchError: it is none.
    """
    if len(text) > MOST_CHARACTERS:
        raise FilterTooLong(what, len(text), MOST_CHARACTERS)
    try:
        return _parsed(text, sentence)
    except Misread as found:
        error = found.error or (InvalidFilter if sentence == "filter" else InvalidOrder)
        raise error(Place(what, text, found.offset), found.problem) from None


def _parsed(text: str, sentence: str) -> Any:
    from lark import Token, UnexpectedCharacters, UnexpectedToken

    # Half of its methods have no types.
    parser: Any = _parser().parse_interactive(text, sentence)
    before: list[Token] = []
    opened: list[int] = []
    token = Token("$END", "", start_pos=len(text.rstrip()))
    try:
        for token in parser.lexer_thread.lex(parser.parser_state):
            parser.feed_token(token)
            before.append(token)
            if token.type == "_OPEN":
                opened.append(token.start_pos or 0)
                if len(opened) > MOST_PARENTHESES:
                    raise Misread(
                        opened[-1],
                        f"this one is in {MOST_PARENTHESES} others; expected {MOST_PARENTHESES} parentheses within each other "
                        f"at most. Leave out those that change nothing",
                        FilterTooDeep,
                    )
            elif token.type == "_CLOSE":
                opened.pop()
        token = Token("$END", "", start_pos=len(text.rstrip()))
        return parser.feed_eof(before[-1] if before else None)
    except UnexpectedCharacters as error:
        offset = error.pos_in_stream or 0
        token = Token("", text[offset], start_pos=offset)
    except UnexpectedToken:
        pass
    situation = Situation(
        is_order=sentence == "order",
        text=text,
        offset=token.start_pos or 0,
        terminal=token.type,
        source=str(token),
        before=[(one.type, str(one), one.start_pos or 0) for one in before],
        opened=opened,
        accepts=_accepted(before, sentence),
    )
    raise misread(situation)


def _accepted(tokens: "Sequence[Token]", sentence: str) -> frozenset[str]:
    """What may follow. The parser that failed has forgotten some of it before it noticed."""
    parser: Any = _parser().parse_interactive("", sentence)
    for token in tokens:
        parser.feed_token(token)
    return frozenset(parser.accepts())
