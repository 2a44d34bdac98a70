"""Addresses as they may be shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking.backends import mirror
from treadle_tracking.errors import TrackingError
from treadle_tracking.masking import masked, to_be_filled_in
from treadle_tracking.target import parse_targets

# Whatever somebody's password may be made of, as far as an address can have it.
_CHARACTERS = st.characters(codec="utf-8", exclude_categories=["Z", "C"], exclude_characters="@&/")
_SECRETS = st.text(_CHARACTERS, min_size=1, max_size=20).map(lambda text: f"hush{text}hush")
_NAMES = st.text(st.characters(categories=["L", "N"], codec="ascii"), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://user:pa:ss@host/path@x", "https://***@host/path@x"),
        ("https://user:p@ss@host", "https://***@host"),
        ("https://token@host", "https://***@host"),
        ("https://host:5000/path@x", "https://host:5000/path@x"),
        ("postgresql://user:pa/ss@host/runs", "postgresql://***@host/runs"),
        (
            "postgresql:///runs?user=me&password=pw&sslmode=require",
            "postgresql:///runs?user=me&password=***&sslmode=require",
        ),
        (
            "postgresql:///runs?sslkey=/home/me/key.pem",
            "postgresql:///runs?sslkey=/home/me/key.pem",
        ),
        ("mssql+pyodbc://?odbc_connect=DRIVER%3DX;PWD=pw;", "mssql+pyodbc://?odbc_connect=***"),
        ("https://host/?token=t&x=1", "https://host/?token=***&x=1"),
        ("https://host/?x=1&API-Key=t", "https://host/?x=1&API-Key=***"),
        ("https://host/?pass%77ord=t", "https://host/?pass%77ord=***"),
        ("https://host/?monkey=1&author=me&token=", "https://host/?monkey=1&author=me&token="),
        ("https://host?token=a@b", "https://***"),
        ("https://u:p?token=x@host", "https://***"),
        ("sqlite:////me@work/a@b.db", "sqlite:////me@work/a@b.db"),
        ("https://h/p#token=abc", "https://h/p#token=***"),
        ("https://h/p?x=1#a=2;token=abc", "https://h/p?x=1#a=2;token=***"),
        ("https://h/#/experiments/1?o=2", "https://h/#/experiments/1?o=2"),
        ("http:/me:pw@h", "http:/***@h"),
        ("https:/token@h/p", "https:/***@h/p"),
        ("mlflow:postgresql:/me:pw@h/db", "mlflow:postgresql:/***@h/db"),
        ("//me:pw@h", "//***@h"),
        ("tensorboard:/data/me@home/runs", "tensorboard:/data/me@home/runs"),
    ],
)
def test_secrets_are_masked(uri, expected):
    """What those who connect would take for a password or a token is not shown, and little else is hidden."""
    assert expected == masked(uri)


def _forms(user, secret):
    return st.sampled_from(
        [
            f"https://{user}:{secret}@host:5000/path",
            f"https://{secret}@host",
            f"http://{user}:{secret}@[::1]:5000",
            f"postgresql+psycopg2://{user}:{secret}@db/runs?sslmode=require",
            f"postgresql://{user}:{secret}/{secret}@db/runs",
            f"mysql://db/runs?user={user}&passwd={secret}",
            f"https://host/{user}?token={secret}",
            f"https://host?a={user}&access_token={secret}&b=1",
            f"https://{user}:{secret}@host?password={secret}",
        ]
    )


_URIS = st.tuples(_NAMES, _SECRETS).flatmap(lambda pair: _forms(*pair))


@given(_URIS)
def test_no_form_of_an_address_shows_a_secret(uri):
    """Nothing of a password or token is left, wherever it stands, and masking again changes nothing."""
    shown = masked(uri)

    assert ("hush" not in shown, masked(shown)) == (True, shown)


@given(
    _URIS,
    st.sampled_from(
        [
            "{}",
            "mlfow:{}",
            "MLFLOW:{}",
            " mlflow:{}",
            "mlflow:{}",
            "mlflow:x{}",
            "mlflow:{}.db",
            "mlflow:./{}",
            "mlflow:file:{}",
            "mlflow:sqlite:/{}",
            "mlflow:sqlite://:memory:{}",
            "mlflow:{}, tensorboard:runs",
            "tensorboard:$HOME{}",
            "tensorboard:{},mlflow:",
        ]
    ),
)
def test_no_sentence_about_a_target_shows_a_secret(uri, mistake):
    """Whatever is wrong with a target, or nothing, what is said and kept of it is without its password."""
    said = ""
    try:
        for target in parse_targets(mistake.format(uri)).mirrors:
            said += mirror(target).uri
    except TrackingError as error:
        said += str(error)

    assert "hush" not in said


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://me:pw@host", "https://USER:PASSWORD@host"),
        ("https://host?token=t", "https://host?token=SECRET"),
        ("https://me:pw@host?token=t", "https://USER:PASSWORD@host?token=SECRET"),
    ],
)
def test_what_was_hidden_can_be_filled_in(uri, expected):
    """A call that somebody is to complete says what belongs where."""
    assert expected == to_be_filled_in(masked(uri))
