from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking import open_runs, start_run
from treadle_tracking.best import Best, directions
from treadle_tracking.entries import Scalars
from treadle_tracking.errors import InvalidBest, InvalidName

values = st.lists(st.floats(), max_size=30)


def kept(direction, curve):
    best = Best({"loss": direction})
    return [best.improved({"loss": value, "other": -value}) for value in curve]


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("min", [{"best/loss": 3.0}, {}, {}, {"best/loss": 2.0}, {}, {"best/loss": -inf}, {}]),
        ("max", [{"best/loss": 3.0}, {}, {}, {}, {"best/loss": inf}, {}, {}]),
    ],
)
def test_the_best_grows_a_call_only_where_it_is_strictly_better(direction, expected):
    """The first value is the best, an equal one and NaN are not better, and infinities are compared like numbers."""
    assert expected == kept(direction, [3.0, 3.0, nan, 2.0, inf, -inf, nan])


def test_a_curve_of_nan_has_no_best():
    """NaN is no value, not even the first."""
    assert [{}, {}] == kept("min", [nan, nan])


@given(values, st.sampled_from(["min", "max"]))
def test_the_last_best_is_the_best_of_the_curve(curve, direction):
    """Whatever was logged, the last `best/loss` is the curve's minimum or maximum without its NaN."""
    bests = [added["best/loss"] for added in kept(direction, curve) if added]
    numbers = [value for value in curve if value == value]  # noqa: PLR0124 # NaN is the one that is not

    assert ([min(numbers) if direction == "min" else max(numbers)] if numbers else []) == bests[-1:]


@given(values, values)
def test_a_resumed_run_goes_on_with_the_best_that_was_kept(before, after):
    """Told the entries that an earlier attempt left, it adds just what one attempt alone would have added."""
    resumed = Best({"loss": "min"})
    for step, value in enumerate(before):
        resumed.take(Scalars(wall_time=1.0, step=step, values={"loss": value}))

    assert kept("min", before + after)[len(before) :] == [
        resumed.improved({"loss": value}) for value in after
    ]


def test_several_metrics_have_their_own_best():
    """Each metric has its own direction; those of one call are added together, in the order of their declaration."""
    best = Best({"val/loss": "min", "acc": "max"})

    assert [{"best/val/loss": 1.0, "best/acc": 0.5}, {"best/acc": 0.6}, {}] == [
        best.improved({"acc": 0.5, "val/loss": 1.0}),
        best.improved({"acc": 0.6, "val/loss": 1.5}),
        best.improved({"lr": 0.1}),
    ]


def test_a_best_of_the_users_own_is_left_alone():
    """Where a call has a `best/loss` already, it is what the user says it is."""
    best = Best({"loss": "min"})

    assert {} == best.improved({"loss": 1.0, "best/loss": 7.0})


def test_a_declaration_is_a_mapping_of_two_words():
    """Names map to `min` or `max`; nothing declared is nothing kept."""
    assert ({}, {"a": "min", "b/c": "max"}) == (
        directions(None),
        directions({"a": "min", "b/c": "max"}),
    )


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"loss": "lowest"}, "has 'lowest' (str) for 'loss'"),
        ({"loss": None}, "has None (NoneType) for 'loss'"),
        ({"loss": min}, "has <built-in function min> (builtin_function_or_method) for 'loss'"),
        ("loss", "is 'loss' (str)"),
        (["loss"], "is ['loss'] (list)"),
        ({"best/loss": "min"}, "has 'best/loss', which is itself the best of a metric"),
    ],
)
def test_another_declaration_is_an_error(declared, problem):
    """The message says what was declared and how it is done."""
    with pytest.raises(InvalidBest) as caught:
        directions(declared)

    assert (
        f"best {problem}; expected a mapping from the names of metrics to 'min' or 'max', "
        f"such as {{'val/loss': 'min'}}"
    ) == str(caught.value)


def test_a_declared_name_is_a_text():
    """The name of a metric is a text here as anywhere."""
    with pytest.raises(InvalidName) as caught:
        directions({3: "min"})

    assert (
        "the name of a metric of which to keep the best is 3; "
        "expected a text of at least one character that UTF-8 can write"
    ) == str(caught.value)


def test_a_run_keeps_the_best_of_its_curve(tmp_path):
    """`best/<metric>` is recorded with the call that is better, and goes on from what a resumed run has kept."""
    target = f"tensorboard:{tmp_path}"
    best = {"val/loss": "min", "acc": "max"}
    with start_run(target, name="a", best=best) as first:
        for step, loss in enumerate([3.0, nan, 2.0, 2.5]):
            first.log({"val/loss": loss, "acc": -loss}, step=step)
        first.close("FAILED")
    with start_run(target, name="a", resume="must") as second:
        second.rewind(2)
        for step, loss in enumerate([2.8, 2.9, 1.0], start=2):
            second.log({"val/loss": loss}, step=step)
    run = open_runs(target)["a"]

    assert ((0, 3.0), (2, 2.8), (4, 1.0)) == run.history("best/val/loss")
    assert ((0, -3.0),) == run.history("best/acc")


def test_the_best_of_tensors_is_that_of_their_numbers(tmp_path):
    """Tensors are compared as the doubles that they are."""
    torch = pytest.importorskip("torch", reason="torch is no dependency of treadle-tracking")
    with start_run(f"tensorboard:{tmp_path}", name="a", best={"loss": "min"}) as run:
        for step, loss in enumerate([3.0, 4.0, 2.0]):
            run.log({"loss": torch.tensor(loss)}, step=step)

    assert ((0, 3.0), (2, 2.0)) == open_runs(f"tensorboard:{tmp_path}")["a"].history("best/loss")


@pytest.mark.slow
def test_tensorboards_hparams_page_shows_the_best(tmp_path, tensorboard):
    """Its page has a metric's last value, and beside it, as a metric of its own, the best one, as it was declared."""
    best = {"loss": "min", "acc": "max"}
    with start_run(f"tensorboard:{tmp_path / 'runs'}", params={"lr": 0.5}, best=best) as run:
        for step, loss in enumerate([3.0, 1.5, 2.0]):
            run.log({"loss": loss, "acc": -loss}, step=step)
    body = {"experimentName": "", "startIndex": 0, "sliceSize": 10, "colParams": []}
    body["allowedStatuses"] = ["STATUS_SUCCESS"]

    def shown():
        groups = tensorboard("plugin/hparams/session_groups", body)["sessionGroups"]
        metrics = [metric for group in groups for metric in group["metricValues"]]
        found = {metric["name"]["tag"]: metric["value"] for metric in metrics}
        return len(found) == 4 and found

    assert {"loss": 2.0, "acc": -2.0, "best/loss": 1.5, "best/acc": -1.5} == tensorboard.until(
        shown
    )
