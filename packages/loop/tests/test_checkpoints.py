"""Checkpoints: atomic, plain, and never read by running them."""

import errno
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter, OrderedDict
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from treadle_loop.atomic_files import ABANDONED_SECONDS, replacing
from treadle_loop.checkpoints import list_checkpoints, load_checkpoint, save_checkpoint
from treadle_loop.errors import (
    CheckpointNotPlain,
    CheckpointNotWritten,
    CheckpointUnreadable,
    InvalidSetting,
    NoCheckpoint,
    StepGoesBack,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def partials(folder):
    return [name for name in names(folder) if name.endswith(".partial")]


def leave_half_a_file(folder):
    """Let a process be killed while it writes into the folder."""
    child = os.fork()
    if not child:
        with replacing(folder / "step-00000007.pt"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


@contextmanager
def mounted(folder, *arguments):
    folder.mkdir(exist_ok=True)
    if shutil.which("mount") is None:
        pytest.skip("needs mount")
    mount = ["mount", *arguments, str(folder)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"may not mount: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_what_was_saved_comes_back(tmp_path, network, same):
    """A model, an optimizer, a schedule and counts are the same to the last bit after a load."""
    model = network("conv")
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 3, 5])
    model(torch.randn(2, 1, 8, 8)).sum().backward()
    optimizer.step()
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "random": [random.getstate(), torch.get_rng_state()],
        "bfloat16": torch.ones(2, dtype=torch.bfloat16),
        "step": 1,
    }

    path = save_checkpoint(tmp_path / "runs" / "first", state, step=1)

    assert tmp_path / "runs" / "first" / "step-00000001.pt" == path
    assert ["step-00000001.pt"] == names(path.parent)
    assert same(state, load_checkpoint(path))
    assert same(state, load_checkpoint(str(path.parent)))


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters())
    | st.binary(min_size=1)
    | st.sampled_from([torch.float32, torch.Size([2, 3]), torch.device("cpu")])
)
keys = st.text() | st.integers() | st.tuples(st.integers(), st.binary(min_size=1))
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(keys, inner)
        | st.dictionaries(keys, inner).map(OrderedDict)
        | st.dictionaries(keys, st.integers()).map(Counter)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(state=st.dictionaries(keys, trees))
def test_whatever_is_accepted_can_be_loaded(state, tmp_path_factory):
    """Every plain tree is read back equal, with the types it had."""
    path = save_checkpoint(tmp_path_factory.mktemp("any"), state, step=0)

    assert repr(state) == repr(load_checkpoint(path))


def test_shared_and_circular_containers_come_back(tmp_path):
    """A tensor in two places is one tensor again, and a list in itself is no endless walk."""
    shared, circle = torch.ones(3), []
    circle.append(circle)

    loaded = load_checkpoint(
        save_checkpoint(tmp_path, {"a": shared, "b": [shared], "c": circle}, step=0)
    )

    assert loaded["a"].data_ptr() == loaded["b"][0].data_ptr()
    assert loaded["c"] is loaded["c"][0]


class Piece(torch.Tensor):
    """A subclass, as distributed tensors are."""


def tagged(value):
    tensor = torch.ones(1)
    tensor.origin = value
    return tensor


