"""`artifacts`."""

import json
from pathlib import Path

import pytest

from treadle_tracking.commands import main
from treadle_tracking.reading.directories import DirectoryReader

BASELINE = "3f2a91bc6f0d4e1c9a7be2d15f60c834"


def test_artifacts_are_listed(five_runs, capsys):
    """With their sizes, where those are known without a download."""
    assert 0 == main(["artifacts", "runs", "3f2a"])
    assert ("   SIZE  PATH\n 4.1 kB  models/last.bin\n5 bytes  notes.md\n", "") == (
        capsys.readouterr()
    )


def test_a_run_without_artifacts(five_runs, capsys):
    """It is said, and nothing has gone wrong."""
    assert 0 == main(["artifacts", "runs", "wider"])
    assert ("PATH\n", "treadle: the run 'wider' has no artifacts\n") == capsys.readouterr()


def test_artifacts_are_listed_as_json(five_runs, capsys):
    """Sizes are in bytes."""
    main(["artifacts", "runs", "3f2a", "--json"])

    assert {
        "uid": BASELINE,
        "target": f"tensorboard:{five_runs}",
        "artifacts": [
            {"path": "models/last.bin", "size": 4096},
            {"path": "notes.md", "size": 5},
        ],
    } == json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["--all"], ["models/last.bin", "notes.md"]),
        (["notes.md"], ["notes.md"]),
        (["models"], ["models/last.bin"]),
        (["models/", "./notes.md", "models/last.bin"], ["models/last.bin", "notes.md"]),
    ],
)
def test_artifacts_are_downloaded(five_runs, tmp_path, capsys, arguments, files):
    """All of them, some, or a folder of them; each is told when it is there."""
    assert 0 == main(["artifacts", "runs", "3f2a", *arguments, "--out", "here/there"])
    assert ("".join(f"here/there/{file}\n" for file in files), "") == capsys.readouterr()
    assert files == sorted(
        str(file.relative_to(tmp_path / "here/there"))
        for file in (tmp_path / "here/there").rglob("*")
        if file.is_file()
    )
    for file in files:
        original = five_runs / "digits/baseline/artifacts" / file
        assert original.read_bytes() == (tmp_path / "here/there" / file).read_bytes()


def test_a_download_is_told_as_json(five_runs, tmp_path, capsys):
    """With where each file is."""
    main(["artifacts", "runs", "3f2a", "notes.md", "--out", "here", "--json"])

    assert [{"path": "notes.md", "size": 5, "file": f"{tmp_path}/here/notes.md"}] == (
        json.loads(capsys.readouterr().out)["artifacts"]
    )


def test_files_that_are_there_stay_as_they_are(five_runs, tmp_path, capsys):
    """Nothing is downloaded then, unless it is forced."""
    arguments = ["artifacts", "runs", "3f2a", "--all", "--out", "here"]
    (tmp_path / "here").mkdir()
    (tmp_path / "here/notes.md").write_text("mine")

    first = main(arguments)
    left = [path.name for path in (tmp_path / "here").iterdir()], capsys.readouterr().err
    second = main([*arguments, "--force"])

    assert (2, 0) == (first, second)
    assert (
        ["notes.md"],
        "treadle: 'here/notes.md' would be replaced: give --force if you want that\n",
    ) == left
    assert "fine\n" == (tmp_path / "here/notes.md").read_text()


@pytest.fixture
def hostile(five_runs, monkeypatch):
    """A function that lets the runs have an artifact of any name."""

    def bears(name):
        from attrs import evolve

        runs = DirectoryReader.runs

        def with_it(self, conditions=()):
            for run in runs(self, conditions):
                contents = evolve(run.known_contents, artifacts=(name, "notes.md"))
                yield evolve(run, known_contents=contents)

        monkeypatch.setattr(DirectoryReader, "runs", with_it)

    return bears


