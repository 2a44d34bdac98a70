"""Every code block of the README files and the guides in Python, or for `sh`, is a test, run in a directory of its own."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sybil import Document, Example, Region, Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

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


def written(document: Document) -> Iterator[Region]:
    """Blocks that are files: `python title="train.py"`."""
    title = re.compile(r'(?P<language>\w+) title="(?P<title>[^"]+)"$\n', re.MULTILINE)
    for region in RawFencedCodeBlockLexer(title)(document):
        region.parsed = region.lexemes["source"]
        region.evaluator = write
        yield region


def write(example: Example) -> None:
    Path(example.region.lexemes["title"]).write_text(example.parsed)


def run_in_shell(example: Example) -> None:
    """Run what a reader would type; what it says is only shown where it fails."""
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(  # noqa: S603  # our own documents
        ["bash", "-e", "-c", example.parsed],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": here},
    )
    assert done.returncode == 0, f"{example.parsed}\n{done.stdout}{done.stderr}"


# Where an example is run that needs no other framework, or not the common ones.
EXAMPLES = {
    "determined": pytest.mark.determined,
    "pieces": pytest.mark.slow,
    "sharded-checkpoints": pytest.mark.slow,
    "slurm": pytest.mark.slow,
    "torchrun": pytest.mark.slow,
}

pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser("sh", run_in_shell),
        written,
        SkipParser(),
    ],
    patterns=["README.md", "docs/*.md", "docs/examples/*.md"],
    setup=enter,
    teardown=leave,
).pytest()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each document together and in its order, whatever the seed: its blocks read on from each other."""
    documents: dict[Path, list[pytest.Item]] = {}
    for item in items:
        if isinstance(item, SybilItem):
            documents.setdefault(item.path, []).append(item)
            if item.path.name == "tutorial.md":
                item.add_marker(pytest.mark.slow)  # a dozen programs, each of which imports torch
            elif item.path.parent.name == "examples":
                item.add_marker(EXAMPLES.get(item.path.stem, pytest.mark.hosts))
    blocks = [
        block
        for document in documents.values()
        for block in sorted(document, key=lambda block: block.location[1] or 0)
    ]
    items[:] = [item for item in items if not isinstance(item, SybilItem)] + blocks
