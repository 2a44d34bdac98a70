"""`log` calls with values that are on a device still: copied there at the call, and fetched together later.

To read a number from a device waits for all that the device was given to do. So a call only asks for a copy, which
costs the training loop as little as any other kernel, and a whole second of calls is read with one wait. The copy is
needed: a tensor that is kept by reference shows what was added to it since, and keeps alive whatever it is a view of.
"""

import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from threading import Lock
from typing import Any

from attrs import define

from treadle_tracking.entries import Scalars
from treadle_tracking.scalars import as_double, as_tensor

__all__ = ["Pending", "is_on_device"]

_MOST = 100_000  # calls that wait: minutes of the quickest loop, and a hundred megabytes


def is_on_device(value: Any) -> bool:
    """Whether `value` is a tensor of torch's that is not in the memory of the CPU."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor) and value.device.type != "cpu"


@define(eq=False)
class _Snapshot:
    """Values of one call that have one dtype and are on one device: of shape (len(names),), and nobody else's."""

    names: tuple[str, ...]
    values: Any
    stream: Any  # on which they are being copied; None where the device has no streams
    numbers: list[Any] | None = None  # once they are fetched


@define(eq=False)
class _Call:
    wall_time: float
    step: int
    values: dict[str, Any]  # doubles, and None for what is in a snapshot, in the order of the call
    snapshots: list[_Snapshot]

    def entry(self) -> Scalars:
        for snapshot in self.snapshots:
            numbers = map(float, snapshot.numbers or ())
            self.values.update(zip(snapshot.names, numbers, strict=True))
        return Scalars(wall_time=self.wall_time, step=self.step, values=self.values)


def _stream(device: Any) -> Any:
    """The stream on which this thread gives `device` its work: `torch.cuda`'s, `torch.xpu`'s and so on."""
    module = getattr(sys.modules["torch"], device.type, None)
    current = getattr(module, "current_stream", None)
    return None if current is None else current(device)


class Pending:
    """Calls that wait for a device, in the order in which they were made.

    `add` may be called from any thread, and never waits: neither for a device nor for a lock. `take` and `deliver` may
    be called from any other thread meanwhile. What nobody takes is kept up to 100,000 calls.
    """

    __slots__ = ("_calls", "_counting", "_fetched", "_fetching", "lost", "trouble")

    def __init__(self) -> None:
        # Appended to without a lock: a list's own operations are atomic.
        self._calls: list[_Call] = []
        self._fetched: deque[Scalars] = deque()
        self._fetching = Lock()
        self._counting = Lock()
        self.lost = 0  # calls that the device did not give back, or for which there was no room
        self.trouble: Exception | None = None  # what it said instead

    def __len__(self) -> int:
        return len(self._calls) + len(self._fetched)

    def add(self, wall_time: float, step: int, values: Mapping[str, Any]) -> None:
        """Copy the values of one call on their devices.

        Args:
            wall_time: When the call was made, in seconds since the epoch.
            step: A signed 64-bit integer.
            values: What `scalars.as_double` takes, by name; tensors with one element on any device. What happens to
                a tensor afterwards is not seen.

        Raises:
            InvalidValue: a value is no single real number, and nothing of the call is kept.
            RuntimeError: torch's own, where a device has failed; nothing of the call is kept either.
        """
        if len(self._calls) >= _MOST:
            self._lose(1)
            return
        doubles: dict[str, Any] = {}
        groups: dict[Any, dict[str, Any]] = {}
        for name, value in values.items():
            if is_on_device(value):
                tensor = as_tensor(name, value).detach()
                groups.setdefault((tensor.dtype, tensor.device), {})[name] = tensor
                doubles[name] = None
            else:
                doubles[name] = as_double(name, value)
        snapshots = []
        for (_, device), tensors in groups.items():
            try:
                stacked = sys.modules["torch"].stack(
                    [tensor.reshape(()) for tensor in tensors.values()]
                )
            except RuntimeError:
                # No memory is left there, or the device has no such operation for this dtype.
                doubles.update({name: float(tensor.item()) for name, tensor in tensors.items()})
            else:
                snapshots.append(_Snapshot(tuple(tensors), stacked, _stream(device)))
        self._calls.append(_Call(wall_time, step, doubles, snapshots))

    def take(self) -> list[Scalars]:
        """Every call so far, in order, with the time at which it was made.

        Waits for the devices, once for each dtype on each of them. Where a device has failed, calls with a value on it
        are lost, counted in `lost`, and `trouble` is its error.
        """
        taken: list[Scalars] = []
        self.deliver(taken.append)
        return taken

    def deliver(self, append: Callable[[Scalars], None]) -> None:
        """Give every call so far to `append`, in order; when this returns, none that was added before is on its way.

        `take` and a later `append` are no such thing when two threads do both. A call stays here until `append` has
        returned: one that raises is given again the next time.
        """
        with self._fetching:
            self._fetch()
            while self._fetched:
                append(self._fetched[0])
                self._fetched.popleft()

    def _fetch(self) -> None:
        calls = self._calls[:]
        groups: dict[Any, list[_Snapshot]] = {}
        for call in calls:
            for snapshot in call.snapshots:
                values = snapshot.values
                groups.setdefault((values.dtype, values.device), []).append(snapshot)
        for (_, device), snapshots in groups.items():
            self._read(device, snapshots)
        whole = [call for call in calls if None not in [part.numbers for part in call.snapshots]]
        entries = [call.entry() for call in whole]
        # Only now, so that a Ctrl-C while a device is waited for loses nothing.
        del self._calls[: len(calls)]
        self._fetched.extend(entries)
        self._lose(len(calls) - len(whole))

    def _lose(self, calls: int) -> None:
        with self._counting:
            self.lost += calls

    def _read(self, device: Any, snapshots: Sequence[_Snapshot]) -> None:
        """Fill in the numbers of snapshots of one dtype on one device."""
        try:
            # What is done below comes after what this thread's stream was given, and not after what another one was.
            for stream in {snapshot.stream for snapshot in snapshots} - {_stream(device)}:
                stream.synchronize()
            joined = sys.modules["torch"].cat([snapshot.values for snapshot in snapshots])
            numbers = iter(joined.cpu().tolist())
            for snapshot in snapshots:
                snapshot.numbers = list(islice(numbers, len(snapshot.names)))
        except RuntimeError:
            # There is no memory for them together; or the device has failed, which the next line tells.
            for snapshot in snapshots:
                try:
                    snapshot.numbers = snapshot.values.cpu().tolist()
                except RuntimeError as error:
                    self.trouble = error
