"""Secrets: what is declared so is shown nowhere, is left out of dumps, and is asked for again."""

import contextlib
import copy
import dataclasses
import io
import json
import pickle
import pprint
import traceback
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import Factory, field, frozen, mutable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle_config import (
    Codecs,
    ConfigError,
    SchemaError,
    diff,
    dump,
    flatten,
    layer,
    link,
    linked,
    load,
    resolve,
    run_cli,
    setting,
)

TEXT = "hunter2-correct horse"
PART = "hunter2"


def secret(**more):
    return setting(secret=True, **more)


def refuses(instance, attribute, value):
    if "bad" in value:
        raise ValueError(f"{attribute.name} is {value!r}, not {value.upper()}, which is bad")


@frozen
class Account:
    name: str = "a"
    token: str = field(default="", metadata=secret())


@frozen
class Login:
    user: str = "u"
    password: str = ""
    codes: list[int] = Factory(list)


@frozen
class Api:
    token: str = field(metadata=secret(), validator=refuses)
    url: str = "localhost"
    pin: int | None = field(default=None, repr=False, metadata=secret())
    keys: list[str] = field(factory=list, metadata=secret())


@frozen
class Config:
    api: Api
    login: Login | None = field(default=None, repr=False, metadata=secret())
    accounts: list[Account] = Factory(list)
    services: dict[str, Account] = Factory(dict)
    extra: dict[str, str] = field(factory=dict, repr=False, metadata=secret())
    size: int = 3
    double: int = link(lambda size: 2 * size, "size")


GIVEN = {
    "api": {"token": TEXT, "pin": 987654321, "keys": [f"{TEXT}-k", "k"]},
    "login": {"user": f"{PART}-user", "password": TEXT, "codes": [987654321]},
    "accounts": [{"name": "first", "token": TEXT}, {"token": f"{TEXT}-b"}],
    "services": {"x.y": {"token": TEXT}, "z": {"name": "z"}},
    "extra": {f"{PART}-key": TEXT},
}
SECRETS = {
    "api": GIVEN["api"],
    "login": GIVEN["login"],
    "services": {"x.y": {"token": TEXT}},
    "extra": GIVEN["extra"],
}
OF_ACCOUNTS = [f"--accounts[0].token={TEXT}", f"--accounts[1].token={TEXT}-b"]


def program(config: Config) -> None:
    """Do nothing."""


PAGES = (
    "--help",
    "--help=all",
    *(f"--print-config={way}" for way in ("resolved", "source", "provenance", "schema", "argv")),
)


def told(*layers, argv=(), env=None):
    """Everything that is said of a config, or of what is wrong with it."""
    found = []
    try:
        resolution = resolve(Config, *layers, argv=argv, env=env)
    except ConfigError as error:
        found += [*traceback.format_exception(error), repr(error), repr(error.problems)]
    else:
        config = resolution.config
        shown = [resolution, config, flatten(config), diff(config, load(Config, GIVEN))]
        dumps = dump(config), resolution.dump("source"), resolution.dump("resolved")
        found += [*map(repr, [*shown, *dumps]), pprint.pformat(config), resolution.explain()]
        found += resolution.to_argv()
    found.append(pages(program, *PAGES, layers=layers, argv=argv, env=env))
    return "\n".join(found)


def pages(main, *flags, layers=(), argv=(), env=None):
    """What a program prints when it is asked for each page, on both streams."""
    out = io.StringIO()
    for flag in flags:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(out),
            contextlib.suppress(SystemExit),
        ):
            run_cli(main, *layers, argv=[*argv, flag], prog="train", env=env)
    return out.getvalue()


def leaks(said):
    """The lines in which a secret is told."""
    texts = PART, PART.upper(), "correct", "horse", "987654321"
    return [line for line in said.splitlines() if any(text in line for text in texts)]


