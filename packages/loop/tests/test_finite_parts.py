"""The finite check, by itself: what it withholds, when it says so, and that it reads nothing."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.optim import SGD, Adadelta, AdamW, NAdam, Optimizer, SparseAdam

from treadle_loop.errors import NotFinite
from treadle_loop.finite import LOOK_EVERY, FiniteCheck
from treadle_loop.loss import Outcome
from treadle_loop.precision import LossScaling
from treadle_loop.withholding import HostState


class Numbered(Optimizer):
    """Assigns a new tensor in each step, and counts in a plain int, as some do."""

    def __init__(self, parameters):
        super().__init__(parameters, {"lr": 0.1})

    @torch.no_grad()
    def step(self):
        for parameter in self.param_groups[0]["params"]:
            state = self.state[parameter]
            state["step"] = state.get("step", 0) + 1
            state["sum"] = state.get("sum", 0) + parameter.grad
            state["nothing"] = None
            parameter.sub_(state["sum"] / state["step"])


OPTIMIZERS = {
    "sgd": lambda parameters: SGD(parameters, lr=0.1, weight_decay=0.1),
    "momentum": lambda parameters: SGD(parameters, lr=0.1, momentum=0.9, dampening=0.5),
    "adamw": lambda parameters: AdamW(parameters, lr=0.1),
    "adamw one by one": lambda parameters: AdamW(parameters, lr=0.1, foreach=False, amsgrad=True),
    "nadam": lambda parameters: NAdam(parameters, lr=0.1),
    "adadelta": Adadelta,
    "numbered": Numbered,
    "fused sgd": lambda parameters: SGD(parameters, lr=0.1, fused=True),
    "fused momentum": lambda parameters: SGD(parameters, lr=0.1, momentum=0.9, fused=True),
    "fused adamw": lambda parameters: AdamW(parameters, lr=0.1, fused=True),
}
BAD = ("loss", "gradient", "infinite gradient")


@pytest.fixture(params=OPTIMIZERS)
def trained(request):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    return model, OPTIMIZERS[request.param](model.parameters())


@pytest.fixture
def simple():
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    return model, SGD(model.parameters(), lr=0.1)


def outcome(value, weight=4):
    return Outcome(value, weight, 4, {}, {})


def backward(model, optimizer, bad=None, seed=0):
    """The gradients of one batch, and what it came to."""
    optimizer.zero_grad()
    device = next(model.parameters()).device
    batch = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed)).to(device)
    loss = mse_loss(model(batch), batch[:, :2])
    if bad == "loss":
        loss = loss * math.nan
    loss.backward()
    gradient = next(model.parameters()).grad
    if bad == "gradient":
        gradient[0, 0] = math.nan
    if bad == "infinite gradient":
        gradient[0, 0] = -math.inf
    return [outcome(loss.detach())]


def update(check, model, optimizer, bad=None, seed=0):
    check.observe(backward(model, optimizer, bad, seed))
    check.step(optimizer.step)


def state_of(model, optimizer):
    return copy.deepcopy((model.state_dict(), optimizer.state_dict()["state"]))


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("first", [0, 2])
def test_a_bad_update_and_all_after_it_change_nothing(trained, same, bad, first):
    """Weights are those before it at every moment, the optimizer's state once the error is raised."""
    model, optimizer = trained
    check = FiniteCheck(optimizer)
    for seed in range(first):
        update(check, model, optimizer, seed=seed)
    before = state_of(model, optimizer)

    for seed, kind in enumerate((bad, None, "gradient", None)):
        update(check, model, optimizer, kind, seed)
        assert same(before[0], model.state_dict())
    with pytest.raises(NotFinite):
        check.raise_if_bad()

    assert same(before, state_of(model, optimizer))
    assert (first + 4, 4) == (check.updates, check.withheld)


def test_good_updates_are_those_without_a_check(trained, same):
    """Where all is finite, weights and state are the same to the last bit, and nothing is raised."""
    model, optimizer = trained
    plain, by_hand = copy.deepcopy((model, optimizer))
    check = FiniteCheck(optimizer)

    for seed in range(3):
        update(check, model, optimizer, seed=seed)
        backward(plain, by_hand, seed=seed)
        by_hand.step()
        check.raise_if_bad()

    assert same(state_of(plain, by_hand), state_of(model, optimizer))