@pytest.mark.parametrize(
    "name", ["../escaped", "/tmp/escaped", "a/../../escaped", "link/escaped", "..", "a\0b"]
)
def test_nothing_is_written_elsewhere(five_runs, tmp_path, hostile, capsys, name):
    """Whatever an artifact is called, and wherever a link leads."""
    hostile(name)
    (tmp_path / "here").mkdir()
    (tmp_path / "here/link").symlink_to(tmp_path)

    assert 2 == main(["artifacts", "runs", "3f2a", "--all", "--out", "here"])
    assert (
        f"treadle: the artifact {name!r} would be written outside of 'here'. Name the others by their paths\n"
        == capsys.readouterr().err
    )
    assert not (tmp_path / "escaped").exists()
    assert not Path("/tmp/escaped").exists()


def test_an_artifact_that_is_gone_is_named(five_runs, tmp_path, capsys):
    """The others are downloaded, and nothing is left of it."""
    (five_runs / "digits/baseline/artifacts/models/last.bin").unlink()

    assert 1 == main(["artifacts", "runs", "3f2a", "--all", "--out", "here"])

    out, err = capsys.readouterr()
    assert "here/notes.md\n" == out
    assert err.startswith("treadle: the artifact 'models/last.bin' is unavailable: ")
    assert ["here/notes.md"] == [
        str(path.relative_to(tmp_path)) for path in Path("here").resolve().rglob("*.*")
    ]


def test_half_a_file_is_never_there(five_runs, tmp_path, monkeypatch):
    """Ctrl-C in the middle of it leaves what is whole."""

    def interrupted(self, run, path, file):
        file.write_bytes(b"half")
        if path != "models/last.bin":
            raise KeyboardInterrupt

    monkeypatch.setattr(DirectoryReader, "download", interrupted)

    assert 130 == main(["artifacts", "runs", "3f2a", "--all", "--out", "here"])
    assert [tmp_path / "here/models/last.bin"] == [
        path for path in (tmp_path / "here").rglob("*") if path.is_file()
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["3f2a", "--all", "notes.md", "--out", "x"],
            "--all is all of them: name no PATH beside it",
        ),
        (
            ["3f2a", "--all", "--out", "file"],
            (
                "--out is 'file', and 'file' is a file: name the directory that artifacts are downloaded to, which is made if "
                "it is not there"
            ),
        ),
        (
            ["3f2a", "--all", "--out", "file/x/y"],
            (
                "--out is 'file/x/y', and 'file' is a file: name the directory that artifacts are downloaded to, which is made "
                "if it is not there"
            ),
        ),
        (
            ["3f2a", "models", "--out", "here"],
            (
                "there is a file where the directory 'here/models' is to be, for the artifact 'models/last.bin': name another "
                "directory with --out, or move the file"
            ),
        ),
        (
            ["3f2a", "notes.md"],
            "say where to: --out DIR is the directory that artifacts are downloaded to",
        ),
        (
            ["3f2a", "--out", "x"],
            "say what to download to --out: a PATH, as they are listed without it, or --all",
        ),
        (
            ["3f2a", "--all", "--out", ""],
            "--out is '', which names no directory. The current one is --out .",
        ),
        (["3f2a", "--force"], "--force is for downloads: it replaces files that are there"),
        (
            ["3f2a", "note.md", "--out", "x"],
            "the run 'baseline' has no artifact 'note.md'. Did you mean 'notes.md'?",
        ),
        (
            ["3f2a", "/", "--out", "x"],
            "the run 'baseline' has no artifact '/'. There is 'models/last.bin', 'notes.md'.",
        ),
    ],
)
def test_a_wrong_call_is_told(five_runs, tmp_path, capsys, arguments, said):
    """And nothing is written."""
    (tmp_path / "file").touch()
    (tmp_path / "here").mkdir()
    (tmp_path / "here/models").touch()

    assert 2 == main(["artifacts", "runs", *arguments])
    assert f"treadle: {said}\n" == capsys.readouterr().err
    assert not (tmp_path / "x").exists()