PLAIN = "keep dicts, lists, tuples, str, bytes, int, float, bool, None and tensors"


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            {"run": {"started": datetime(2026, 1, 1)}},  # noqa: DTZ001
            (
                'state["run"]["started"] is a datetime.datetime, which could not be read back without '
                f"running code; {PLAIN}"
            ),
        ),
        (
            {"seen": [1, (2, {3})]},
            (
                'state["seen"][1][1] is a set, which could not be read back without running code; '
                f"{PLAIN}"
            ),
        ),
        (
            {7: {Path("a"): 1}},
            (
                f"a key of state[7] is a {type(Path()).__module__}.PosixPath, which could not be read back without "
                f"running code; {PLAIN}"
            ),
        ),
        (
            {"tagged": tagged(object())},
            (
                'state["tagged"].origin is a object, which could not be read back without running '
                f"code; {PLAIN}"
            ),
        ),
        (
            {"raw": [b"0", b""]},
            (
                "state[\"raw\"][1] is b'', an empty bytes, which torch saves as a call and would refuse "
                "to read back; keep None or an empty str in its place"
            ),
        ),
        (
            {"weight": torch.ones(2).as_subclass(Piece)},
            (
                f'state["weight"] is a {__name__}.Piece, and a plain tensor was expected; gather its '
                "whole value first, as a DTensor's full_tensor() does on all ranks"
            ),
        ),
        (
            {"weight": torch.ones(2, device="meta")},
            (
                'state["weight"] is on the meta device, where a tensor has no values, and values were '
                "expected; initialise the model on a real device before you save it"
            ),
        ),
        (
            [1],
            (
                "state is a list, and a dict was expected; give what is saved a name, as in "
                '{"model": model.state_dict()}'
            ),
        ),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(tmp_path, state, message):
    """A value that no load would read is an error that says where it is, and nothing is written."""
    with pytest.raises(CheckpointNotPlain) as caught:
        save_checkpoint(tmp_path / "new", state, step=0)

    assert message == str(caught.value)
    assert not (tmp_path / "new").exists()


def test_numpy_scalars_are_no_floats(tmp_path):
    """A numpy float64, which passes for a float, is refused: it is saved as code."""
    numpy = pytest.importorskip("numpy")

    with pytest.raises(CheckpointNotPlain) as caught:
        save_checkpoint(tmp_path, {"best": numpy.float64(0.5)}, step=0)

    assert str(caught.value).startswith('state["best"] is a numpy.float64, which')


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"step": -1}, "step is -1, and an int of at least 0 was expected"),
        ({"step": 1.0}, "step is 1.0, and an int of at least 0 was expected"),
        ({"step": 1, "keep": 0}, "keep is 0, and an int of at least 1 was expected"),
    ],
)
def test_settings_that_mean_nothing_are_refused(tmp_path, settings, message):
    """A negative step, or a step that is no int, or keeping none, is an error."""
    with pytest.raises(InvalidSetting) as caught:
        save_checkpoint(tmp_path, {}, **settings)

    assert message == str(caught.value)


def test_saving_draws_no_random_number(tmp_path):
    """A save leaves the random states as they were."""
    before = random.getstate(), torch.get_rng_state()

    save_checkpoint(tmp_path, {"weight": torch.ones(3)}, step=0, best=True)

    assert before[0] == random.getstate()
    assert torch.equal(before[1], torch.get_rng_state())


def test_the_newest_stay(tmp_path):
    """With `keep`, the newest so many are there after each save, and other files are not touched."""
    (tmp_path / "step-one.pt").touch()
    for step in (1, 2, 30, 100_000_000):
        save_checkpoint(tmp_path, {"step": step}, step=step, keep=2)

    assert ["step-00000030.pt", "step-100000000.pt"] == [p.name for p in list_checkpoints(tmp_path)]
    assert {"step": 100_000_000} == load_checkpoint(tmp_path)
    assert (tmp_path / "step-one.pt").exists()


def test_all_stay_without_a_limit(tmp_path):
    """Without `keep` nothing is removed, and steps are ordered as numbers."""
    for step in (99_999_999, 100_000_000, 100_000_001):
        save_checkpoint(tmp_path, {}, step=step)

    expected = ["step-99999999.pt", "step-100000000.pt", "step-100000001.pt"]
    assert expected == [path.name for path in list_checkpoints(tmp_path)]


def test_the_same_step_is_replaced(tmp_path):
    """Saving a step again leaves its last state."""
    save_checkpoint(tmp_path, {"try": 1}, step=5)
    save_checkpoint(tmp_path, {"try": 2}, step=5)

    assert {"try": 2} == load_checkpoint(tmp_path)


def test_a_step_before_the_newest_is_refused(tmp_path):
    """A checkpoint that no load of the folder would find is an error."""
    newest = save_checkpoint(tmp_path, {}, step=5)

    with pytest.raises(StepGoesBack) as caught:
        save_checkpoint(tmp_path, {}, step=4)

    assert (
        f"step 4 was to be saved beside {newest}, which is later and would be loaded in its "
        "place; save to another folder, or remove the later ones"
    ) == str(caught.value)
    assert [newest] == list_checkpoints(tmp_path)