def test_a_loaded_config_prints_stars():
    """In place of every secret text, from wherever it came, and of none that is not secret."""
    config = load(Config, {"api": {"token": TEXT, "keys": ["a"]}, "services": {"x": {}}})

    assert (
        "Config(api=Api(token='***', url='localhost', keys=['***']), accounts=[], "
        "services={'x': Account(name='a', token='***')}, size=3, double=6)"
    ) == repr(config)


def test_a_secret_text_is_the_text():
    """Equal, hashed, pickled, copied, written and passed on as it is."""
    token = load(Config, GIVEN).api.token

    actual = (
        token == TEXT,
        hash(token) == hash(TEXT),
        f"{token}|%s" % token,
        pickle.loads(pickle.dumps(token)) == TEXT,
        copy.deepcopy(token) == TEXT,
        json.loads(json.dumps(token)),
        {TEXT: 1}[token],
        isinstance(token, str),
        repr(token),
    )

    assert (True, True, f"{TEXT}|{TEXT}", True, True, TEXT, 1, True, "'***'") == actual


def test_hiding_breaks_no_equality():
    """A config is equal to one that was made by hand, and has its hash."""
    by_hand = Account("a", TEXT)
    loaded = load(Account, {"token": TEXT})

    assert (by_hand, hash(by_hand)) == (loaded, hash(loaded))


def test_defaults_and_links_hide_themselves():
    """As given values do: of factories, of links, and within instances that a class declares."""

    @frozen
    class Inner:
        token: str = field(factory=lambda: TEXT, metadata=secret())
        copied: str = link(str.upper, "token", metadata=secret())

    @frozen
    class Outer:
        one: Inner = Inner("plain")
        two: Inner = Factory(Inner)
        three: Inner = linked(Inner, token=link(lambda one: one.token, "one"))
        made: Inner = link(lambda one: Inner(f"{one.token}!"), "one")
        many: tuple[Inner, ...] = (Inner("x"),)

    inner = "Inner(token='***', copied='***')"

    assert (
        f"Outer(one={inner}, two={inner}, three={inner}, made={inner}, many=({inner},))",
        "PLAIN!",
    ) == (repr(load(Outer)), load(Outer).made.copied)


def test_what_codecs_decode_hides_itself():
    """Also without layers, and where the short way would do."""
    decoded = [Codecs().decode({"token": TEXT}, Account), Codecs().decode([{}], list[Account])[0]]

    assert ["Account(name='a', token='***')"] * 2 == list(map(repr, decoded))


def test_dataclasses_have_secrets():
    """Declared in the metadata of a field, frozen or not."""

    @dataclasses.dataclass(frozen=True, slots=True)
    class Inner:
        token: str | None = dataclasses.field(default=None, metadata=setting(secret=True))

    @dataclasses.dataclass
    class Outer:
        inner: Inner = dataclasses.field(default_factory=Inner)
        pin: int = dataclasses.field(default=1, repr=False, metadata=setting(secret=True))

    name = Outer.__qualname__, Inner.__qualname__

    assert f"{name[0]}(inner={name[1]}(token='***'))" == repr(
        load(Outer, {"inner": {"token": TEXT}})
    )


def test_text_among_other_scalars_is_not_mistaken():
    """A secret `5` of `int | str` that was text is text again when the instance is a layer."""

    @frozen
    class Either:
        key: int | str = field(default=0, repr=False, metadata=secret())

    config = load(Either, {"key": "5"})

    assert config == load(Either, config) == load(Either, {"key": config.key})


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        (int, "int"),
        (int | str, "int | str"),
        (dict[str, str], "dict[str, str]"),
        (Account, "Account"),
        (list[int], "list[int]"),
        (Decimal | None, "Decimal | null"),
    ],
)
def test_a_secret_that_cannot_hide_is_a_schema_error(declared, written):
    """Unless the class does not print it, or prints it in its own way."""

    @mutable
    class Printing:
        key: declared = field(metadata=secret())

    @mutable
    class Silent:
        key: declared = field(metadata=secret(), repr=False)

    @mutable
    class Own:
        key: declared = field(metadata=secret(), repr=lambda _value: "-")

    with pytest.raises(SchemaError) as caught:
        load(Printing)

    assert (
        (
            f"key: a secret of type {written} would be shown where the config is printed, since only "
            "text hides itself there; declare the field with repr=False"
        ),
        True,
        True,
    ) == (str(caught.value), *(Codecs().schema.root(one) is not None for one in (Silent, Own)))


