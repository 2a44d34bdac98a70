import subprocess
import sys
from types import SimpleNamespace

import pytest

from treadle_tracking import start_run
from treadle_tracking.errors import InvalidRank, NoDirectory
from treadle_tracking.ranks import this_rank

VARIABLES = [
    *("RANK", "WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE"),
    *("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"),
]


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """An environment without launchers, and a torch.distributed that is not initialised; changed by calling it."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "torch.distributed", raising=False)

    def change(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return change


@pytest.fixture
def distributed(monkeypatch):
    """Has a torch.distributed say what rank this is; None is one that is not initialised."""

    def change(rank, *, available=True):
        module = SimpleNamespace(
            is_available=lambda: available,
            is_initialized=lambda: rank is not None,
            get_rank=lambda: rank,
        )
        monkeypatch.setitem(sys.modules, "torch.distributed", module)

    return change


@pytest.mark.parametrize(
    ("variables", "rank"),
    [
        ({}, 0),
        ({"RANK": "3", "WORLD_SIZE": "4"}, 3),
        ({"RANK": "0", "WORLD_SIZE": "1"}, 0),
        # Such as the rank of an adapter's matrices.
        ({"RANK": "16"}, 0),
        ({"RANK": "16", "WORLD_SIZE": "8"}, 0),
        ({"RANK": "-1", "WORLD_SIZE": "8"}, 0),
        ({"RANK": "", "WORLD_SIZE": "8"}, 0),
        ({"RANK": "first", "WORLD_SIZE": "8"}, 0),
        ({"RANK": "1", "WORLD_SIZE": "many"}, 0),
        # A shell in an allocation, a batch script outside of srun, and a task of it.
        ({"SLURM_NTASKS": "4"}, 0),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, 0),
        ({"SLURM_PROCID": "2", "SLURM_NTASKS": "4"}, 2),
        ({"SLURM_PROCID": "2"}, 0),
        # A step of one task in a job of several.
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "1"}, 0),
        # torchrun on each node of a job, started by srun.
        ({"RANK": "9", "WORLD_SIZE": "16", "SLURM_PROCID": "1", "SLURM_NTASKS": "2"}, 9),
        ({"RANK": "0", "WORLD_SIZE": "16", "SLURM_PROCID": "1", "SLURM_NTASKS": "2"}, 0),
        ({"OMPI_COMM_WORLD_RANK": "5", "OMPI_COMM_WORLD_SIZE": "6"}, 5),
        ({"PMI_RANK": "1", "PMI_SIZE": "2"}, 1),
    ],
)
def test_a_rank_is_what_a_launcher_says_it_is(environment, variables, rank):
    """A variable counts together with the number of processes, and only below it; else this is the one process."""
    environment(**variables)

    assert rank == this_rank()


def test_a_given_rank_is_the_rank(environment, distributed):
    """Who says it knows better than the environment; any integer type will do."""
    environment(RANK="3", WORLD_SIZE="4")
    distributed(2)

    class Index:
        def __index__(self):
            return 1

    assert (0, 7, 1) == (this_rank(0), this_rank(7), this_rank(Index()))


@pytest.mark.parametrize(
    ("rank", "shown"),
    [(-1, "-1 (int)"), ("0", "'0' (str)"), (1.0, "1.0 (float)"), (True, "True (bool)")],
)
def test_what_is_no_rank_is_an_error(rank, shown):
    """The message says what was given and what a rank is."""
    with pytest.raises(InvalidRank) as caught:
        this_rank(rank)

    assert (
        f"rank is {shown}; expected an integer from 0, such as torch.distributed.get_rank(), "
        f"or None to detect it. Rank 0 records"
    ) == str(caught.value)


def test_an_initialised_process_group_knows_best(environment, distributed):
    """What torch.distributed says goes before variables, which a parent may have left; else they say it."""
    environment(SLURM_PROCID="3", SLURM_NTASKS="4")
    distributed(0)
    initialised = this_rank()
    distributed(None)
    not_yet = this_rank()
    distributed(0, available=False)

    assert (0, 3, 3) == (initialised, not_yet, this_rank())


def test_a_process_that_only_a_scheduler_numbers_is_told(environment, capfd):
    """srun starts independent trainings as well as ranks: where nothing is recorded for its number, that is said."""
    environment(SLURM_PROCID="2", SLURM_NTASKS="4")
    this_rank()

    assert (
        "treadle: this process is rank 2 of 4 by SLURM_PROCID, and rank 0 records: nothing of this one is kept. "
        "If it is a separate training, say so: start_run(…, rank=0)\n"
    ) == capfd.readouterr().err


@pytest.mark.parametrize(
    "variables",
    [{"RANK": "2", "WORLD_SIZE": "4"}, {"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, {}],
)
def test_a_rank_of_a_training_is_told_nothing(environment, capfd, variables):
    """The ranks that torchrun started know what they are, and rank 0 has nothing to hear."""
    environment(**variables)
    this_rank()

    assert "" == capfd.readouterr().err


def test_torch_is_not_imported_for_it():
    """Without torch in the process there is no process group to ask."""
    script = (
        "import sys; from treadle_tracking.ranks import this_rank; this_rank(); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert "torch" not in done.stdout.split()


def test_only_rank_0_records(environment, tmp_path):
    """A run of another rank has the same methods and writes nothing, whether its rank is given or found out."""
    environment(RANK="1", WORLD_SIZE="2")
    for rank in (None, 3):
        with start_run(f"tensorboard:{tmp_path / 'runs'}", rank=rank) as run:
            run.log({"loss": 1.0}, step=1)

        assert not run.recording
    assert [] == list(tmp_path.iterdir())
    with start_run(f"tensorboard:{tmp_path / 'runs'}", rank=0) as run:
        assert run.recording


def test_a_rank_that_records_nothing_says_why_it_has_no_directory(tmp_path):
    """Not the target is the reason but the rank, and it is said what a training of its own is to give."""
    run = start_run(f"tensorboard:{tmp_path / 'runs'}", rank=3)
    messages = []
    for place in ("directory", "root"):
        with pytest.raises(NoDirectory) as caught:
            getattr(run, place)
        messages.append(str(caught.value))

    why = (
        "this run records nothing, so it has no directory: this process is rank 3, and rank 0 records. "
        "Ask `run.recording` first, or, if this is a separate training, say so: start_run(…, rank=0)"
    )
    assert [why, why] == messages
    assert (False, {}) == (run.resumed, run.state_dict())


@pytest.mark.slow
def test_a_real_process_group_says_the_rank(tmp_path):
    """Two real processes of one group know their ranks, without any variable."""
    pytest.importorskip("torch", reason="torch is no dependency of treadle-tracking")
    script = (
        "import sys, torch.distributed as d; from treadle_tracking.ranks import this_rank\n"
        "store = d.FileStore(sys.argv[1], 2)\n"
        "d.init_process_group('gloo', store=store, rank=int(sys.argv[2]), world_size=2)\n"
        "print(this_rank()); d.barrier(); d.destroy_process_group()"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "store"), str(rank)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]

    assert ["0\n", "1\n"] == [process.communicate(timeout=60)[0] for process in both]
