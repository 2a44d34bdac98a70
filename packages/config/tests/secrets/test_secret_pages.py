"""What is told of a config that has secrets: pages, values by path, differences, sources."""

from attrs import field, frozen

from treadle_config import (
    diff,
    flatten,
    layer,
    load,
    resolve,
    setting,
)

TEXT = "hunter2-correct horse"


def test_flatten_hands_out_stars(site):
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
    } == flatten(load(site.Config, site.given))


def test_diff_says_that_secrets_differ(site):
    """And nothing else of them; those that are equal do not differ."""
    one = load(site.Config, {"api": {"token": TEXT, "pin": 1}, "extra": {"a": "b"}})
    other = load(site.Config, {"api": {"token": f"{TEXT}!"}, "extra": {"a": "b"}})

    assert {"api.pin": ("***", None), "api.token": ("***", "***")} == diff(one, other)


def test_the_source_of_a_secret_is_told(site, monkeypatch):
    """Its value is not."""
    monkeypatch.setenv("APP_API__TOKEN", TEXT)
    resolution = resolve(
        site.Config, layer("cluster", {"api": {"token": "x"}}, at="file"), {"size": 4}, env="APP_"
    )

    assert ("env APP_API__TOKEN", "api.token  ***        env APP_API__TOKEN (over cluster)") == (
        str(resolution.source("api.token")),
        resolution.explain().splitlines()[2],
    )


def test_defaults_are_hidden_on_pages(site, pages, leaks):
    """Of secrets, of all that is in a secret object, and of lists of what has secrets."""

    @frozen
    class Declaring:
        token: str = field(default=TEXT, metadata=setting(secret=True))
        login: site.Login = field(
            default=site.Login(TEXT), repr=False, metadata=setting(secret=True)
        )
        other: site.Login | site.Account = field(
            default=site.Login(TEXT), repr=False, metadata=setting(secret=True)
        )
        many: tuple[site.Account, ...] = (site.Account(token=TEXT),)
        none: str | None = field(default=None, metadata=setting(secret=True))

    def main(config: Declaring) -> None:
        """Do nothing."""

    page = pages(main, "--print-config=schema", "--help", "--help=all")

    assert (
        [],
        [
            "token                   str                  ***",
            "login.user              str                  ***",
            "login.password          str                  ***",
            "login.codes             list[int]            ***",
            "other.type              login|account        ***",
            "other.user [login]      str                  ***",
            "other.password [login]  str                  ***",
            "other.codes [login]     list[int]            ***",
            "other.name [account]    str                  ***",
            "other.token [account]   str                  ***",
            "many                    tuple[Account, ...]  ***",
            "many[0].name            str                  a",
            "many[0].token           str                  ***",
            "none                    str | null           null",
        ],
    ) == (leaks(page), page.splitlines()[:14])


def test_every_page_of_a_program_hides_secrets(leaks, told, site):
    """Help, the schema, and the config in all its forms."""
    assert [] == leaks(told(site.given, argv=site.accounts))
