"""Kinds of places that other packages bring."""

import importlib.metadata
import subprocess
import sys
import textwrap

import pytest

from treadle_tracking.backends import (
    BackendClash,
    BackendNotLoaded,
    BackendUnfit,
    BackendWithoutMirror,
    BackendWithoutReader,
    installed_schemes,
    mirror,
    reader,
)
from treadle_tracking.errors import InvalidTarget
from treadle_tracking.reading import Reader, open_runs
from treadle_tracking.target import parse_targets

BACKEND = """
    class Kept:
        identity = None

        def __init__(self, uri):
            self.uri = uri

        def open(self, started, directory): ...
        def send(self, entries): ...
        def close(self): ...

    def normalized(address):
        return f"/absolute/{address}"

    def mirror(address):
        return Kept(f"kept:{address}")
"""

READER = """
    class Found:
        def __init__(self, target):
            self.target = target

        def runs(self, conditions=()): return iter(())
        def histories(self, runs, names=None): return iter(())
        def contents(self, run): ...
        def entries(self, run): ...
        def download(self, run, path, file): ...
        def close(self): ...

    def reader(address):
        return Found(f"kept:{address}")
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that puts a package on the path: its modules are named for it, and it claims schemes."""

    def _install(package, claims, code=BACKEND):
        folder = tmp_path / f"site-{package}"
        metadata = folder / f"{package}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        lines = [f"{scheme} = {value}" for scheme, value in claims.items()]
        (metadata / "entry_points.txt").write_text(
            "\n".join(["[treadle_tracking.backends]", *lines, ""])
        )
        (folder / f"{package}.py").write_text(textwrap.dedent(code))
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, package, raising=False)
        return folder

    return _install


@pytest.fixture
def no_search(monkeypatch):
    """Looking at what is installed is an error."""

    def search(**_):
        raise AssertionError("what is installed was looked at")

    monkeypatch.setattr(importlib.metadata, "entry_points", search)


def test_an_installed_backend_makes_the_mirror(install):
    """A scheme that a package has an entry point of is a target, in the form that its backend gives it."""
    install("shelf", {"kept": "shelf"})

    uris = parse_targets(["tensorboard:runs", "kept:a:b", "mlflow:http://host"]).mirrors

    assert (("kept:/absolute/a:b", "mlflow:http://host"), "kept:/absolute/a:b") == (
        uris,
        mirror(uris[0]).uri,
    )


def test_a_backend_may_be_an_object_and_take_addresses_as_they_are(install):
    """An entry point names a module or something in one, and `normalized` is left out where it is not needed."""
    code = textwrap.dedent(BACKEND).replace("def normalized", "def unused")
    code += "class Shelf:\n    mirror = staticmethod(mirror)\nshelf = Shelf()\n"
    install("shelves", {"kept": "shelves:shelf"}, code)

    [uri] = parse_targets("kept:a b").mirrors

    assert ("kept:a b", "kept:a b") == (uri, mirror(uri).uri)


@pytest.mark.parametrize("target", ["tensorboard:a b,c", "mlflow:http://host", "mlflow:"])
def test_our_own_places_are_known_without_a_search(no_search, monkeypatch, tmp_path, target):
    """Nobody who uses what comes with the package pays for what others have installed."""
    monkeypatch.chdir(tmp_path)

    assert parse_targets(target) == parse_targets([target])


def test_a_run_without_other_backends_does_not_load_the_search(tmp_path):
    """The module that reads what is installed, which takes longer than our own import, is not loaded."""
    code = (
        "import sys; from treadle_tracking.target import parse_targets; parse_targets('tensorboard:runs'); "
        "print('importlib.metadata' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    )

    assert "False\n" == ran.stdout


def test_an_unknown_scheme_is_told_what_is_installed(install):
    """The message has the schemes of other packages too, and may suggest one."""
    install("shelf", {"kept": "shelf", "stored": "shelf"})

    with pytest.raises(InvalidTarget) as caught:
        parse_targets("kepd:a")

    assert (
        "target 'kepd:a' names no place that is known; expected 'tensorboard:DIR', 'mlflow:URI', 'kept:…' or "
        "'stored:…'. Did you mean 'kept:a'?"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "tensorboard:runs, kept:a",
            (
                "target 'tensorboard:runs, kept:a' is 2 targets in one text. "
                "Give a list of them: ['tensorboard:runs', 'kept:a']"
            ),
        ),
        (" kept:a", "target ' kept:a' has blanks around its parts. Did you mean 'kept:a'?"),
    ],
)
def test_installed_schemes_are_looked_for_in_texts(install, target, message):
    """Several targets in one text, and blanks around one, are told whoever brought the scheme."""
    install("shelf", {"kept": "shelf"})

    with pytest.raises(InvalidTarget) as caught:
        parse_targets(target)

    assert message == str(caught.value)