def test_after_the_error_training_goes_on_as_if_nothing_had_been(trained, same):
    """Updates after the error are those of a training in which the bad ones never were."""
    model, optimizer = trained
    plain, by_hand = copy.deepcopy((model, optimizer))
    check = FiniteCheck(optimizer)

    for seeds, bad in ((range(1), None), (range(5, 7), "loss"), (range(1, 3), None)):
        for seed in seeds:
            update(check, model, optimizer, bad, seed)
            if not bad:
                backward(plain, by_hand, seed=seed)
                by_hand.step()
        if bad:
            with pytest.raises(NotFinite):
                check.raise_if_bad()
    check.raise_if_bad()

    assert same(state_of(plain, by_hand), state_of(model, optimizer))


def test_checking_reads_nothing_and_asking_reads_once(trained, host_reads):
    """An update under the check reads no more than one without, and raise_if_bad one number."""
    model, optimizer = trained
    plain, by_hand = copy.deepcopy((model, optimizer))
    check = FiniteCheck(optimizer)
    with host_reads:
        for bad in (None, "loss", "gradient"):
            backward(plain, by_hand, bad)
            by_hand.step()
    by_itself = len(host_reads.names)
    host_reads.names.clear()

    with host_reads:
        for bad in (None, "loss", "gradient"):
            update(check, model, optimizer, bad)
        assert by_itself == len(host_reads.names)
        host_reads.names.clear()
        with pytest.raises(NotFinite):
            check.raise_if_bad()
        # One number, then what the message says.
        assert "_local_scalar_dense" == host_reads.names[0]
        host_reads.names.clear()
        check.raise_if_bad()
        assert [] == host_reads.names
        update(check, model, optimizer)
        host_reads.names.clear()
        check.raise_if_bad()
        assert ["_local_scalar_dense"] == host_reads.names


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if "fused" not in name])
def test_it_runs_on_a_device_without_values(name):
    """On the meta device, where any read would raise, only raise_if_bad does."""
    model = nn.Linear(3, 2, device="meta")
    optimizer = OPTIMIZERS[name](model.parameters())
    check = FiniteCheck(optimizer)

    for _ in range(LOOK_EVERY + 1):
        optimizer.zero_grad()
        loss = model(torch.ones(4, 3, device="meta")).square().mean()
        loss.backward()
        check.observe([outcome(loss.detach()), outcome(loss.detach(), torch.tensor(3))])
        check.step(optimizer.step)

    assert "meta" == check.flag.device.type
    with pytest.raises(RuntimeError, match=r"meta tensors"):
        check.raise_if_bad()


@pytest.mark.parametrize(
    ("bad", "culprit"),
    [
        ("loss", "the loss of update 3 is nan"),
        ("gradient", "the norm of the gradients of update 3 is nan, and its loss is finite"),
        (
            "infinite gradient",
            "the norm of the gradients of update 3 is inf, and its loss is finite",
        ),
    ],
)
@pytest.mark.parametrize(
    ("after", "others"),
    [(0, ""), (1, ", and so was the one after it"), (2, ", and so were the 2 after it")],
)
def test_the_error_names_the_first_bad_update(simple, bad, culprit, after, others):
    """It says which update it was, what of it was not finite, and what to do."""
    model, optimizer = simple
    check = FiniteCheck(optimizer)
    update(check, model, optimizer)
    check.raise_if_bad()
    update(check, model, optimizer)
    update(check, model, optimizer, bad)
    for _ in range(after):
        update(check, model, optimizer, "loss")

    with pytest.raises(NotFinite) as caught:
        check.raise_if_bad()

    assert (
        f"{culprit}; it was withheld{others}: the weights and the optimizer's state are those "
        "before it. Look at its batches, lower the learning rate, or set clip_norm"
        == str(caught.value)
    )


def test_a_step_that_was_measured_is_not_measured_again(simple, same):
    """A norm that is given stands for the gradients."""
    model, optimizer = simple
    check = FiniteCheck(optimizer)
    before = state_of(model, optimizer)

    check.observe(backward(model, optimizer), torch.tensor(math.inf))
    check.step(optimizer.step)

    assert same(before, state_of(model, optimizer))
    with pytest.raises(NotFinite, match=r"^the norm of the gradients of update 1 is inf"):
        check.raise_if_bad()


def test_gradients_in_half_precision_are_measured_in_float32(simple):
    """Gradients are finite whose norm only a float16 could not hold."""
    model, optimizer = simple
    model.half()
    check = FiniteCheck(optimizer)

    for name, parameter in model.named_parameters():
        parameter.grad = torch.full_like(parameter, 60000.0 if name == "weight" else 0.0)
    check.observe([outcome(torch.tensor(1.0))])
    check.step(optimizer.step)
    check.raise_if_bad()

    assert 1 == check.updates


