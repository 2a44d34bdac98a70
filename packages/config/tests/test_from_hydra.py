"""Files that were written for Hydra."""

from pathlib import Path

import pytest
from attrs import frozen

from treadle_config import load


@frozen
class Adam:
    lr: float = 0.1


@frozen
class SGD:
    momentum: float = 0.9


@frozen
class Typed:
    type: str = "a"


@frozen
class Config:
    optim: Adam | SGD = Adam()
    typed: Typed = Typed()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            '{"defaults": ["base"]}',
            (
                "defaults (file a.json:1): expected a field of Config, got 'defaults'; "
                "name the files that lie below this one with include:"
            ),
        ),
        (
            '{"defaults": "base"}',
            "defaults (file a.json:1): expected a field of Config, got 'defaults'",
        ),
        (
            '{"optim": {"_target_": "torch.optim.Adam"}}',
            (
                "optim._target_ (file a.json:1): expected a field of Adam, got '_target_'; "
                "choose a class with type:"
            ),
        ),
        (
            '{"typed": {"_target_": "mine"}}',
            (
                "typed._target_ (file a.json:1): expected a field of Typed, got '_target_'; "
                "leave it out"
            ),
        ),
    ],
)
def test_a_key_of_hydras_is_answered_with_what_to_write(
    given, expected, tmp_path, monkeypatch, said
):
    """Where a file has one that is no field."""
    monkeypatch.chdir(tmp_path)
    Path("a.json").write_text(given)

    assert [expected] == said(load, Config, "a.json")
