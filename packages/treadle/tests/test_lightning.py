"""The integration with Lightning, where there is no Lightning."""

import importlib
import sys

import pytest

from treadle.errors import MissingExtra


def test_lightning_is_asked_for_by_the_name_of_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Lightning, importing what is for it is one sentence that names the extra."""
    for name in ("lightning", "lightning.pytorch", "pytorch_lightning"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        if "." not in name:
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "treadle.integrations.lightning", raising=False)

    with pytest.raises(MissingExtra) as caught:
        importlib.import_module("treadle.integrations.lightning")

    assert (
        "treadle.integrations.lightning needs the extra 'lightning': pip install 'treadle[lightning]'"
    ) == str(caught.value)
