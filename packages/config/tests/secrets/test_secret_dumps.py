"""Dumps and command lines leave secrets out, and what reads them asks for those."""

import json

import pytest
from attrs import field, frozen

from treadle_config import (
    dump,
    layer,
    link,
    linked,
    load,
    resolve,
    setting,
)

TEXT = "hunter2-correct horse"


def test_dumps_leave_secrets_out(site):
    """And say which ones, so far as they are not as defaults give them."""
    resolution = resolve(site.Config, site.given)
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
def test_a_dump_and_its_secrets_give_the_config(site, leaks, way, precedence, name, tmp_path):
    """Whichever of them wins: a dump that leaves a secret out says nothing in its place."""
    if name.endswith("yaml"):
        pytest.importorskip("yaml", reason="needs the extra treadle-config[yaml]")
    resolution = resolve(site.Config, site.given)
    path = tmp_path / name
    if way == "config":
        dump(resolution.config, path)
    else:
        resolution.dump(way, path)

    actual = load(site.Config, path, site.secrets, argv=site.accounts, precedence=precedence)

    assert (resolution.config, []) == (actual, leaks(path.read_text()))


def test_a_dump_asks_for_its_secrets(site, said, monkeypatch, written):
    """Also where there is a default: silently it would be another config."""
    written("run.json", json.dumps(dump(load(site.Config, site.given)), indent=1))
    monkeypatch.setenv("APP_API__TOKEN", TEXT)
    monkeypatch.setenv("APP_EXTRA", "{}")

    actual = said(
        load, site.Config, "run.json", env="APP_", argv=["--login.user=u", "--api.keys+=x"]
    )

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
        token: str = field(default="", metadata=setting(secret=True))

    @frozen
    class Outer:
        name: str = "n"
        one: Inner = Inner("x")
        two: Inner = linked(Inner, token=link(lambda name: f"{name}!", "name"))
        three: str = link(str.upper, "name", metadata=setting(secret=True))

    config = load(Outer, {"name": "m"})
    dumped = {"name": "m", "one": {}, "two": {}}

    assert (dumped, config) == (dump(config), load(Outer, dumped))


def test_a_secret_of_a_default_instance_is_asked_for(said):
    """If it was another: what the class declares would silently take its place."""

    @frozen
    class Inner:
        token: str = field(default="", metadata=setting(secret=True))

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


def test_a_part_of_a_secret_object_lies_over_its_default(site):
    """Also where a dump left the whole of it out."""

    @frozen
    class Site:
        login: site.Login = field(
            default=site.Login(password="p"), repr=False, metadata=setting(secret=True)
        )

    dumped = dump(load(Site, {"login": {"user": "x"}}))

    assert Site(site.Login("y", "p")) == load(Site, dumped, {"login": {"user": "y"}})


def test_an_object_of_which_nothing_is_said_is_in_a_dump(site):
    """Beside secrets that have to be given before it can be read."""

    @frozen
    class Both:
        token: str = field(metadata=setting(secret=True))
        account: site.Account | None = None

    resolution = resolve(Both, {"token": TEXT, "account": {}})

    assert {
        "account": {"name": "a"},
        "treadle-config": {"precedence": "code_over_file", "secret": ["token"]},
    } == resolution.dump("source")


def test_what_follows_a_secret_follows_on(monkeypatch):
    """In a dump links are live, also those that read what it leaves out."""

    @frozen
    class Server:
        url: str = ""

    @frozen
    class Following:
        token: str = field(metadata=setting(secret=True))
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


def test_a_dump_that_must_win_lets_its_secrets_be_given(site, monkeypatch):
    """It says nothing of them that could be overridden, from below or from above."""
    config = load(site.Config, {"api": {"token": TEXT, "pin": 7}})
    monkeypatch.setenv("APP_API__TOKEN", TEXT)

    again = layer("run 7", dump(config), at="code", must_win=True)

    assert config == load(site.Config, again, env="APP_", argv=["--api.pin=7"])


def test_a_secret_that_a_dump_was_given_by_hand_is_taken(site):
    """What stands there is not missing."""
    dumped = dump(load(site.Account, {"token": TEXT}))

    assert site.Account(token="x") == load(site.Account, {"token": "x", **dumped})


def test_another_class_has_no_use_for_the_secret_of_one_that_was_left_out(site):
    """A tag that wins over a dump drops what was left out along with the rest."""

    @frozen
    class Other:
        size: int = 3

    @frozen
    class Union:
        of: site.Account | Other = Other()

    dumped = dump(load(Union, {"of": {"type": "account", "token": TEXT}}))

    assert (["of.token"], Union(Other())) == (
        dumped["treadle-config"]["secret"],
        load(Union, dumped, argv=["--of.type=other"]),
    )


def test_a_command_line_leaves_secrets_out(site, leaks):
    """Given beside it, they make the config."""
    resolution = resolve(site.Config, site.given, {"size": 4})
    argv = resolution.to_argv()

    assert (resolution.config, []) == (
        load(site.Config, site.secrets, argv=[*argv, *site.accounts]),
        leaks(" ".join(argv)),
    )