def test_a_wrong_default_is_not_told():
    """Neither in full nor in what to write instead."""

    @frozen
    class Wrong:
        pin: int = field(default=TEXT, repr=False, metadata=secret())

    @frozen
    class Shared:
        keys: list[str] = field(default=[TEXT], metadata=secret())

    said = []
    for cls in (Wrong, Shared):
        with pytest.raises(SchemaError) as caught:
            load(cls)
        said.append(str(caught.value))

    assert [
        "pin: the default is ***, which is no int; write it as one",
        (
            "keys: the default is a list, which can be changed, and every config would share it; "
            "use factory=lambda: ***"
        ),
    ] == said


def test_a_class_takes_no_secret_beside_its_tag():
    """`setting(tag=...)` is of the class as a whole."""
    with pytest.raises(TypeError) as caught:
        setting(tag="x", secret=True)

    assert "setting(tag=...) decorates a class and takes nothing beside the tag" == str(
        caught.value
    )


def test_flatten_hands_out_stars():
    """None is None; of a dict or a list not even the keys or the length."""
    assert {
        "api.token": "***",
        "api.url": "localhost",
        "api.pin": "***",
        "api.keys": "***",
        "login.user": "***",
        "login.password": "***",
        "login.codes": "***",
        "accounts[0].name": "first",
        "accounts[0].token": "***",
        "accounts[1].name": "a",
        "accounts[1].token": "***",
        "services.x.y.name": "a",
        "services.x.y.token": "***",
        "services.z.name": "z",
        "services.z.token": "***",
        "extra": "***",
        "size": 3,
        "double": 6,
    } == flatten(load(Config, GIVEN))


def test_diff_says_that_secrets_differ():
    """And nothing else of them; those that are equal do not differ."""
    one = load(Config, {"api": {"token": TEXT, "pin": 1}, "extra": {"a": "b"}})
    other = load(Config, {"api": {"token": f"{TEXT}!"}, "extra": {"a": "b"}})

    assert {"api.pin": ("***", None), "api.token": ("***", "***")} == diff(one, other)


def test_the_source_of_a_secret_is_told(monkeypatch):
    """Its value is not."""
    monkeypatch.setenv("APP_API__TOKEN", TEXT)
    resolution = resolve(
        Config, layer("file", {"api": {"token": "x"}}, at="file"), {"size": 4}, env="APP_"
    )

    assert ("env APP_API__TOKEN", "api.token  ***        env APP_API__TOKEN (over file)") == (
        str(resolution.source("api.token")),
        resolution.explain().splitlines()[2],
    )


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
def test_no_message_tells_a_secret(case, said):
    """What was seen is stars, and what might quote it is left out."""
    layers, argv, expected = MESSAGES[case]
    named = [layer("x", one, at="code") if isinstance(one, dict) else one for one in layers]

    assert expected == said(load, Config, *named, argv=argv)


def test_null_is_told(said):
    """It is nobody's secret, and what to do about it helps."""
    assert ["api.token (first): expected str, got null"] == said(
        load, Config, layer("first", {"api": {"token": None}}, at="file")
    )


def test_messages_of_others_are_searched_for_secrets(said):
    """Of links and of `__attrs_post_init__`, which may read a secret and quote it."""

    @frozen
    class Quoting:
        token: str = field(metadata=secret())
        pin: int = field(default=0, repr=False, metadata=secret())
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
            "Quoting: expected values that make a Quoting, got values that it refuses; "
            '"***", ***..., *** of 12345'
        ),
    ] == actual


