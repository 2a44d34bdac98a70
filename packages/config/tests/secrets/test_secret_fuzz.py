"""Whatever is given, and wherever: no secret is told."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle_config import (
    layer,
)

TEXT = "hunter2-correct horse"


PART = "hunter2"


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
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_secret_is_told_whatever_is_given(told, leaks, low, high, argv, place, text, must_win):
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
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_file_tells_a_secret(leaks, told, name, written, text):
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
