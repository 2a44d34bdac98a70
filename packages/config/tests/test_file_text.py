"""Bytes that are text, and bytes that are not."""

import pytest

from treadle_config import load

BINARY = "it is binary, or in another encoding: save it as UTF-8"


NUL = "it is binary, or UTF-16 or UTF-32 without a mark: save it as UTF-8"


@pytest.mark.parametrize("name", ["a.json", "a.toml", "a.yaml"])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n\0", f"1: expected UTF-8 text, got the byte 0x89; {BINARY}"),
        (b"a\n\n# \xe9t\xe9", f"3: expected UTF-8 text, got the byte 0xe9; {BINARY}"),
        ("a\n".encode("utf-16-le"), f"1: expected text, got a NUL character; {NUL}"),
        (b"\x7fELF\n\0", f"2: expected text, got a NUL character; {NUL}"),
    ],
)
@pytest.mark.usefixtures("yaml")
def test_what_is_no_text_is_told_by_its_first_byte(schemas, name, data, expected, written, said):
    """The message is the same for every format, and names the line."""
    given_file = written(name, data)

    assert [f"file {name}:{expected}"] == said(load, schemas.Holder, given_file)


def test_utf_16_is_read_where_the_format_has_it(schemas, yaml, written, said):
    """YAML takes UTF-16 with a mark; JSON and TOML are UTF-8 by their specifications."""
    data = '{"a": 3}'.encode("utf-16")
    refused = [said(load, schemas.Holder, written(name, data)) for name in ("a.json", "a.toml")]
    cut = said(load, schemas.Holder, written("b.yaml", data[:-1]))

    assert (
        schemas.Holder(a=3),
        [
            [f"file {name}:1: expected UTF-8 text, got UTF-16; save it as UTF-8"]
            for name in ("a.json", "a.toml")
        ],
        ["file b.yaml: expected UTF-16 text, got bytes that are not; save it as UTF-8"],
    ) == (load(schemas.Holder, written("a.yaml", data)), refused, cut)


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", '{"a": 3}'), ("a.toml", "a = 3"), ("a.yaml", "a: 3")]
)
def test_a_mark_of_utf_8_is_skipped(schemas, name, text, yaml, written):
    """Editors of Windows write it at the beginning."""
    given_file = written(name, "\ufeff" + text)

    assert schemas.Holder(a=3) == load(schemas.Holder, given_file)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *[
            (name, text)
            for name in ("a.json", "a.toml", "a.yaml")
            for text in ("", "\n\n", "\ufeff")
        ],
        ("a.json", "null"),
        ("a.yaml", "null"),
        ("a.yaml", "# a comment"),
        ("a.yaml", "---\n"),
        ("a.toml", "# a comment"),
    ],
)
def test_an_empty_file_says_nothing(schemas, name, text, yaml, written):
    """All fields keep their defaults."""
    given_file = written(name, text)

    assert schemas.Holder() == load(schemas.Holder, given_file)