def test_two_packages_of_one_scheme_are_an_error(install):
    """Neither is chosen by chance."""
    install("shelf", {"kept": "shelf"})
    install("board", {"kept": "board:thing"})

    with pytest.raises(BackendClash) as caught:
        parse_targets("kept:a")

    assert (
        "2 installed packages have a backend of 'kept:': board:thing of board 1.0, shelf of shelf 1.0. "
        "Uninstall all but one of them"
    ) == str(caught.value)


def test_a_package_found_twice_is_one(install, monkeypatch):
    """A folder that is on the path twice, or an older copy behind a newer, is no second claim."""
    folder = install("shelf", {"kept": "shelf"})
    monkeypatch.syspath_prepend(f"{folder}/")

    assert ["kept"] == installed_schemes()
    assert ("kept:/absolute/a",) == parse_targets("kept:a").mirrors


def test_nobody_takes_our_schemes(install):
    """A package that claims `mlflow` or `tensorboard` changes nothing."""
    install("shelf", {"mlflow": "shelf", "tensorboard": "shelf"})

    assert ([], ("mlflow:http://host",)) == (
        installed_schemes(),
        parse_targets("mlflow:http://host").mirrors,
    )


def test_a_backend_that_cannot_be_imported_is_named(install):
    """What is missing is said with the package that misses it."""
    install("shelf", {"kept": "shelf"}, "import a_library_that_nobody_has\n")

    with pytest.raises(BackendNotLoaded) as caught:
        parse_targets("kept:a")

    assert (
        "the backend of 'kept:', shelf of shelf 1.0, cannot be imported (ModuleNotFoundError: No module named "
        "'a_library_that_nobody_has'). Update that package, or install what it lacks"
    ) == str(caught.value)


def test_a_backend_may_have_no_mirror(install):
    """A place that can only be read from says that nothing can be sent there."""
    install("shelf", {"kept": "shelf"}, "def reader(address): ...\n")

    with pytest.raises(BackendWithoutMirror) as caught:
        mirror("kept:https://me:secret@host")

    assert (
        "target 'kept:https://***@host' cannot be sent a run: the backend of 'kept:', shelf of shelf 1.0, has no "
        "function `mirror`"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("def mirror(address): return 5", "has made 5 (int), which is no mirror"),
        (
            textwrap.dedent(BACKEND).replace('f"kept:{address}"', "address"),
            "has made a mirror whose uri does not begin with 'kept:'",
        ),
        (BACKEND, "has made a mirror whose uri shows a secret of 'kept:https://***@host'"),
    ],
)
def test_what_is_made_has_to_be_a_mirror_that_can_be_kept(install, code, problem):
    """A run finds out at its start, and not in a thread, and no secret is written down for lack of care."""
    install("shelf", {"kept": "shelf"}, code)

    with pytest.raises(BackendUnfit) as caught:
        mirror("kept:https://me:secret@host")

    assert (
        f"the backend of 'kept:', shelf of shelf 1.0, {problem}. Whoever wrote it finds that out with "
        f"treadle_tracking.testing.MirrorConformance"
    ) == str(caught.value)


def test_what_a_backend_says_of_an_address_is_what_the_user_reads(install):
    """An error of its own is not wrapped."""
    install("shelf", {"kept": "shelf"}, "def normalized(address): raise ValueError('no shelf')\n")

    with pytest.raises(ValueError) as caught:
        parse_targets("kept:a")

    assert "no shelf" == str(caught.value)


