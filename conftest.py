"""Every Python code block of the README files and the guides is a test, run in a directory of its own."""

import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sybil import Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

# How long an example takes says something of the machine, not of the code. In CI Hypothesis has a profile of its own,
# which also tries the same examples every time.
if "CI" not in os.environ:
    hypothesis.settings.register_profile(
        "treadle", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("treadle")

# A shell that starts the tests in its background has them ignore Ctrl-C, and what ignores it hands that on: the programs
# that tests press Ctrl-C in would never hear of it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def enter(namespace: dict[str, Any]) -> None:
    namespace["_home"], namespace["_scratch"] = Path.cwd(), tempfile.TemporaryDirectory()
    os.chdir(namespace["_scratch"].name)


def leave(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["_home"])
    namespace["_scratch"].cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/*.md"],
    setup=enter,
    teardown=leave,
).pytest()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each document together and in its order, whatever the seed: its blocks read on from each other."""
    documents: dict[Path, list[pytest.Item]] = {}
    for item in items:
        if isinstance(item, SybilItem):
            documents.setdefault(item.path, []).append(item)
    blocks = [
        block
        for document in documents.values()
        for block in sorted(document, key=lambda block: block.location[1] or 0)
    ]
    items[:] = [item for item in items if not isinstance(item, SybilItem)] + blocks