def test_a_broken_file_is_not_quoted(written, said):
    """A password that begins as a tag or an alias does is a mistake that is easy to make."""
    pytest.importorskip("yaml", reason="needs the extra treadle-config[yaml]")
    tag = written("tag.yaml", f"api:\n  token: !{PART}\n")
    alias = written("alias.yaml", f"api:\n  token: *{PART}\n")

    assert (
        [
            (
                "file tag.yaml:2: expected YAML, got something else; the tag *** is not read; "
                "the declared type decides"
            )
        ],
        [],
    ) == (said(load, Config, tag), leaks("\n".join(said(load, Config, alias))))


@pytest.mark.parametrize(
    ("env", "way"),
    [
        (None, "in code, or in a variable that load(..., env=...) reads"),
        ("APP_", "as APP_API__TOKEN or in code"),
    ],
)
def test_a_secret_that_is_missing_is_asked_for(env, way, said):
    """Not on the command line, which others may read, nor in a file."""
    assert [f"api.token: expected str, got nothing; it is secret: give it {way}"] == said(
        load, Config, {"api": {}}, env=env
    )


def test_dumps_leave_secrets_out():
    """And say which ones, so far as they are not as defaults give them."""
    resolution = resolve(Config, GIVEN)
    values = {
        "api": {"url": "localhost"},
        "accounts": [{"name": "first"}, {"name": "a"}],
        "services": {"x.y": {"name": "a"}, "z": {"name": "z"}},
        "size": 3,
        "double": 6,
    }
    left_out = [
        "api.token",
        "api.pin",
        "api.keys",
        "login",
        "accounts[0].token",
        "accounts[1].token",
        "services.x.y.token",
        "extra",
    ]

    assert (
        values | {"treadle-config": {"secret": left_out}},
        values
        | {
            "treadle-config": {
                "precedence": "code_over_file",
                "linked": ["double"],
                "secret": left_out,
            }
        },
        {
            "api": {},
            "accounts": [{"name": "first"}, {}],
            "services": {"x.y": {}, "z": {"name": "z"}},
            "treadle-config": {"precedence": "code_over_file", "secret": left_out},
        },
    ) == (dump(resolution.config), resolution.dump("resolved"), resolution.dump("source"))


@pytest.mark.parametrize("name", ["run.json", "run.yaml"])
@pytest.mark.parametrize("precedence", ["code_over_file", "file_over_code"])
@pytest.mark.parametrize("way", ["config", "source", "resolved"])
def test_a_dump_and_its_secrets_give_the_config(way, precedence, name, tmp_path):
    """Whichever of them wins: a dump that leaves a secret out says nothing in its place."""
    if name.endswith("yaml"):
        pytest.importorskip("yaml", reason="needs the extra treadle-config[yaml]")
    resolution = resolve(Config, GIVEN)
    path = tmp_path / name
    if way == "config":
        dump(resolution.config, path)
    else:
        resolution.dump(way, path)

    actual = load(Config, path, SECRETS, argv=OF_ACCOUNTS, precedence=precedence)

    assert (resolution.config, []) == (actual, leaks(path.read_text()))


def test_a_dump_asks_for_its_secrets(said, monkeypatch, written):
    """Also where there is a default: silently it would be another config."""
    written("run.json", json.dumps(dump(load(Config, GIVEN)), indent=1))
    monkeypatch.setenv("APP_API__TOKEN", TEXT)
    monkeypatch.setenv("APP_EXTRA", "{}")

    actual = said(load, Config, "run.json", env="APP_", argv=["--login.user=u", "--api.keys+=x"])

    here, lacks = "(file run.json:24): expected", "got nothing; the dump leaves it out, since it is"
    accounts = f"{here} str, {lacks} secret: give it with all of accounts in code, or as --accounts"
    variable = f"{lacks} secret: give it as APP_"
    assert [
        f"accounts[0].token {accounts}[0].token",
        f"accounts[1].token {accounts}[1].token",
        f"api.pin {here} int | null, {variable}API__PIN or in code",
        f"services.x.y.token {here} str, {variable}SERVICES__X__Y__TOKEN or in code",
        (
            "api.keys (cli --api.keys+): expected a list to change, got ***; "
            "that is of file run.json:24; give the whole list"
        ),
    ] == actual


