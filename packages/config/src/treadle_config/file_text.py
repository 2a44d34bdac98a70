"""The text that the bytes of a file are, if they are text."""

import codecs

from treadle_config.tree import Unreadable

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def text_of(data: bytes, *, utf_16: bool) -> str:
    """Decode UTF-8, whose mark at the beginning is skipped.

    Args:
        data: The file as it is.
        utf_16: Whether UTF-16 with a mark is read, too: YAML has it (1.2.2, section 5.2), JSON
            (RFC 8259, section 8.1) and TOML (1.0.0, "Spec") have not.

    Raises:
        Unreadable: It is binary, or in another encoding.
    """
    marked = data.startswith(_UTF_16)
    if marked and not utf_16:
        raise Unreadable("save it as UTF-8", 1, got="UTF-16", expected="UTF-8 text")
    try:
        text = data.decode("utf-16") if marked else data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        if marked:
            got, expected = "bytes that are not", "UTF-16 text"
            raise Unreadable("save it as UTF-8", got=got, expected=expected) from None
        raise Unreadable(
            "it is binary, or in another encoding: save it as UTF-8",
            error.object.count(b"\n", 0, error.start) + 1,
            got=f"the byte 0x{error.object[error.start]:02x}",
            expected="UTF-8 text",
        ) from None
    if "\0" in text:
        raise Unreadable(
            "it is binary, or UTF-16 or UTF-32 without a mark: save it as UTF-8",
            text.count("\n", 0, text.index("\0")) + 1,
            got="a NUL character",
            expected="text",
        )
    return text
