"""Processes and servers that slow tests look at: every one on loopback, ended by its own id."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str, server: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until a server answers, and say what it printed if it ends before."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert server.poll() is None, f"{server.args} ended with {server.returncode}"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)  # between two attempts; the deadline above is what ends this
    pytest.fail(f"{url} did not answer in {seconds} s")


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., str]]:
    """Start `python -m ...` as a server in a process group of its own; the base URL once it answers."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, cwd: Path, ready: str = "/") -> str:
        port = free_port()
        base = f"http://127.0.0.1:{port}"
        server = subprocess.Popen(
            [sys.executable, "-m", *arguments, "--host", "127.0.0.1", "--port", str(port)],
            cwd=cwd,
            env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        running.append(server)
        answers(base + ready, server, 120)
        return base

    yield start
    for server in running:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window; its pages see loopback alone."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()
