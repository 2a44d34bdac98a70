"""What is told of mistakes in a secret, or beside one."""

import traceback

import pytest
from attrs import field, frozen

from treadle_config import (
    Codecs,
    ConfigError,
    layer,
    link,
    load,
    setting,
)

TEXT = "hunter2-correct horse"


PART = "hunter2"


MESSAGES = {
    "its type": (
        [{"api": {"token": TEXT, "pin": TEXT}}],
        [],
        ["api.pin (x): expected int | null, got ***"],
    ),
    "its validator": (
        [{"api": {"token": f"{TEXT} bad"}}],
        [],
        ["api.token (x): expected a value that its validator takes, got ***"],
    ),
    "an item": (
        [{"api": {"token": TEXT, "keys": [TEXT, 3]}}],
        [],
        ["api.keys[1] (x): expected str, got ***"],
    ),
    "a key": (
        [{"api": {"token": TEXT}, "extra": {PART: 3}}],
        [],
        ["extra.*** (x): expected str, got ***"],
    ),
    "a null": (
        [{"api": {"token": TEXT}, "extra": {PART: None}}],
        [],
        ["extra.*** (x): expected str, got ***"],
    ),
    "a mapping for a list": (
        [
            layer("first", {"accounts": {"token": TEXT}}, at="code", must_win=True),
            layer("x", {"api": {"token": "x"}, "accounts": PART}, at="code"),
        ],
        [],
        [
            "accounts (x): expected list[Account], got ***",
            (
                "accounts.*** (x): expected *** of first, which must win, got ***; "
                "remove one of the two"
            ),
        ],
    ),
    "brackets": (
        [{"api": {"token": [TEXT]}}],
        [],
        ["api.token (x): expected str, got ***"],
    ),
    "the object around it": (
        [{"api": f"token {TEXT}"}],
        [],
        ["api (x): expected Api, got ***"],
    ),
    "a name without a colon": (
        [{"api": {"token": "x", f"token {TEXT}": 3}}],
        [],
        ["api.token*** (x): expected a field of Api, got ***"],
    ),
    "a lone text": (
        [{"api": {"token": "x", TEXT: None}}],
        [],
        ["api.*** (x): expected a field of Api, got '***'"],
    ),
    "below it": (
        [{"api": {"token": "x"}, "login": {"usr": TEXT}}],
        [],
        ["login.*** (x): expected a field of Login, got ***; did you mean login.user?"],
    ),
    "a colon for an equals sign": (
        [{"api": {"token": "x"}}],
        [f"--api.token:{TEXT}"],
        ["api.token*** (cli --api.token***): expected the flag of a setting, got ***"],
    ),
    "a flag below it": (
        [],
        ["--api.token=x", f"--api.token.{TEXT}"],
        ["api.token*** (cli --api.token***): expected the flag of a setting, got ***"],
    ),
    "blanks without quotes": (
        [],
        ["--api.token", *TEXT.split()],
        ["cli argv[3]: expected a flag such as --name VALUE, got ***"],
    ),
    "dashes": (
        [{"api": {}}],
        ["--api.token", f"--{TEXT}", "--size=3"],
        [
            (
                "api.token (cli --api.token): expected str, got nothing; "
                "write --api.token=*** if that is the value"
            )
        ],
    ),
    "JSON": (
        [],
        ["--api.token=x", f"--api.keys:={TEXT}"],
        ["api.keys (cli --api.keys): expected JSON, got ***"],
    ),
    "a negation": (
        [],
        ["--api.token=x", f"--no-api.pin={TEXT}"],
        ["api.pin (cli --no-api.pin): expected no value after --no-..., got ***"],
    ),
    "what must win": (
        [layer("first", {"api": {"token": TEXT}}, at="code", must_win=True)],
        [f"--api.token={TEXT}!"],
        [
            (
                "api.token (cli --api.token): expected *** of first, which must win, got ***; "
                "remove one of the two"
            )
        ],
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_no_message_tells_a_secret(site, case, said):
    """What was seen is stars, and what might quote it is left out."""
    layers, argv, expected = MESSAGES[case]
    named = [layer("x", one, at="code") if isinstance(one, dict) else one for one in layers]

    assert expected == said(load, site.Config, *named, argv=argv)


def test_null_is_told(site, said):
    """It is nobody's secret, and what to do about it helps."""
    assert ["api.token (first): expected str, got null"] == said(
        load, site.Config, layer("first", {"api": {"token": None}}, at="file")
    )


def test_messages_of_others_are_searched_for_secrets(said):
    """Of links and of `__attrs_post_init__`, which may read a secret and quote it."""

    @frozen
    class Quoting:
        token: str = field(metadata=setting(secret=True))
        pin: int = field(default=0, repr=False, metadata=setting(secret=True))
        number: int = link(int, "token")

        def __attrs_post_init__(self):
            raise ValueError(f"{self.token!r}, {self.token[:20]}..., {self.pin} of 12345")

    token = "it's hunter2-correct horse"

    given = {"token": token, "pin": 12, "number": 3}

    actual = [
        *said(load, Quoting, layer("x", {"token": token}, at="code")),
        *said(load, Quoting, layer("x", given, at="code")),
    ]

    assert [
        (
            "number (link): expected a value from its link, got ValueError; "
            'invalid literal for int() with base 10: "***"'
        ),
        (
            "Quoting: expected a valid Quoting, got values that it refuses; "
            '"***", ***..., *** of 12345'
        ),
    ] == actual


def test_a_broken_file_is_not_quoted(yaml, site, leaks, written, said):
    """A password that begins as a tag or an alias does is a mistake that is easy to make."""
    tag = written("tag.yaml", f"api:\n  token: !{PART}\n")
    alias = written("alias.yaml", f"api:\n  token: *{PART}\n")

    assert (
        [
            (
                "file tag.yaml:2: is not valid YAML: the tag *** is not read; "
                "the declared type decides"
            )
        ],
        [],
    ) == (said(load, site.Config, tag), leaks("\n".join(said(load, site.Config, alias))))


@pytest.mark.parametrize(
    ("env", "way"),
    [
        (None, "in code, or in a variable that load(..., env=...) reads"),
        ("APP_", "as APP_API__TOKEN or in code"),
    ],
)
def test_a_secret_that_is_missing_is_asked_for(site, env, way, said):
    """Not on the command line, which others may read, nor in a file."""
    assert [f"api.token: expected str, got nothing; it is secret: give it {way}"] == said(
        load, site.Config, {"api": {}}, env=env
    )


@frozen
class Unknown:
    token: str


@pytest.mark.parametrize(
    ("given_wrongly", "expected"),
    [
        (
            {"argv": f"--api.token={TEXT}"},
            "argv is of type str: give a list of words, such as sys.argv[1:]",
        ),
        (
            {"layer": Unknown(TEXT)},
            (
                "an object of type Unknown is no layer: give a path, a mapping, an instance of Config, "
                "or layer(name, values, at=...)"
            ),
        ),
    ],
)
def test_mistakes_of_a_program_are_not_quoted(site, given_wrongly, expected):
    """Where what was given may be or hold a secret."""
    layers = [given_wrongly["layer"]] if "layer" in given_wrongly else []

    with pytest.raises(TypeError) as caught:
        load(site.Config, *layers, argv=given_wrongly.get("argv"))

    assert expected == str(caught.value)


def test_codecs_tell_no_secret_that_they_refuse(site, leaks):
    """Neither in the problem nor in what led to it, which a traceback shows as well."""
    with pytest.raises(ConfigError) as caught:
        Codecs().decode({"token": f"{TEXT} bad"}, site.Api)

    assert [] == leaks("".join(traceback.format_exception(caught.value)))


def test_an_environment_variable_is_not_quoted(leaks, told, monkeypatch):
    """Whether it is for a secret, or for what has one within."""
    monkeypatch.setenv("APP_API", f'{{"token": "{TEXT}"')
    monkeypatch.setenv("APP_EXTRA", TEXT)
    monkeypatch.setenv("APP_LOGIN__CODES", f"[{TEXT}")
    monkeypatch.setenv("APP_ACCOUNTS", f"[{{token: {TEXT}, {TEXT}]")

    assert [] == leaks(told(env="APP_"))