def test_the_best_outlives_retention(tmp_path):
    """`best.pt` is the last one marked so, the same file on the disk, and `keep` leaves it."""
    save_checkpoint(tmp_path, {"step": 1}, step=1, keep=1, best=True)
    marked = save_checkpoint(tmp_path, {"step": 2}, step=2, keep=1, best=True)
    linked = (tmp_path / "best.pt").samefile(marked)
    save_checkpoint(tmp_path, {"step": 3}, step=3, keep=1)

    assert linked
    assert ["best.pt", "step-00000003.pt"] == names(tmp_path)
    assert {"step": 2} == load_checkpoint(tmp_path / "best.pt")
    assert {"step": 3} == load_checkpoint(tmp_path)


def test_the_best_is_copied_where_there_are_no_links(tmp_path, monkeypatch):
    """On a file system without hard links, `best.pt` is a copy."""

    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)

    path = save_checkpoint(tmp_path, {"step": 1}, step=1, best=True)

    assert not (tmp_path / "best.pt").samefile(path)
    assert path.read_bytes() == (tmp_path / "best.pt").read_bytes()
    assert ["best.pt", "step-00000001.pt"] == names(tmp_path)


def test_a_file_in_the_way_is_named(tmp_path):
    """A folder that cannot be made is an error that says why, and an OSError with its cause."""
    (tmp_path / "way").touch()
    path = tmp_path / "way" / "checkpoints" / "step-00000001.pt"

    with pytest.raises(CheckpointNotWritten) as caught:
        save_checkpoint(path.parent, {}, step=1)

    assert (
        f"{path} could not be written safely: Not a directory; earlier checkpoints are "
        "untouched, so make room or choose another folder, and save again"
    ) == str(caught.value)
    assert path == caught.value.path
    assert errno.ENOTDIR == caught.value.errno
    assert isinstance(caught.value, OSError)
    assert isinstance(caught.value.__cause__, NotADirectoryError)


def test_an_interrupted_save_leaves_nothing(tmp_path, monkeypatch):
    """Ctrl-C while the file is forced to the disk removes the temporary and reaches the caller."""
    previous = save_checkpoint(tmp_path, {"step": 1}, step=1)

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, {"step": 2}, step=2)

    assert [previous.name] == names(tmp_path)