def test_losses_of_a_window_do_not_overflow_in_their_sum(simple):
    """Large finite losses are finite together; one that is not is found among them."""
    model, optimizer = simple
    check = FiniteCheck(optimizer)
    largest = outcome(torch.tensor(torch.finfo(torch.float32).max))
    backward(model, optimizer)

    check.observe([largest, largest])
    check.step(optimizer.step)
    check.raise_if_bad()
    check.observe([largest, outcome(torch.tensor(-math.inf)), largest])
    check.step(optimizer.step)

    with pytest.raises(NotFinite, match=r"^the loss of update 2 is -inf"):
        check.raise_if_bad()


def test_a_loss_without_weight_is_not_looked_at(simple):
    """A batch of weight 0, a number or a tensor, may have any loss."""
    model, optimizer = simple
    check = FiniteCheck(optimizer)
    missing = [outcome(torch.tensor(math.nan), weight) for weight in (0, 0.0, torch.tensor(0))]

    check.observe(missing[:2])
    check.step(optimizer.step)
    assert check.flag is None
    check.observe([*backward(model, optimizer), *missing])
    check.step(optimizer.step)
    check.observe(missing)
    check.step(optimizer.step)

    check.raise_if_bad()
    assert 3 == check.updates


def test_a_window_without_weight_after_a_bad_one_is_withheld(simple, same):
    """What follows a bad update is withheld, looked at or not."""
    model, optimizer = simple
    check = FiniteCheck(optimizer)
    before = state_of(model, optimizer)
    update(check, model, optimizer, "loss")

    check.observe([outcome(torch.tensor(1.0), 0)])
    check.step(optimizer.step)

    assert same(before, state_of(model, optimizer))
    with pytest.raises(NotFinite, match=r"^the loss of update 1 .* the one after it"):
        check.raise_if_bad()


def test_sparse_gradients_are_looked_at(same):
    """The values of a sparse gradient count, and SparseAdam's plain ints are set right."""
    model = nn.Embedding(5, 2, sparse=True)
    optimizer = SparseAdam(model.parameters())
    check = FiniteCheck(optimizer)

    def attempt(factor):
        optimizer.zero_grad()
        loss = (model(torch.tensor([1, 1, 3])) * factor).sum()
        loss.backward()
        check.observe([outcome(torch.tensor(1.0))])
        check.step(optimizer.step)

    attempt(1)
    before = state_of(model, optimizer)
    attempt(math.inf)
    attempt(1)
    with pytest.raises(NotFinite):
        check.raise_if_bad()

    assert same(before, state_of(model, optimizer))
    assert 1 == optimizer.state[model.weight]["step"]
    assert type(optimizer.state[model.weight]["step"]) is int


def test_another_rank_s_bad_update_is_withheld_here_too(simple, same):
    """Where ranks are summed up, one bad rank is enough, and the others say that it was another."""
    model, optimizer = simple
    check = FiniteCheck(optimizer, all_reduce=lambda flag: flag + 1)
    before = state_of(model, optimizer)

    update(check, model, optimizer)

    assert 1 == check.flag
    assert same(before, state_of(model, optimizer))
    with pytest.raises(NotFinite, match=r"^the loss or a gradient of update 1 .* on another rank;"):
        check.raise_if_bad()


@pytest.mark.parametrize("name", ["momentum", "adamw", "fused momentum", "fused adamw"])
def test_with_scaled_losses_only_the_loss_counts(name, same):
    """An infinite scaled gradient is the scaling's business; a loss that is not finite is not."""
    model = nn.Linear(3, 2)
    optimizer = OPTIMIZERS[name](model.parameters())
    scaling = LossScaling(optimizer, "cpu")
    check = FiniteCheck(optimizer, scaled=True)

    def attempt(loss_factor=1.0, gradient=0.0):
        optimizer.zero_grad()
        loss = model(torch.ones(4, 3)).square().mean()
        scaling.backward(loss)
        model.weight.grad[0, 0] += gradient
        check.observe([outcome(loss.detach() * loss_factor)])
        return check.step(scaling.step)

    made = [attempt(), attempt(gradient=math.inf), attempt()]
    check.raise_if_bad()
    before = state_of(model, optimizer)
    attempt(math.inf)
    attempt()

    assert [True, False, True] == made
    assert same(before[0], model.state_dict())
    with pytest.raises(NotFinite, match=r"^the loss of update 4 is inf"):
        check.raise_if_bad()
    assert same(before, state_of(model, optimizer))


