import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking.directory import artifact_path, make_run_directory, safe_name
from treadle_tracking.errors import RunDirectoryError

NAMES = st.text(min_size=1)


@given(NAMES)
def test_a_safe_name_is_one_part_of_a_path(name):
    """Whatever the name, what is made of it is one short printable part that is neither `.` nor `..`."""
    safe = safe_name(name)

    assert safe not in {".", ".."}
    assert not set(safe) & set('/\\:*?"<>|\0')
    assert safe.isprintable()
    assert 0 < len(safe.encode()) <= 200


@given(NAMES, NAMES)
def test_different_names_are_different_directories(one, other):
    """No two names share a safe name."""
    assert (one == other) == (safe_name(one) == safe_name(other))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("baseline", "baseline"),
        ("Größe 2", "Größe 2"),
        ("team/digits", "team%2Fdigits"),
        ("..", "%2E%2E"),
        (".hidden", ".hidden"),
        ("50%", "50%25"),
        ("a\nb", "a%0Ab"),
    ],
)
def test_only_what_is_unsafe_is_encoded(name, expected):
    """Ordinary names stay readable; separators, control characters and dots alone are percent-encoded."""
    assert expected == safe_name(name)


def test_long_names_stay_different():
    """Names beyond what a file system takes are cut, and their hash keeps them apart."""
    one, other = safe_name("ü" * 5000 + "1"), safe_name("ü" * 5000 + "2")

    assert one != other
    assert "ü" * 90 == one[:90]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model.pt", "model.pt"),
        ("a/b/c.txt", "a/b/c.txt"),
        ("../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd"),
        ("/etc//passwd", "etc/passwd"),
    ],
)
def test_an_artifact_stays_below_its_directory(name, expected):
    """No name of an artifact leads out of `artifacts/`."""
    assert expected == str(artifact_path(name))


def test_a_taken_name_is_numbered(tmp_path):
    """Runs of one name are in `name`, `name-2`, `name-3`."""
    made = [make_run_directory(tmp_path, "digits", "a").name for _ in range(3)]

    assert ["a", "a-2", "a-3"] == made


def test_processes_that_race_for_a_name_get_different_directories(tmp_path):
    """Four processes that make directories of one name at once share none."""
    script = (
        "import sys; from pathlib import Path; from treadle_tracking.directory import make_run_directory\n"
        "for _ in range(25): print(make_run_directory(Path(sys.argv[1]), 'e', 'run'))"
    )
    racing = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    made = [line for process in racing for line in process.communicate()[0].splitlines()]

    assert 100 == len(made) == len(set(made))


def test_a_file_in_the_way_is_one_clear_error(tmp_path):
    """A root that is a file is an error that names it, and nothing was made."""
    root = tmp_path / "runs"
    root.write_text("a file")
    with pytest.raises(RunDirectoryError) as caught:
        make_run_directory(root, "digits", "a")

    assert (
        f"{root}: no run directory can be made here: Not a directory ({root}/digits). "
        f"Name a directory that can be written to"
    ) == str(caught.value)
    assert [root] == list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_unwritable_root_is_one_clear_error(tmp_path):
    """Where the user may not write, the error names the directory, and nothing is made."""
    script = (
        "import sys; sys.path[:] = sys.argv[2].split(':')\n"
        "from treadle_tracking import start_run, RunDirectoryError\n"
        "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: start_run('tensorboard:' + sys.argv[1], experiment='digits')\n"
        "except RunDirectoryError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), ":".join(sys.path)],
        check=True,
        capture_output=True,
        text=True,
    )

    assert (
        f"{tmp_path}: no run directory can be made here: Permission denied ({tmp_path}/digits). "
        f"Name a directory that can be written to\n"
    ) == done.stdout
    assert [] == list(tmp_path.iterdir())