def test_a_secret_as_its_default_is_not_asked_for():
    """Nor one as its link gives it, nor as an instance that the class declares."""

    @frozen
    class Inner:
        token: str = field(default="", metadata=secret())

    @frozen
    class Outer:
        name: str = "n"
        one: Inner = Inner("x")
        two: Inner = linked(Inner, token=link(lambda name: f"{name}!", "name"))
        three: str = link(str.upper, "name", metadata=secret())

    config = load(Outer, {"name": "m"})
    dumped = {"name": "m", "one": {}, "two": {}}

    assert (dumped, config) == (dump(config), load(Outer, dumped))


def test_a_secret_of_a_default_instance_is_asked_for(said):
    """If it was another: what the class declares would silently take its place."""

    @frozen
    class Inner:
        token: str = field(default="", metadata=secret())

    @frozen
    class Outer:
        inner: Inner = Inner("x")

    dumped = dump(load(Outer, {"inner": {"token": ""}}))

    assert (
        ["inner.token"],
        [
            (
                "inner.token (x): expected str, got nothing; the dump leaves it out, since it is "
                "secret: give it in code, or in a variable that load(..., env=...) reads"
            )
        ],
    ) == (
        dumped["treadle-config"]["secret"],
        said(load, Outer, layer("x", dumped, at="code")),
    )


def test_a_part_of_a_secret_object_lies_over_its_default():
    """Also where a dump left the whole of it out."""

    @frozen
    class Site:
        login: Login = field(default=Login(password="p"), repr=False, metadata=secret())

    dumped = dump(load(Site, {"login": {"user": "x"}}))

    assert Site(Login("y", "p")) == load(Site, dumped, {"login": {"user": "y"}})


def test_an_object_of_which_nothing_is_said_is_in_a_dump():
    """Beside secrets that have to be given before it can be read."""

    @frozen
    class Both:
        token: str = field(metadata=secret())
        account: Account | None = None

    resolution = resolve(Both, {"token": TEXT, "account": {}})

    assert {
        "account": {"name": "a"},
        "treadle-config": {"precedence": "code_over_file", "secret": ["token"]},
    } == resolution.dump("source")


def test_defaults_are_hidden_on_pages():
    """Of secrets, of all that is in a secret object, and of lists of what has secrets."""

    @frozen
    class Declaring:
        token: str = field(default=TEXT, metadata=secret())
        login: Login = field(default=Login(TEXT), repr=False, metadata=secret())
        other: Login | Account = field(default=Login(TEXT), repr=False, metadata=secret())
        many: tuple[Account, ...] = (Account(token=TEXT),)
        none: str | None = field(default=None, metadata=secret())

    def main(config: Declaring) -> None:
        """Do nothing."""

    page = pages(main, "--print-config=schema", "--help", "--help=all")

    assert (
        [],
        [
            "token                   str              ***",
            "login.user              str              ***",
            "login.password          str              ***",
            "login.codes             list of int      ***",
            "other.type              login|account    ***",
            "other.user [login]      str              ***",
            "other.password [login]  str              ***",
            "other.codes [login]     list of int      ***",
            "other.name [account]    str              ***",
            "other.token [account]   str              ***",
            "many                    list of Account  ***",
            "none                    str | null       null",
        ],
    ) == (leaks(page), page.splitlines()[:12])


