"""What tests inside other frameworks share."""

import shutil
import signal
import tempfile
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """The address of a Ray of two CPUs on this machine, which asks for a token, as Ray's default is."""
    ray = pytest.importorskip("ray", reason="needs the hosts environment: hatch run hosts:test")
    # Its sockets lie below it, and their paths have to be short.
    place = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else a warning, which is an error
        try:
            started = ray.init(
                num_cpus=2,
                include_dashboard=False,
                object_store_memory=100 * 2**20,
                log_to_driver=False,
                _temp_dir=place,
            )
            yield started.address_info["address"]
        finally:
            ray.shutdown()
            shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(autouse=True)
def _signals_as_at_the_start() -> Iterator[None]:
    """Ray and Tune leave their handlers of signals behind, and whoever finds one leaves it alone."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)
