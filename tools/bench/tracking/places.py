"""Where others keep runs: a database, and a server with one of its own on this machine."""

import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Places:
    """Where a bench may write, and to whom it may speak.

    Args:
        folder: Removed at the end.
        server: Starts the server at its first call; its address. Raises where it does not start.
    """

    folder: Path
    server: Callable[[], str]

    @property
    def database(self) -> str:
        """The address of a database of MLflow's, which whoever is first makes."""
        return f"sqlite:///{self.folder}/mlflow.db"

    def stores(self) -> dict[str, str]:
        """The addresses by their kind; the server's only where it starts."""
        stores = {"sqlite": self.database}
        try:
            stores["http"] = self.server()
        except (OSError, RuntimeError) as error:
            print(f"\nno rows of a server: {error}")
        return stores


@contextmanager
def places() -> Iterator[Places]:
    """Work in a folder that is removed, quietly, and without a word to anyone outside."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(chdir(folder))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        os.environ |= {
            "HF_HOME": folder,
            "HF_HUB_OFFLINE": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
            "MPLCONFIGDIR": folder,
            "TRACKIO_DIR": folder,
            "WANDB_SILENT": "true",
        }
        started: list[str] = []

        def server() -> str:
            if not started:
                started.append(stack.enter_context(_server(Path(folder))))
            return started[0]

        yield Places(Path(folder), server)


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = ["--backend-store-uri", f"sqlite:///{folder}/server.db"]
    files = ["--artifacts-destination", f"{folder}/server-files"]
    at = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", *store, *files, *at],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            uri = f"http://127.0.0.1:{port}"
            _wait_for(uri, process)
            yield uri
        finally:
            # The server has workers of its own.
            os.killpg(process.pid, 15)


def _wait_for(uri: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=5):  # noqa: S310 (our own)
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("`mlflow server` does not start")
