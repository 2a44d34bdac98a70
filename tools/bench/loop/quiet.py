"""Frameworks that print nothing, reach for nothing, and leave nothing behind."""

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager


@contextmanager
def quietly() -> Iterator[None]:
    """Work in a folder that is removed; to be entered before any framework is imported."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.environ |= {
            "HF_HOME": folder,
            "HF_HUB_OFFLINE": "1",
            "KERAS_BACKEND": "torch",
            "KERAS_HOME": folder,
            "MPLCONFIGDIR": folder,
        }
        yield