def test_an_installed_backend_makes_the_reader(install):
    """Runs are opened by the scheme that a package has an entry point of; one that is only read from has no mirror."""
    install("shelf", {"kept": "shelf"}, READER)

    runs = open_runs("kept:a b")

    assert ("kept:a b", 0) == (runs.target, len(runs))
    assert isinstance(reader("kept:a b"), Reader)


def test_a_reader_gets_the_address_that_its_backend_makes(install):
    """What `normalized` gives is what is opened."""
    install(
        "shelf",
        {"kept": "shelf"},
        textwrap.dedent(READER) + "def normalized(address): return f'/absolute/{address}'\n",
    )

    assert "kept:/absolute/a" == open_runs("kept:a").target


def test_a_backend_may_have_no_reader(install):
    """A place that runs can only be sent to says that nothing can be read there, without the secrets of its address."""
    install("shelf", {"kept": "shelf"}, textwrap.dedent(BACKEND).replace("/absolute/", ""))

    with pytest.raises(BackendWithoutReader) as caught:
        open_runs("kept:https://me:secret@host")

    assert (
        "runs cannot be read from 'kept:https://***@host': the backend of 'kept:', shelf of shelf 1.0, has no "
        "function `reader`"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("def reader(address): return 5", "has made 5 (int), which is no reader"),
        (
            textwrap.dedent(READER).replace('f"kept:{address}"', "address"),
            "has made a reader whose target does not begin with 'kept:'",
        ),
        (READER, "has made a reader whose target shows a secret of 'kept:https://***@host'"),
    ],
)
def test_what_is_made_has_to_be_a_reader_that_can_be_named(install, code, problem):
    """Whoever opens runs finds out at once, and no secret is shown for lack of care."""
    install("shelf", {"kept": "shelf"}, code)

    with pytest.raises(BackendUnfit) as caught:
        reader("kept:https://me:secret@host")

    assert (
        f"the backend of 'kept:', shelf of shelf 1.0, {problem}. Whoever wrote it finds that out with "
        f"treadle_tracking.testing.ReaderConformance"
    ) == str(caught.value)


def test_a_reader_without_all_of_its_functions_is_none(install):
    """One that lacks a method is told before it is asked for it."""
    install("shelf", {"kept": "shelf"}, textwrap.dedent(READER).replace("def close", "def shut"))

    with pytest.raises(BackendUnfit) as caught:
        reader("kept:a")

    assert "has made <shelf.Found object at 0x" in str(caught.value)
    assert "(Found), which is no reader. Whoever" in str(caught.value)


def test_of_two_packages_none_is_read_from_by_chance(install):
    """A clash is told when runs are opened, too."""
    install("shelf", {"kept": "shelf"}, READER)
    install("board", {"kept": "board"}, READER)

    with pytest.raises(BackendClash) as caught:
        open_runs("kept:a")

    assert (
        "2 installed packages have a backend of 'kept:': board of board 1.0, shelf of shelf 1.0. "
        "Uninstall all but one of them"
    ) == str(caught.value)


def test_a_reader_that_cannot_be_imported_is_named(install):
    """What is missing is said with the package that misses it."""
    install("shelf", {"kept": "shelf"}, "import a_library_that_nobody_has\n")

    with pytest.raises(BackendNotLoaded) as caught:
        open_runs("kept:a")

    assert (
        "the backend of 'kept:', shelf of shelf 1.0, cannot be imported (ModuleNotFoundError: No module named "
        "'a_library_that_nobody_has'). Update that package, or install what it lacks"
    ) == str(caught.value)


def test_an_unknown_scheme_is_told_when_runs_are_opened(install):
    """The message has the schemes of other packages, too."""
    install("shelf", {"kept": "shelf"}, READER)

    with pytest.raises(InvalidTarget) as caught:
        open_runs("kepd:a")

    assert (
        "target 'kepd:a' names no place that is known; expected 'tensorboard:DIR', 'mlflow:URI' or 'kept:…'. "
        "Did you mean 'kept:a'?"
    ) == str(caught.value)


def test_what_a_reader_says_of_an_address_is_what_the_user_reads(install):
    """An error of its own is not wrapped."""
    install("shelf", {"kept": "shelf"}, "def reader(address): raise ValueError('no shelf')\n")

    with pytest.raises(ValueError) as caught:
        open_runs("kept:a")

    assert "no shelf" == str(caught.value)
