"""MLflow's REST API (https://mlflow.org/docs/latest/rest-api.html): requests to a server, and what its answers mean."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from treadle_tracking.errors import InvalidTarget, TrackingError
from treadle_tracking.mirrors.address import Address
from treadle_tracking.mirrors.connection import Answer, Connection, printable
from treadle_tracking.mirrors.credentials import access, secure_context
from treadle_tracking.mirrors.errors import (
    AccessDenied,
    NotMLflow,
    Purpose,
    RequestRefused,
    RequestTooLarge,
    ServerBusy,
    ServerFailed,
)

__all__ = ["FILES", "PROXIED", "UNKNOWN", "Api", "said"]

FILES = "/api/2.0/mlflow-artifacts/artifacts"
PROXIED = "mlflow-artifacts"  # the scheme of an artifact location that the server itself serves
UNKNOWN = "RESOURCE_DOES_NOT_EXIST"
_API = "/api/2.0/mlflow/"
_FOREIGN = "with JSON that MLflow does not write"
_SAID = 300  # characters of what a server says
_TAGS = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)


def said(answer: Answer) -> str:
    """What a server has written about an error, on one line: a JSON message, or the words of a page."""
    text = answer.body.decode("utf-8", "replace")
    try:
        text = json.loads(text)["message"]
    except (ValueError, TypeError, KeyError):
        text = _TAGS.sub(" ", text)
    return printable(" ".join(str(text).split())[:_SAID])


def _code(answer: Answer) -> str | None:
    """MLflow's word for an error; None where it is not MLflow that answers."""
    try:
        return str(json.loads(answer.body)["error_code"])
    except (ValueError, TypeError, KeyError):
        return None


class Api:
    """An MLflow server.

    Args:
        address: Its address, which may hold user and password.
        shown: The whole target for messages.
        purpose: What it is asked for, for messages.

    Attributes:
        base: Its address without user and password.
        netloc: Its host and port.
        connection: What requests are made with.

    Raises:
        InvalidTarget: this is no address of a server.
        InvalidSetting: an environment variable for MLflow says nothing that can be used.
        CredentialsUnreadable: the file `~/.mlflow/credentials` is not as MLflow writes it.
    """

    def __init__(self, address: Address, shown: str, purpose: Purpose = "write") -> None:
        self._shown = shown
        self._purpose: Purpose = purpose
        try:
            parts = urlsplit(address.uri)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or re.search(r"\s", parts.netloc) or parts.query or parts.fragment:
            raise InvalidTarget(
                f"target {shown!r} is no address of a server; expected mlflow:http://HOST:PORT/PATH"
            )
        user, _, self.netloc = parts.netloc.rpartition("@")
        self._user = user or None
        # What is wrong with the settings is told now, and not by a thread; they are read again when they are used.
        access(self._user)
        if parts.scheme == "https":
            secure_context()
        path = quote(parts.path.rstrip("/"), safe="/%~:@!$&'()*+,;=")
        self.base = f"{parts.scheme}://{self.netloc}{path}"
        self.connection = Connection(self.base, shown)

    def connect(self) -> None:
        """Make ready, after `close` too."""
        self.connection.prepare(access(self._user))

    def close(self) -> None:
        """Let go of the connection."""
        self.connection.close()

    def call(
        self,
        method: str,
        endpoint: str,
        asked: Mapping[str, Any] | Sequence[tuple[str, str]] | bytes,
        *,
        repeatable: bool = True,
    ) -> Any:
        """The JSON object that an endpoint answers with.

        Args:
            method: `GET` or `POST`.
            endpoint: Its name below `/api/2.0/mlflow/`, or, with a slash at its front, its whole path.
            asked: What it is told: of `GET` behind a question mark, else as JSON.
            repeatable: As for `Connection.request`.

        Raises:
            TrackingError: the server cannot be reached, or refuses; each condition has its class.
        """
        path, body = endpoint if endpoint.startswith("/") else f"{_API}{endpoint}", b""
        if isinstance(asked, bytes):
            body = asked
        elif method == "GET":
            path += f"?{urlencode(asked)}"
        else:
            body = json.dumps(asked).encode("ascii")
        answer = self.connection.request(method, path, body, repeatable=repeatable)
        if answer.status != HTTPStatus.OK:
            raise self.problem(answer)
        try:
            value = json.loads(answer.body or b"{}")
        except (ValueError, RecursionError):
            seen = f"with {answer.content_type or 'something'} where JSON is expected"
            raise NotMLflow(self._shown, seen) from None
        if not isinstance(value, dict):
            raise NotMLflow(self._shown, _FOREIGN)
        return value

    @contextmanager
    def as_mlflow_writes(self) -> Iterator[None]:
        """Within, what an answer lacks is the fault of who has given it."""
        try:
            yield
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
            raise NotMLflow(self._shown, _FOREIGN) from None

    def problem(self, answer: Answer) -> TrackingError:
        """What an answer other than 200 says."""
        status, code, text = answer.status, _code(answer), said(answer)
        if status in {
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.FORBIDDEN,
            HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
        }:
            return AccessDenied(self._shown, status, text, self._purpose)
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return RequestTooLarge(self._shown)
        if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
            return ServerBusy(self._shown, status, answer.retry_after, self._purpose)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return ServerFailed(self._shown, status, text, self._purpose)
        if code is None:
            return NotMLflow(self._shown, f"{status}{f' ({text})' if text else ''}")
        return RequestRefused(self._shown, status, code, text)