def test_what_follows_a_secret_follows_on(monkeypatch):
    """In a dump links are live, also those that read what it leaves out."""

    @frozen
    class Server:
        url: str = ""

    @frozen
    class Following:
        token: str = field(metadata=secret())
        length: int = link(len, "token")
        server: Server = link(lambda token: Server(f"of {len(token)}"), "token")

    dumped = resolve(Following, {"token": "abc"}).dump("resolved")
    monkeypatch.setenv("APP_TOKEN", "abc")

    resolution = resolve(Following, dumped, env="APP_")

    assert ("link", 5, "of 5") == (
        str(resolution.source("length")),
        resolution.replace({"token": "abcde"}).config.length,
        resolution.replace({"token": "abcde"}).config.server.url,
    )


def test_a_dump_that_must_win_lets_its_secrets_be_given(monkeypatch):
    """It says nothing of them that could be overridden, from below or from above."""
    config = load(Config, {"api": {"token": TEXT, "pin": 7}})
    monkeypatch.setenv("APP_API__TOKEN", TEXT)

    again = layer("run 7", dump(config), at="code", must_win=True)

    assert config == load(Config, again, env="APP_", argv=["--api.pin=7"])


def test_a_secret_that_a_dump_was_given_by_hand_is_taken():
    """What stands there is not missing."""
    dumped = dump(load(Account, {"token": TEXT}))

    assert Account(token="x") == load(Account, {"token": "x", **dumped})


def test_another_class_has_no_use_for_the_secret_of_one_that_was_left_out():
    """A tag that wins over a dump drops what was left out along with the rest."""

    @frozen
    class Other:
        size: int = 3

    @frozen
    class Union:
        of: Account | Other = Other()

    dumped = dump(load(Union, {"of": {"type": "account", "token": TEXT}}))

    assert (["of.token"], Union(Other())) == (
        dumped["treadle-config"]["secret"],
        load(Union, dumped, argv=["--of.type=other"]),
    )


def test_a_command_line_leaves_secrets_out():
    """Given beside it, they make the config."""
    resolution = resolve(Config, GIVEN, {"size": 4})
    argv = resolution.to_argv()

    assert (resolution.config, []) == (
        load(Config, SECRETS, argv=[*argv, *OF_ACCOUNTS]),
        leaks(" ".join(argv)),
    )


def test_a_named_layer_prints_no_values():
    """Which of them are secret, only a schema knows."""
    assert "Layer(name='x', at='code', must_win=False)" == repr(layer("x", SECRETS, at="code"))


@pytest.mark.parametrize(
    ("given_wrongly", "expected"),
    [
        (
            {"argv": f"--api.token={TEXT}"},
            "argv is of type str: give a list of words, such as sys.argv[1:]",
        ),
        (
            {"layer": Account(token=TEXT)},
            (
                "an object of type Account is no layer: give a path, a mapping, an instance of Config, "
                "or layer(name, values, at=...)"
            ),
        ),
    ],
)
def test_mistakes_of_a_program_are_not_quoted(given_wrongly, expected):
    """Where what was given may be or hold a secret."""
    layers = [given_wrongly["layer"]] if "layer" in given_wrongly else []

    with pytest.raises(TypeError) as caught:
        load(Config, *layers, argv=given_wrongly.get("argv"))

    assert expected == str(caught.value)


def test_codecs_tell_no_secret_that_they_refuse():
    """Neither in the problem nor in what led to it, which a traceback shows as well."""
    with pytest.raises(ConfigError) as caught:
        Codecs().decode({"token": f"{TEXT} bad"}, Api)

    assert [] == leaks("".join(traceback.format_exception(caught.value)))


def test_every_page_of_a_program_hides_secrets():
    """Help, the schema, and the config in all its forms."""
    assert [] == leaks(told(GIVEN, argv=OF_ACCOUNTS))


def test_an_environment_variable_is_not_quoted(monkeypatch):
    """Whether it is for a secret, or for what has one within."""
    monkeypatch.setenv("APP_API", f'{{"token": "{TEXT}"')
    monkeypatch.setenv("APP_EXTRA", TEXT)
    monkeypatch.setenv("APP_LOGIN__CODES", f"[{TEXT}")
    monkeypatch.setenv("APP_ACCOUNTS", f"[{{token: {TEXT}, {TEXT}]")

    assert [] == leaks(told(env="APP_"))