def test_a_file_is_safe_before_it_gets_its_name(tmp_path, monkeypatch):
    """The content is forced to the disk, then the name, and only then are older ones removed."""
    save_checkpoint(tmp_path, {}, step=1)
    events = []
    sync, replace, unlink = os.fsync, Path.replace, Path.unlink

    def synced(descriptor):
        events.append("folder" if Path(f"/proc/self/fd/{descriptor}").is_dir() else "content")
        sync(descriptor)

    def replaced(path, target):
        events.append("name")
        return replace(path, target)

    def unlinked(path, **options):
        events.append("older")
        unlink(path, **options)

    monkeypatch.setattr("os.fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    monkeypatch.setattr(Path, "unlink", unlinked)
    save_checkpoint(tmp_path, {}, step=2, keep=1)

    assert ["content", "name", "folder", "older"] == events


def test_a_new_folder_outlasts_a_loss_of_power(tmp_path, monkeypatch):
    """Each folder that was made is on the disk by name, from the top down, before the file is."""
    synced, sync = [], os.fsync

    def record(descriptor):
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        sync(descriptor)

    monkeypatch.setattr("os.fsync", record)
    folder = tmp_path / "a" / "b"
    save_checkpoint(folder, {}, step=1)

    assert [tmp_path, tmp_path / "a", folder] == [synced[0], synced[1], synced[3]]
    assert 4 == len(synced)


@pytest.mark.parametrize("kilobytes", [650, 700, 1023, 1024, 1100, 3000])
def test_a_full_disk_leaves_the_previous_one(tmp_path, kilobytes):
    """Where the disk is full the save raises, its temporary is gone, and the last one loads."""
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as disk:
        previous = save_checkpoint(disk, {"weight": torch.ones(100_000)}, step=1)
        path = disk / "step-00000002.pt"

        with pytest.raises(CheckpointNotWritten) as caught:
            save_checkpoint(disk, {"weight": torch.zeros(kilobytes * 256)}, step=2)

        assert (
            f"{path} could not be written safely: No space left on device; earlier checkpoints "
            "are untouched, so make room or choose another folder, and save again"
        ) == str(caught.value)
        assert errno.ENOSPC == caught.value.errno
        assert [previous.name] == names(disk)
        assert torch.equal(torch.ones(100_000), load_checkpoint(disk)["weight"])


def test_a_read_only_folder_is_an_error(tmp_path):
    """Where nothing may be written the save raises, and what is there can still be loaded."""
    folder = tmp_path / "checkpoints"
    previous = save_checkpoint(folder, {"step": 1}, step=1)
    with mounted(folder, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)

        with pytest.raises(CheckpointNotWritten) as caught:
            save_checkpoint(folder, {"step": 2}, step=2)

        assert errno.EROFS == caught.value.errno
        assert {"step": 1} == load_checkpoint(folder)
        assert [previous.name] == names(folder)


def test_what_a_killed_process_left_is_removed(tmp_path):
    """A temporary of a process that was killed is gone after the next load, and the next save."""
    folders = [tmp_path / "load", tmp_path / "save"]
    for folder in folders:
        save_checkpoint(folder, {}, step=1)
        leave_half_a_file(folder)
    left = [len(partials(folder)) for folder in folders]

    load_checkpoint(folders[0])
    save_checkpoint(folders[1], {}, step=2)

    assert [1, 1] == left
    assert [[], []] == [partials(folder) for folder in folders]


def test_what_is_being_written_is_left_alone(tmp_path):
    """A temporary of a process that lives stays, and becomes its file."""
    with replacing(tmp_path / "step-00000009.pt") as file:
        file.write(b"half")
        save_checkpoint(tmp_path, {}, step=1)
        load_checkpoint(tmp_path)
        writing = partials(tmp_path)

    assert 1 == len(writing)
    assert [] == partials(tmp_path)
    assert b"half" == (tmp_path / "step-00000009.pt").read_bytes()


def test_a_number_used_again_is_another_process(tmp_path):
    """A temporary of an ended process whose number a living one has now is removed."""
    with replacing(tmp_path / "step-00000001.pt"):
        parts = partials(tmp_path)[0].split(".")
    parts[-3] = str(int(parts[-3]) - 1)  # when the process began
    (tmp_path / ".".join(parts)).touch()

    save_checkpoint(tmp_path, {}, step=2)

    assert ["step-00000001.pt", "step-00000002.pt"] == names(tmp_path)


def test_what_another_machine_writes_is_judged_by_its_age(tmp_path):
    """A temporary of another machine stays for a day after it was last written to."""
    fresh = tmp_path / ".step-00000002.pt.elsewhere-1.12.34.0123abcd.partial"
    stale = tmp_path / ".step-00000002.pt.elsewhere-1.12.35.0123abcd.partial"
    for path in (fresh, stale):
        path.touch()
    yesterday = time.time() - ABANDONED_SECONDS - 60
    os.utime(stale, (yesterday, yesterday))

    save_checkpoint(tmp_path, {}, step=1)

    assert [fresh.name, "step-00000001.pt"] == names(tmp_path)


def test_nothing_to_load_is_an_error(tmp_path):
    """A missing path and a folder without checkpoints are FileNotFoundErrors that say so."""
    (tmp_path / "best.pt").touch()
    messages = []
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(NoCheckpoint) as caught:
            load_checkpoint(path)
        messages.append(str(caught.value))

    assert issubclass(NoCheckpoint, FileNotFoundError)
    assert [
        (
            f"{tmp_path} holds no checkpoint, and at least one step-*.pt was expected; see that the "
            "path is right, or start without one"
        ),
        (
            f"{tmp_path / 'missing'} does not exist, and a checkpoint or a folder of them was "
            "expected; see that the path is right, or start without one"
        ),
    ] == messages
    assert [] == list_checkpoints(tmp_path / "missing")


class Bomb:
    """Unpickling it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def damage(path, kind, marker):
    content = bytearray(path.read_bytes())
    if kind == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_bytes(b"not a checkpoint\n" * 100)
    elif kind == "flipped":
        content[content.index(b"\x00\x00\x80\x3f" * 100) + 13] ^= 0x04
        path.write_bytes(content)
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(Bomb(marker)))
    elif kind == "bomb":
        torch.save({"weight": torch.ones(1), "more": Bomb(marker)}, path)
    elif kind == "tensor":
        torch.save(torch.ones(2), path)


ENDS = {
    "cut": "is cut short, or no checkpoint",
    "empty": "is cut short, or no checkpoint",
    "text": "is cut short, or no checkpoint",
    "pickle": "is cut short, or no checkpoint",
    "flipped": "is damaged: the checksum of {root}/data/0 in it is wrong",
    "bomb": "holds something other than plain data, or is damaged",
    "tensor": "holds a Tensor instead of a dict",
}


@pytest.mark.parametrize("kind", ENDS)
def test_a_bad_file_is_named_and_not_passed_over(tmp_path, kind):
    """A file that cannot be read is an error that names an older one, and no code in it runs."""
    older = save_checkpoint(tmp_path, {"weight": torch.zeros(1)}, step=1)
    path = save_checkpoint(tmp_path, {"weight": torch.ones(1000)}, step=2)
    root = zipfile.ZipFile(path).namelist()[0].partition("/")[0]
    damage(path, kind, tmp_path / "ran")

    messages = []
    for target in (tmp_path, path):
        with pytest.raises(CheckpointUnreadable) as caught:
            load_checkpoint(target)
        messages.append(str(caught.value))

    expected = (
        f"{path} {ENDS[kind].format(root=root)}, and a save_checkpoint file was expected; "
        f"to resume from another, load {older}"
    )
    assert [expected, expected] == messages
    assert not (tmp_path / "ran").exists()


def test_every_cut_is_noticed(tmp_path):
    """A file that ends anywhere before its end is never loaded."""
    path = save_checkpoint(tmp_path, {"weight": nn.Linear(3, 3).state_dict()}, step=1)
    content = path.read_bytes()

    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointUnreadable) as caught:
            load_checkpoint(path)

    assert str(caught.value).endswith("; there is no older one beside it")


def test_a_missing_device_is_not_blamed_on_the_file(tmp_path):
    """A device that is not there is torch's own error."""
    if torch.cuda.is_available():
        pytest.skip("needs a machine without CUDA")
    save_checkpoint(tmp_path, {"weight": torch.ones(1)}, step=1)

    with pytest.raises((RuntimeError, AssertionError)) as caught:
        load_checkpoint(tmp_path, map_location="cuda")

    assert not isinstance(caught.value, CheckpointUnreadable)


SAVING = """
import sys
import torch
from treadle_loop.checkpoints import load_checkpoint, save_checkpoint
from treadle_loop.errors import NoCheckpoint

try:
    step = load_checkpoint(sys.argv[1])["step"]
except NoCheckpoint:
    step = 0
print("ready", flush=True)
while True:
    step += 1
    state = {"step": step, "weights": [torch.full((200_000,), float(step)) for _ in range(4)]}
    save_checkpoint(sys.argv[1], state, step=step, keep=2, best=step % 3 == 0)
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_kill_at_any_moment_leaves_a_checkpoint(tmp_path):
    """After each of twenty kills the newest and the best load, and no step was lost."""
    moments = random.Random(7)
    reached, left = [], 0
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVING, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert "ready\n" == process.stdout.readline()
        time.sleep(moments.uniform(0.05, 0.3))  # any moment will do
        process.kill()
        process.communicate()
        left += len(partials(tmp_path))
        for path in (tmp_path, tmp_path / "best.pt"):
            if path.exists() and list_checkpoints(tmp_path):
                state = load_checkpoint(path)
                assert all(torch.all(weight == state["step"]) for weight in state["weights"])
        assert [] == partials(tmp_path)
        assert 3 >= len(list_checkpoints(tmp_path))
        reached.append(load_checkpoint(tmp_path)["step"])

    assert sorted(reached) == reached
    assert reached[0] < reached[-1]
    assert 0 < left  # or no kill has hit a save
