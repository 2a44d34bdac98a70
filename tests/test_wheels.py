"""What is in the wheels, and what they ask for."""

import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

NEEDS = {
    "units": set(),
    "config": {"attrs>=25.1", "cattrs>=25.1"},
    "loop": {"torch>=2.4"},
    "tracking": {"attrs>=25.1", "google-crc32c>=1.5", "lark>=1.2", "protobuf>=5.29"},
    "treadle": {
        "treadle-config<0.2,>=0.1",
        "treadle-loop<0.2,>=0.1",
        "treadle-tracking<0.2,>=0.1",
        "treadle-units<0.2,>=0.1",
    },
}
EXTRAS = {
    "units": set(),
    "config": {"all", "yaml"},
    "loop": set(),
    "tracking": {"all", "frames", "images", "mlflow", "mlflow-ui", "plots", "tensorboard"},
    "treadle": {"all", "demo", "lightning", "progress", "ray"},
}


@pytest.fixture(scope="module")
def wheels(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A wheel of each package, built offline by hatchling itself."""
    built = {}
    for package in NEEDS:
        out = tmp_path_factory.mktemp(package)
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
            cwd=root / "packages" / package,
            check=True,
            capture_output=True,
        )
        [built[package]] = out.glob("*.whl")
    return built


@pytest.mark.parametrize("package", NEEDS)
def test_a_wheel_holds_its_module_alone(package: str, wheels: dict[str, Path]) -> None:
    """A wheel has one top-level module, typed, with its licence in the metadata."""
    module = "treadle" if package == "treadle" else f"treadle_{package}"
    info = f"{module}-0.1.0.dist-info"
    with zipfile.ZipFile(wheels[package]) as wheel:
        names = wheel.namelist()

    assert {module, info} == {name.partition("/")[0] for name in names}
    assert {f"{module}/py.typed", f"{info}/licenses/LICENSE"} <= set(names)


@pytest.mark.parametrize("package", NEEDS)
def test_a_wheel_asks_for_what_it_needs(package: str, wheels: dict[str, Path]) -> None:
    """A wheel requires its package's dependencies and no other, and offers its extras."""
    with zipfile.ZipFile(wheels[package]) as wheel:
        [path] = [name for name in wheel.namelist() if name.endswith("/METADATA")]
        metadata = HeaderParser().parsestr(wheel.read(path).decode())
    required = metadata.get_all("Requires-Dist", [])

    assert NEEDS[package] == {need for need in required if "extra ==" not in need}
    assert EXTRAS[package] == set(metadata.get_all("Provides-Extra", []))
    assert ">=3.11" == metadata["Requires-Python"]
    assert "Apache-2.0" == metadata["License-Expression"]


@pytest.mark.parametrize("package", NEEDS)
def test_a_package_carries_the_licence(package: str, root: Path) -> None:
    """Each package has the licence as a file of its own: a link would lead out of its source distribution."""
    licence = root / "packages" / package / "LICENSE"

    assert not licence.is_symlink()
    assert (root / "LICENSE").read_text() == licence.read_text()
