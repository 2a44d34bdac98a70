"""A schema with secrets of every kind, what is given for them, and what would tell them."""

import contextlib
import io
import pprint
import traceback
from types import SimpleNamespace

import pytest
from attrs import Factory, field, frozen

from treadle_config import (
    Codecs,
    ConfigError,
    diff,
    dump,
    flatten,
    link,
    load,
    resolve,
    run_cli,
    setting,
)

TEXT = "hunter2-correct horse"
PART = "hunter2"


def refuses(instance, attribute, value):
    if "bad" in value:
        raise ValueError(f"{attribute.name} is {value!r}, not {value.upper()}, which is bad")


@frozen
class Account:
    name: str = "a"
    token: str = field(default="", metadata=setting(secret=True))


@frozen
class Login:
    user: str = "u"
    password: str = ""
    codes: list[int] = Factory(list)


@frozen
class Api:
    token: str = field(metadata=setting(secret=True), validator=refuses)
    url: str = "localhost"
    pin: int | None = field(default=None, repr=False, metadata=setting(secret=True))
    keys: list[str] = field(factory=list, metadata=setting(secret=True))


@frozen
class Config:
    api: Api
    login: Login | None = field(default=None, repr=False, metadata=setting(secret=True))
    accounts: list[Account] = Factory(list)
    services: dict[str, Account] = Factory(dict)
    extra: dict[str, str] = field(factory=dict, repr=False, metadata=setting(secret=True))
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
ACCOUNTS_ARGV = [f"--accounts[0].token={TEXT}", f"--accounts[1].token={TEXT}-b"]


def program(config: Config) -> None:
    """Do nothing."""


PAGES = (
    "--help",
    "--help=all",
    *(f"--print-config={way}" for way in ("resolved", "source", "provenance", "schema", "argv")),
)


def _told(*layers, argv=(), env=None):
    """Everything that is said of a config, or of what is wrong with it."""
    found, codecs = [], Codecs()
    try:
        resolution = resolve(Config, *layers, argv=argv, env=env, codecs=codecs)
    except ConfigError as error:
        found += [*traceback.format_exception(error), repr(error), repr(error.problems)]
    else:
        config = resolution.config
        other = load(Config, GIVEN, codecs=codecs)
        shown = [
            resolution,
            config,
            flatten(config, codecs=codecs),
            diff(config, other, codecs=codecs),
            dump(config, codecs=codecs),
            resolution.dump("source"),
            resolution.dump("resolved"),
        ]
        found += [*map(repr, shown), pprint.pformat(config), resolution.explain()]
        found += resolution.to_argv()
    found.append(_pages(program, *PAGES, layers=layers, argv=argv, env=env, codecs=codecs))
    return "\n".join(found)


def _pages(main, *flags, layers=(), argv=(), **settings):
    """What a program prints when it is asked for each page, on both streams."""
    out = io.StringIO()
    for flag in flags:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(out),
            contextlib.suppress(SystemExit),
        ):
            run_cli(main, *layers, argv=[*argv, flag], prog="train", **settings)
    return out.getvalue()


def _leaks(said):
    """The lines in which a secret is told."""
    texts = PART, PART.upper(), "correct", "horse", "987654321"
    return [line for line in said.splitlines() if any(text in line for text in texts)]


@pytest.fixture(scope="session")
def site():
    """The classes above, and what is given for them: all, the secrets alone, and those of a list."""
    return SimpleNamespace(
        Account=Account,
        Login=Login,
        Api=Api,
        Config=Config,
        given=GIVEN,
        secrets=SECRETS,
        accounts=ACCOUNTS_ARGV,
    )


@pytest.fixture(scope="session")
def told():
    """Everything that is said of a config, or of what is wrong with it."""
    return _told


@pytest.fixture(scope="session")
def pages():
    """What a program prints when it is asked for each page, on both streams."""
    return _pages


@pytest.fixture(scope="session")
def leaks():
    """The lines in which a secret is told."""
    return _leaks
