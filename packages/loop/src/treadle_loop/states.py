"""The states of an engine's parts, saved together and loaded together or not at all."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from treadle_loop.averages import AveragedWeights
from treadle_loop.errors import InvalidSetting, StateMismatch
from treadle_loop.gradients import parameters_of
from treadle_loop.progress import POSITION, POSITION_WITHIN
from treadle_loop.sharding import parted, parted_for


def states_of(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The state of each part that there is.

    Raises:
        InvalidSetting: one has none.
    """
    states = {}
    for name, part in parts.items():
        if part is None:
            continue
        if not callable(getattr(part, "state_dict", None)):
            raise InvalidSetting(
                f"the {name} is a {type(part).__name__} without state_dict() and "
                "load_state_dict(), so a resumed training would not have it as it was; give it both",
            )
        states[name] = part.state_dict()
    names = _parameter_names(parts)
    return states if names is None else {**states, "parameter_names": names}


def check_states(parts: Mapping[str, Any], state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """See that each part can load its state; what is left is the position of each rank.

    Raises:
        StateMismatch: it is the state of other parts.
    """
    if not isinstance(state, Mapping) or not _are_positions(state.get("ranks")):
        raise StateMismatch(
            "this is not an engine's state: it has no position; give Engine.load_state_dict "
            "what Engine.state_dict returned",
        )
    present = {name: part for name, part in parts.items() if part is not None}
    saved = state.keys() - {"ranks", "parameter_names"}
    if saved != present.keys():
        missing, unknown = sorted(present.keys() - saved), sorted(saved - present.keys())
        raise StateMismatch(
            "the state is that of an engine with other settings:"
            + (f" it has no {', '.join(missing)}" if missing else "")
            + (" and" if missing and unknown else "")
            + (f" it has {', '.join(unknown)}, which this engine lacks" if unknown else "")
            + "; make the engine with the same arguments",
        )
    for name, part in present.items():
        if not isinstance(state[name], Mapping):
            raise StateMismatch(
                f"the state of the {name} is of type {type(state[name]).__name__}, and a dict was "
                "expected; give Engine.load_state_dict what Engine.state_dict returned",
            )
        if isinstance(part, nn.Module):
            _check_tensors(part, state[name])
        elif isinstance(part, Optimizer):
            _check_groups(part, state[name])
        elif name == "scheduler":
            _check_kind(part, state[name])
    _check_order(state.get("parameter_names"), _parameter_names(parts))
    ranks: list[dict[str, Any]] = state["ranks"]
    return ranks


def load_states(parts: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Load the state of each part, after `check_states`.

    Raises:
        AveragesDisagree: the averages are those of other parameters. Nothing was loaded.
    """
    present = {name: part for name, part in parts.items() if part is not None}
    # Backwards: averages that do not fit are refused before anything was loaded.
    for name, part in reversed(present.items()):
        own = _parted(part, state[name], present)
        # Optimizers and schedulers keep what they are given, and would change it in training.
        part.load_state_dict(own if isinstance(part, nn.Module) else copy.deepcopy(own))


def _parted(part: Any, saved: Mapping[str, Any], parts: Mapping[str, Any]) -> Mapping[str, Any]:
    """A state as the part wants it: in parts where the model's parameters are."""
    if isinstance(part, nn.Module):
        return parted(saved, part.state_dict())
    if isinstance(part, Optimizer):
        return parted_for(saved, part)
    if isinstance(part, AveragedWeights):
        named = dict(parts["model"].named_parameters())
        return {**saved, "averages": parted(saved["averages"], named)}
    return saved


def _parameter_names(parts: Mapping[str, Any]) -> list[str] | None:
    """The names of the parameters in the order of the optimizer, where all are the model's."""
    if parts["optimizer"] is None:
        return None
    known = {parameter: name for name, parameter in parts["model"].named_parameters()}
    parameters = list(parameters_of(parts["optimizer"]))
    return [known[each] for each in parameters] if known.keys() >= set(parameters) else None


def _check_order(saved: Sequence[str] | None, own: Sequence[str] | None) -> None:
    """See that the optimizer's state, which goes by places, is one of the same parameters."""
    for place, (there, here) in enumerate(zip(saved or (), own or (), strict=False)):
        if there != here:
            raise StateMismatch(
                "the state is that of an optimizer with its parameters in another order: number "
                f"{place}, counted from 0, is {there} there and {here} here; make the optimizer "
                "from the same parameters in the same order",
            )


def _check_tensors(model: nn.Module, saved: Mapping[str, Any]) -> None:
    """See that names and shapes are the model's: torch finds out when half is loaded."""
    own = model.state_dict()
    wrong = [f"no {name}" for name in own if name not in saved]
    wrong += [f"an unknown {name}" for name in saved if name not in own]
    for name, tensor in own.items():
        other = saved.get(name)
        if isinstance(tensor, Tensor) and isinstance(other, Tensor) and tensor.shape != other.shape:
            wrong.append(f"{name} of shape {tuple(other.shape)} instead of {tuple(tensor.shape)}")
    if wrong:
        rest = f" and {len(wrong) - 3} more differences" if len(wrong) > 3 else ""
        raise StateMismatch(
            f"the state is of a model other than {type(model).__name__}: it has "
            f"{', '.join(wrong[:3])}{rest}; make the model as it was when the state was saved",
        )


def _check_kind(scheduler: Any, saved: Mapping[str, Any]) -> None:
    """See that it is the state of such a scheduler: another one would load, and fail later."""
    own = scheduler.state_dict().keys()
    missing, unknown = sorted(own - saved.keys()), sorted(saved.keys() - own)
    # Only both together: other versions of torch have one more or one less.
    if missing and unknown:
        raise StateMismatch(
            f"the state is of a scheduler other than {type(scheduler).__name__}: it has no "
            f"{missing[0]}, and has {unknown[0]}; make the scheduler as it was when the state was "
            "saved",
        )


def _are_positions(ranks: Any) -> bool:
    """Whether these are the positions of one rank or more."""
    if not isinstance(ranks, Sequence) or not ranks:
        return False
    return all(
        isinstance(each, Mapping)
        and POSITION.issubset(each)
        and (not each["batches"] or POSITION_WITHIN.issubset(each))
        for each in ranks
    )


def _check_groups(optimizer: Optimizer, saved: Mapping[str, Any]) -> None:
    if not {"state", "param_groups"} <= saved.keys():
        raise StateMismatch(
            "the state of the optimizer has no state or no param_groups, as if truncated; give "
            "Engine.load_state_dict what Engine.state_dict returned",
        )
    places = {place for group in saved["param_groups"] for place in group["params"]}
    unknown_places = [place for place in saved["state"] if place not in places]
    if unknown_places:  # which torch would take, and never look at
        raise StateMismatch(
            f"the optimizer's state names parameter {unknown_places[0]!r}, which is in "
            "none of its groups, as if numbers had become strings on the way; for "
            "torch.distributed.checkpoint give Engine.sharded_state_dict()",
        )
    own = [len(group["params"]) for group in optimizer.param_groups]
    other = [len(group["params"]) for group in saved["param_groups"]]
    for group in saved["param_groups"]:
        missing, unknown = optimizer.defaults.keys() - group, group.keys() - optimizer.defaults
        # Only both together: other versions of torch have one more or one less.
        unknown -= {"params", "param_names"} | optimizer.param_groups[0].keys()
        if missing and unknown:
            raise StateMismatch(
                f"the state is of an optimizer other than {type(optimizer).__name__}: it has "
                f"no {min(missing)}, and has {min(unknown)}; make the optimizer as it "
                "was when the state was saved",
            )
    if own != other:
        raise StateMismatch(
            f"the state is that of an optimizer with groups of {other} parameters, and this "
            f"{type(optimizer).__name__} has groups of {own}; make it from the same parameters",
        )
