"""Where and as what a config is written."""

from pathlib import Path

import pytest
from attrs import frozen

from treadle_config import DumpError, TreadleConfigError, dump, resolve, run_cli


@frozen
class Config:
    name: str = "run"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.toml", "a.toml has the suffix '.toml'; a config is written as .json, .yaml or .yml"),
        ("a", "a has the suffix ''; a config is written as .json, .yaml or .yml"),
        ("", "'' has the suffix ''; a config is written as .json, .yaml or .yml"),
        (
            "runs/7/a.json",
            "runs/7/a.json cannot be written: runs/7 is no folder; make it first",
        ),
        ("file/a.json", "file/a.json cannot be written: file is no folder; make it first"),
        ("a\0.json", r"'a\x00.json' is a path that no file can have"),
    ],
)
def test_a_path_that_cannot_be_written_to_is_one_kind_of_error(
    path, expected, tmp_path, monkeypatch
):
    """It names the path that was given, and leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    said = []
    for write in (lambda: dump(Config(), path), lambda: resolve(Config).dump("source", path)):
        with pytest.raises(DumpError) as caught:
            write()
        said.append(str(caught.value))

    assert ([expected] * 2, ["file"], True) == (
        said,
        [one.name for one in tmp_path.iterdir()],
        issubclass(DumpError, TreadleConfigError),
    )


def test_what_the_system_refuses_is_said_of_the_path_that_was_given(tmp_path, monkeypatch):
    """The file beside it, which is moved over it, is nobody's concern."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.json").mkdir()
    long = f"{'x' * 300}.json"
    said = []
    for path in ("folder.json", long):
        with pytest.raises(OSError, match="json") as caught:
            dump(Config(), path)
        said.append((type(caught.value), caught.value.filename, caught.value.filename2))

    assert (
        [(IsADirectoryError, "folder.json", None), (OSError, long, None)],
        ["folder.json"],
    ) == (said, [one.name for one in tmp_path.iterdir()])


@frozen
class Folder:
    path: Path | str = "data"


def test_a_config_that_no_command_line_gives_is_one_line(capsys):
    """Where a program is asked for one, its exit code is that of what cannot be printed."""

    def main(config: Folder) -> None:
        raise AssertionError(config)

    with pytest.raises(SystemExit) as caught:
        run_cli(main, Folder("mine"), argv=["--print-config=argv"], prog="train.py")

    assert (1, "", "train.py: no command line gives this config: path is 'mine'\n") == (
        caught.value.code,
        *capsys.readouterr(),
    )