def test_a_check_leaves_nothing_on_the_optimizer(trained):
    """Neither a step nor one that raises leaves a tensor behind on the optimizer."""
    model, optimizer = trained
    names = set(vars(optimizer))
    check = FiniteCheck(optimizer)
    check.observe(backward(model, optimizer))

    def fail():
        raise KeyError

    with pytest.raises(KeyError):
        check.step(fail)

    assert names == set(vars(optimizer))


def test_what_the_host_keeps_is_put_back(same):
    """Numbers, what was none, and host tensors of a parameter elsewhere are what they were before."""
    first = nn.Parameter(torch.zeros(2, device="meta"))
    second = nn.Parameter(torch.zeros(1, device="meta"))
    optimizer = SGD([first, second], lr=0.1)
    optimizer.state[first] = {"step": torch.tensor(3.0), "count": 2, "share": 0.5, "sum": None}
    before = copy.deepcopy(list(optimizer.state.values()))
    state = HostState(optimizer)
    kept = optimizer.state[first]
    kept["step"] += 1
    kept["count"] += 1
    kept["share"] /= 2
    kept["sum"] = torch.zeros(2)
    kept["new"] = 1
    optimizer.state[second] = {"step": torch.tensor(7)}

    state.put_back()

    assert same(before, list(optimizer.state.values()))
    assert type(optimizer.state[first]["count"]) is int


def test_a_step_that_fails_is_no_update(simple, same):
    """An optimizer that raises among bad updates is not counted: the first one is still the first."""
    model, _ = simple
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    check = FiniteCheck(optimizer)
    before = state_of(model, optimizer)

    def fail():
        raise KeyError

    update(check, model, optimizer, "loss")
    check.observe(backward(model, optimizer))
    with pytest.raises(KeyError):
        check.step(fail)
    update(check, model, optimizer)

    with pytest.raises(NotFinite, match=r"^the loss of update 1 is nan.* the one after it"):
        check.raise_if_bad()
    assert same(before, state_of(model, optimizer))


def test_a_look_reads_once_in_so_many_updates(simple, host_reads):
    """On the CPU there is one read in 64 updates, and it finds what was withheld."""
    model, optimizer = simple
    check = FiniteCheck(optimizer)

    found = []
    with host_reads:
        for seed in range(2 * LOOK_EVERY + 1):
            update(check, model, optimizer, "loss" if seed == LOOK_EVERY else None, seed)
            found.append((len(host_reads.names), check.found))

    expected = [(0, False)] * (LOOK_EVERY - 1) + [(1, False)] * LOOK_EVERY + [(2, True)] * 2
    assert expected == found


class Arrival:
    """Says of a copy, as an event of CUDA does, whether it has arrived."""

    def __init__(self):
        self.there = False
        self.queries = 0

    def query(self):
        self.queries += 1
        return self.there


def test_an_answer_is_never_waited_for(simple, same, monkeypatch):
    """Where the answer is on its way, updates go on, and are kept track of, until it is there."""
    model, optimizer = simple
    check = FiniteCheck(optimizer)
    sent = []

    def send(number):
        sent.append((number.clone(), Arrival()))
        return sent[-1]

    monkeypatch.setattr("treadle_loop.finite._sent", send)
    for seed in range(LOOK_EVERY):
        update(check, model, optimizer, seed=seed)
    before = state_of(model, optimizer)
    for seed in range(10):
        update(check, model, optimizer, "loss", seed)
    assert (1, 11) == (len(sent), sent[0][1].queries)
    sent[0][1].there = True
    for seed in range(LOOK_EVERY):
        update(check, model, optimizer, None, seed)
    assert (2, False) == (len(sent), check.found)
    sent[1][1].there = True
    update(check, model, optimizer)
    assert check.found

    with pytest.raises(NotFinite, match=rf"^the loss of update {LOOK_EVERY + 1} is nan"):
        check.raise_if_bad()
    assert same(before, state_of(model, optimizer))


def test_what_is_known_to_be_finite_is_forgotten(simple):
    """What would put an update back is kept for no more than one look."""
    model, optimizer = simple
    check = FiniteCheck(optimizer)

    kept = []
    for seed in range(3 * LOOK_EVERY):
        update(check, model, optimizer, seed=seed)
        kept.append(len(check._watch.before))

    assert (LOOK_EVERY - 1, 0) == (max(kept), kept[-1])
