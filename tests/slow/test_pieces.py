"""The page about the pieces: each of its programs, with the one wheel that it is about."""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# What each brings along, as the page says.
BROUGHT = {
    "units": set(),
    "config": {"attrs", "cattrs", "typing_extensions"},  # the third is what cattrs needs
    "tracking": {"attrs", "protobuf", "google-crc32c", "lark"},
}


@pytest.mark.parametrize("package", BROUGHT)
def test_a_piece_runs_alone(package: str, root: Path, tmp_path: Path) -> None:
    """What the page shows of a library runs with its wheel, and what that brings is what the page says."""
    page = (root / "docs/examples/pieces.md").read_text()
    [section] = [one for one in page.split("\n## ") if f"pip install treadle-{package}\n" in one]
    for title, text in re.findall(
        r'^```\w+ title="(.+?)"\n(.*?)^```$', section, re.DOTALL | re.MULTILINE
    ):
        (tmp_path / title).write_text(text)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "wheels")],
        cwd=root / "packages" / package,
        check=True,
        capture_output=True,
    )
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    [wheel] = (tmp_path / "wheels").iterdir()
    subprocess.run([python, "-m", "pip", "install", "-q", wheel], check=True, capture_output=True)
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True
    )
    brought = {line.partition("==")[0] for line in listed.stdout.splitlines()}
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = [
        subprocess.run(
            ["bash", "-e", "-c", commands],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for commands in re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    ]

    assert BROUGHT[package] == brought - {"pip", "setuptools", f"treadle-{package}"}
    assert [(0, 1)] == [(run.returncode, len(done)) for run in done], [run.stderr for run in done]