PLACES = [
    "api",
    "api.token",
    "api.pin",
    "api.keys",
    "login",
    "login.user",
    "login.codes",
    "accounts",
    "accounts[0]",
    "accounts[0].token",
    "services.x",
    "services.x.token",
    "extra",
    "extra.x",
]
TEXTS = st.sampled_from(
    [
        TEXT,
        f"{TEXT} bad",
        f"'{TEXT}'",
        f'"{TEXT}"',
        f"[{TEXT}]",
        f"[{TEXT}",
        f'["{TEXT}", 3]',
        f"{{token: {TEXT}}}",
        f"{{token:{TEXT}}}",
        f'{{"token": "{TEXT}", "token": "{TEXT}"}}',
        f'{{"token": ["{TEXT}"]}}',
        f"{{{TEXT}}}",
        f"token {TEXT}",
        f"token: {TEXT}",
        f"!{TEXT}",
        f"*{PART}",
        f"&{PART} {PART}",
        f"--{TEXT}",
        f"-{TEXT}",
        f"={TEXT}",
        f"{TEXT}\n",
        f"\t{TEXT}\u00e9",
        "987654321",
        "9876543211e1",
        "0987654321.5",
    ]
)
ARGUMENTS = st.lists(
    st.builds(
        lambda place, form, text: [one.format(place, text) for one in form],
        st.sampled_from(PLACES),
        st.sampled_from(
            [
                ["--{}={}"],
                ["--{}", "{1}"],
                ["--{}:={}"],
                ["--{}:", "{1}"],
                ["--{}+={}"],
                ["--{}[0]={}"],
                ["--{}.x={}"],
                ["--no-{}={}"],
                ["--{}", "x", "{1}"],
                ["--{}", "=", "{1}"],
            ]
        ),
        TEXTS,
    ),
    max_size=3,
).map(lambda many: [word for words in many for word in words])
VALUES = st.recursive(
    TEXTS | st.sampled_from([987654321, 987654321.5, TEXT.encode(), None, (TEXT,)]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["token", "user", "keys", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
LAYERS = st.dictionaries(
    st.sampled_from([one for one in PLACES if "[" not in one]),
    VALUES,
    max_size=3,
)


def nested(values):
    """Values by path, as a file has them, so far as that can be."""
    found = {}
    for path, value in values.items():
        here, keys = found, path.split(".")
        for key in keys[:-1]:
            here = here.setdefault(key, {}) if isinstance(here, dict) else {}
        if isinstance(here, dict):
            here[keys[-1]] = value
    return found


@given(LAYERS, LAYERS, ARGUMENTS, st.sampled_from(PLACES), TEXTS, st.booleans())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_secret_is_told_whatever_is_given(low, high, argv, place, text, must_win):
    """Right or wrong, in layers, arguments and variables, in messages, pages, dumps and reprs."""
    variable = "APP_" + place.upper().replace(".", "__")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable, text.replace("\0", ""))

        said = told(
            layer("low", nested(low), at="file", must_win=must_win),
            {"api": {"token": TEXT}},
            high,
            argv=argv,
            env="APP_",
        )

    assert [] == leaks(said)


@pytest.mark.parametrize("name", ["a.json", "a.toml", "a.yaml"])
@given(TEXTS)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_file_tells_a_secret(name, written, text):
    """Written as it stands, without quotes, which is rarely what its format wants."""
    if name == "a.yaml":
        pytest.importorskip("yaml", reason="needs the extra treadle-config[yaml]")
    forms = {
        "a.json": '{{"api": {{"token": {}}}}}',
        "a.toml": "[api]\ntoken = {}\n",
        "a.yaml": "api:\n  token: {}\n",
    }
    path = written(name, forms[name].format(text))

    assert [] == leaks(told(Path(path)))
