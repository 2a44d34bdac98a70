"""Each package alone: its wheel and what it declares, in an environment of its own, far from the checkout."""

import os
import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

PACKAGES = ["units", "config", "loop", "tracking", "treadle"]
TOOLS = ["pytest", "pytest-randomly", "pytest-timeout", "hypothesis", "sybil"]


class Environment(NamedTuple):
    package: str
    python: Path
    home: Path

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        variables = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=cwd or self.home,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )


def torch_pin(root: Path) -> str:
    """The one torch that the workspace is developed with."""
    groups = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]
    [pin] = [need for need in groups["dev"] if isinstance(need, str) and need.startswith("torch==")]
    return str(pin)


@pytest.fixture(scope="module")
def wheels(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheels")
    for package in PACKAGES:
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
            cwd=root / "packages" / package,
            check=True,
            capture_output=True,
        )
    return out


@pytest.fixture(scope="module", params=PACKAGES)
def alone(
    request: pytest.FixtureRequest,
    wheels: Path,
    root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Environment]:
    package: str = request.param
    home = tmp_path_factory.mktemp(f"alone-{package}")
    venv.create(home / "env", with_pip=True)
    environment = Environment(package, home / "env" / "bin" / "python", home)
    name = "treadle" if package == "treadle" else f"treadle-{package}"
    # torch is what the package asks for; only its version is chosen here, so that no CUDA build comes.
    pins = [torch_pin(root)] if package in {"loop", "treadle"} else []
    done = environment.run(
        "-m", "pip", "install", "-q", "--find-links", str(wheels), f"{name}==0.1.0", *pins
    )
    assert done.returncode == 0, done.stderr
    return environment


def run_first_example(alone: Environment, document: Path) -> subprocess.CompletedProcess[str]:
    first = re.search(r"^```python\n(.*?)^```$", document.read_text(), re.DOTALL | re.MULTILINE)
    assert first is not None
    work = alone.home / "work"
    work.mkdir(exist_ok=True)
    (work / "example.py").write_text(first.group(1))
    # torch says this of itself where there is no NumPy, which none of the packages needs.
    filters = ["-W", "error", "-W", "ignore:Failed to initialize NumPy:UserWarning"]
    return alone.run(*filters, "example.py", cwd=work)


def test_the_first_example_runs(alone: Environment, root: Path) -> None:
    """The first example of a package's README runs with its wheel and dependencies alone."""
    done = run_first_example(alone, root / "packages" / alone.package / "README.md")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("alone", ["units"], indirect=True)
def test_the_guide_begins_alone(alone: Environment, root: Path) -> None:
    """The first example of a guide that stands alone runs with the wheel of its package alone."""
    done = run_first_example(alone, root / "docs" / f"{alone.package}.md")

    assert (done.returncode, done.stderr) == (0, "")


def test_the_package_passes_its_tests(alone: Environment, root: Path) -> None:
    """A package passes its own tests against its wheel, with its declared dependencies alone."""
    tools = [*TOOLS, "numpy"] if alone.package in {"loop", "treadle"} else TOOLS
    done = alone.run("-m", "pip", "install", "-q", *tools)
    assert done.returncode == 0, done.stderr
    done = alone.run(
        *["-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=300"],
        *["-c", str(root / "pyproject.toml"), "--rootdir", str(root)],
        str(root / "packages" / alone.package / "tests"),
        cwd=alone.home,
    )

    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
