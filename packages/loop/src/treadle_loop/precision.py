"""Mixed precision: a step under autocast, with the loss scaling that float16 needs."""

import warnings
from collections.abc import Callable
from typing import Any, Literal, TypeVar, get_args

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from treadle_loop.errors import InvalidSetting, PrecisionUnavailable
from treadle_loop.gradients import parameters_of
from treadle_loop.loss import Loss
from treadle_loop.supervised import Step
from treadle_loop.withholding import HostState

Precision = Literal["fp32", "bf16", "fp16"]
"""What the step computes in: as the model is, or under autocast to bfloat16 or to float16."""

_Made = TypeVar("_Made")


def check_precision(precision: Any) -> None:
    """See that it is one of the three.

    Raises:
        InvalidSetting: it is not.
    """
    if precision not in get_args(Precision):
        raise InvalidSetting(
            f'precision is {precision!r}, and "fp32" (as the model is), "bf16" or "fp16" was expected',
        )


def autocasting(step: Step, precision: Precision, device_type: str) -> Step:
    """The step under `torch.autocast`; for `"fp32"` the step itself.

    Only the step: the backward pass runs each operation in the precision of its forward pass.

    Args:
        step: from the model and a batch to the loss.
        precision: `"fp32"`, `"bf16"` or `"fp16"`.
        device_type: that of the model's device, such as `"cuda"`.

    Raises:
        InvalidSetting: the precision is none of the three.
        PrecisionUnavailable: torch has no autocast to it on such a device.
    """
    check_precision(precision)
    if precision == "fp32":
        return step
    dtype = torch.bfloat16 if precision == "bf16" else torch.float16
    # Once here, where torch refuses by a warning too, and goes on in float32.
    _available(lambda: torch.autocast(device_type, dtype=dtype), precision, device_type)

    def autocast_step(model: nn.Module, batch: Any) -> Tensor | Loss:
        # A new one each time: an autocast keeps what it must restore, and does not nest.
        with torch.autocast(device_type, dtype=dtype):
            return step(model, batch)

    return autocast_step


class LossScaling:
    """Keeps gradients from vanishing in float16: `torch.amp.GradScaler` around one optimizer.

    Losses are multiplied by a scale before the backward pass and gradients are divided by it
    afterwards. A step whose gradients are not finite is skipped and the scale halved; after 2000
    steps that were made the scale is doubled. The source of the scheme is "Mixed Precision
    Training", https://arxiv.org/abs/1710.03740, section 3.2.

    To know whether a step was made is one read of the device, the only one an update.

    Ranks agree by themselves: gradients that were reduced over ranks are the same on all, and for
    sharded ones (`DTensor`, of one mesh) torch reduces what it found over the mesh.

    Args:
        optimizer: whose gradients are scaled. Its parameters stay in float32.
        device_type: that of the model's device, such as `"cuda"`.

    Raises:
        InvalidSetting: a parameter of the optimizer is float16 itself.
        PrecisionUnavailable: torch cannot scale on such a device.
    """

    __slots__ = ("_optimizer", "_scaler", "_unscaled")

    def __init__(self, optimizer: Optimizer, device_type: str) -> None:
        if any(parameter.dtype is torch.float16 for parameter in parameters_of(optimizer)):
            raise InvalidSetting(
                'precision is "fp16", and a parameter of the optimizer is torch.float16, whose '
                "small updates would be lost; keep the model in float32: the step runs under "
                "autocast, which casts where that is safe",
            )
        self._optimizer = optimizer
        self._scaler = _available(lambda: torch.amp.GradScaler(device_type), "fp16", device_type)
        self._unscaled = False

    @property
    def scale(self) -> float:
        """What losses are multiplied by now; reading it waits for the device."""
        return self._scaler.get_scale()

    def backward(self, value: Tensor) -> None:
        """Add the scaled gradient of a loss."""
        self._scaler.scale(value).backward()

    def unscale(self) -> None:
        """Divide the gradients by the scale, once an update, before they are measured or clipped.

        `step` does so where it was not done before.
        """
        if not self._unscaled and self._has_gradients():
            self._scaler.unscale_(self._optimizer)
            self._unscaled = True

    def step(self) -> bool:
        """Step the optimizer, and adapt the scale.

        Returns:
            Whether the step was made: False where a gradient was not finite.
        """
        optimizer = self._optimizer
        if not self._has_gradients():  # nothing was scaled, and GradScaler would fail
            optimizer.step()
            return True
        fused = any(group.get("fused") for group in optimizer.param_groups)
        before = HostState(optimizer) if fused else None
        # One item where the optimizer's step was called.
        steps: list[Tensor | None] = []

        def remember(optimizer: Optimizer, *_: Any) -> None:
            steps.append(getattr(optimizer, "found_inf", None))

        hook = optimizer.register_step_post_hook(remember)
        try:
            self._scaler.step(optimizer)
            self._scaler.update()
        finally:
            hook.remove()
        self._unscaled = False
        # A fused step is always called, and leaves everything as it is where that tensor is not 0:
        # then the scaler itself has read nothing.
        made = any(found is None or not found.item() for found in steps)
        if not made and before is not None:
            # torch's fused SGD leaves a momentum behind that was never written.
            before.put_back()
        return made

    def abandon(self) -> None:
        """Forget an update that will not be made, so that the next one can begin."""
        if self._unscaled:
            # The one way to clear what the scaler found that leaves its scale and its count alone.
            self._scaler.update(self._scaler.get_scale())
            self._unscaled = False

    def state_dict(self) -> dict[str, Any]:
        """The scale and its history, as numbers; reading them waits for the device."""
        return self._scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        self._scaler.load_state_dict(state)

    def _has_gradients(self) -> bool:
        return any(parameter.grad is not None for parameter in parameters_of(self._optimizer))


def _available(make: Callable[[], _Made], precision: str, device_type: str) -> _Made:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return make()
        except (RuntimeError, UserWarning) as refusal:
            reason = str(refusal).strip().rstrip(".")
            raise PrecisionUnavailable(
                f'precision is "{precision}", which torch does not offer on the device '
                f'"{device_type}" here ("{reason}"); move the model to another device, or use '
                'another precision: "fp32" works everywhere',
            ) from refusal
