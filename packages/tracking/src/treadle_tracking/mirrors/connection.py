"""One connection to a server over http that is kept open, and made again where it was closed."""

import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
)
from io import BytesIO
from typing import BinaryIO
from urllib.parse import SplitResult, urlsplit

from attrs import field, frozen

from treadle_tracking.masking import masked
from treadle_tracking.mirrors.credentials import Access, secure_context
from treadle_tracking.mirrors.errors import (
    CertificateRefused,
    RedirectRefused,
    ServerSilent,
    ServerUnreachable,
)
from treadle_tracking.mirrors.proxies import proxy_for, proxy_headers

__all__ = ["Answer", "Connection", "printable"]

CONNECT_SECONDS = 10.0
LONGEST_WAIT = 60.0  # seconds that a server may ask for; then it is asked again
_BLOCK = 1 << 16  # bytes of a file at a time
_SLOWEST = 10_000  # bytes a second, of an answer that takes longer than the first one may
_MOST_REDIRECTS = 3
_REDIRECTS = {
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
}
_BROKEN = (
    BrokenPipeError,
    ConnectionResetError,
    ConnectionAbortedError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)
_PORTS = {"http": 80, "https": 443}


@frozen
class Answer:
    """What a server has answered."""

    status: int
    content_type: str
    body: bytes = field(repr=False)
    retry_after: float | None  # seconds


def printable(text: str) -> str:
    """What a stranger has written, on one line that does nothing to a terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _retry_after(response: HTTPResponse) -> float | None:
    """Seconds of the header `Retry-After`, which has them or a date (RFC 9110, 10.2.3)."""
    given = response.headers.get("Retry-After", "").strip()
    if given.isdecimal():
        return float(given)
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _copy(response: HTTPResponse, content: BinaryIO, seconds: float) -> None:
    """Bring the body of an answer into `content`.

    Raises:
        TimeoutError: after `seconds`, the server has given less of it than the slowest line would have brought.
    """
    began, received = time.monotonic(), 0
    while block := response.read1(_BLOCK):
        content.write(block)
        received += len(block)
        if time.monotonic() - began > seconds + received / _SLOWEST:
            raise TimeoutError
    response.read()  # nothing, after which the connection is free for the next request
    if response.length:  # as `read` says of a body that ended early
        raise IncompleteRead(b"", response.length)


class Connection:
    """Requests to one server, one after the other.

    Args:
        base: The server's address, `http://host:port/path` without user and password.
        shown: The mirror's address for messages, without secrets.
    """

    def __init__(self, base: str, shown: str) -> None:
        self._given = base
        self._base = base  # where it redirects to, meanwhile
        self._shown = shown
        self._access = Access()
        self._connection: HTTPConnection | None = None
        self._proxy: SplitResult | None = None
        self._quiet_until = 0.0  # on the monotonic clock

    def prepare(self, access: Access) -> None:
        """Make what follows as `access` says."""
        self.close()
        self._base = self._given
        self._access = access

    def close(self) -> None:
        """Let go of the connection; the next request makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def request(
        self,
        method: str,
        path: str,
        body: bytes | BinaryIO = b"",
        *,
        size: int | None = None,
        content_type: str = "application/json",
        extra_seconds: float = 0.0,
        repeatable: bool = True,
        into: BinaryIO | None = None,
    ) -> Answer:
        """Ask, and wait for the answer, whatever its status. A server that has asked to be left alone is, before.

        Args:
            method: `GET`, `POST` or `PUT`.
            path: Below the server's address, from its slash on, with whatever follows a question mark.
            body: What is sent; a file is read as it goes, from where it stands.
            size: Bytes of a body that is a file.
            content_type: Of the body.
            extra_seconds: How much longer than otherwise the answer may take.
            repeatable: Whether the request may be made again where the connection broke and nobody knows whether it
                arrived.
            into: An empty file for the body of an answer of the status 200, which is not kept in memory then.

        Raises:
            ServerUnreachable: there is no connection, or it broke.
            ServerSilent: there is no answer, or so little of it at a time that it would take for ever.
            CertificateRefused: the server's certificate is not trusted.
            RedirectRefused: the server redirects to another host, or to something else.
            InvalidSetting: the proxy that the environment names cannot be used.
        """
        wait = self._quiet_until - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        file = BytesIO(body) if isinstance(body, bytes) else body
        length = len(body) if isinstance(body, bytes) else size
        begin = file.tell()
        seconds = self._access.read_seconds + extra_seconds
        headers = {"Accept": "application/json"}
        if method != "GET":
            headers |= {"Content-Type": content_type, "Content-Length": str(length)}
        for _ in range(1 + _MOST_REDIRECTS):
            response = self._repeated(
                method,
                path,
                file,
                begin,
                headers,
                seconds=seconds,
                repeatable=repeatable,
                into=into,
            )
            answer, location = response
            if answer.status not in _REDIRECTS:
                break
            self._follow(location, path)
        else:
            raise RedirectRefused(self._shown, "itself, again and again")
        if answer.retry_after is not None and answer.status >= HTTPStatus.BAD_REQUEST:
            self._quiet_until = time.monotonic() + min(answer.retry_after, LONGEST_WAIT)
        return answer

    def _repeated(
        self,
        method: str,
        path: str,
        file: BinaryIO,
        begin: int,
        headers: Mapping[str, str],
        *,
        seconds: float,
        repeatable: bool,
        into: BinaryIO | None,
    ) -> tuple[Answer, str]:
        """The answer, and where it redirects to; asked for twice where a connection was left open and has gone."""
        was_open = self._connection is not None and self._connection.sock is not None
        for is_last in (not (was_open and repeatable), True):
            file.seek(begin)
            if into is not None:
                into.seek(0)
                into.truncate()
            try:
                return self._asked(method, path, file, headers, seconds=seconds, into=into)
            except ssl.SSLCertVerificationError as error:
                self.close()
                raise CertificateRefused(self._shown, error.verify_message) from error
            except TimeoutError as error:
                self.close()
                raise ServerSilent(self._shown, seconds) from error
            except (OSError, HTTPException) as error:
                self.close()
                if not is_last and isinstance(error, _BROKEN):
                    continue
                reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
                if isinstance(error, ssl.SSLError):
                    reason = f"TLS fails ({error.reason or reason})"
                raise ServerUnreachable(self._shown, reason) from error
        raise AssertionError

    def _asked(
        self,
        method: str,
        path: str,
        file: BinaryIO,
        headers: Mapping[str, str],
        *,
        seconds: float,
        into: BinaryIO | None,
    ) -> tuple[Answer, str]:
        connection = self._opened()
        if connection.sock is not None:
            connection.sock.settimeout(seconds)
        parts = urlsplit(self._base)
        target = parts.path + path
        all_headers = {"User-Agent": "treadle-tracking", **headers}
        if self._access.authorization is not None:
            all_headers["Authorization"] = self._access.authorization
        if self._access.workspace is not None:
            all_headers["X-MLFLOW-WORKSPACE"] = self._access.workspace
        if self._proxy is not None and parts.scheme == "http":
            target = f"{parts.scheme}://{parts.netloc}{target}"
            all_headers |= proxy_headers(self._proxy)
        body = None if method == "GET" else file
        is_whole = False
        # A server that refuses a large body answers and hangs up while it is being sent: the answer says more.
        with suppress(*_BROKEN):
            connection.request(method, target, body=body, headers=all_headers)
            is_whole = True
        response = connection.getresponse()
        content = into if into is not None and response.status == HTTPStatus.OK else BytesIO()
        _copy(response, content, seconds)
        answer = Answer(
            status=response.status,
            content_type=response.headers.get_content_type(),
            body=content.getvalue() if isinstance(content, BytesIO) else b"",
            retry_after=_retry_after(response),
        )
        if not is_whole:
            self.close()
        return answer, response.headers.get("Location", "")

    def _opened(self) -> HTTPConnection:
        connection = self._connection
        if connection is None:
            self._connection = connection = self._made()
        if connection.sock is None:
            try:
                connection.connect()
            except TimeoutError as error:
                self.close()
                reason = f"it takes no connection within {CONNECT_SECONDS:g} s"
                raise ServerUnreachable(self._shown, reason) from error
        return connection

    def _made(self) -> HTTPConnection:
        parts = urlsplit(self._base)
        self._proxy = proxy = proxy_for(parts)
        nearest = parts if proxy is None else proxy
        host, port = nearest.hostname or "", nearest.port
        if parts.scheme == "http":
            return HTTPConnection(host, port, timeout=CONNECT_SECONDS, blocksize=_BLOCK)
        connection = HTTPSConnection(
            host, port, timeout=CONNECT_SECONDS, blocksize=_BLOCK, context=secure_context()
        )
        if proxy is not None:
            connection.set_tunnel(parts.hostname or "", parts.port, proxy_headers(proxy))
        return connection

    def _follow(self, location: str, path: str) -> None:
        """Go on where the server redirects to: the same host, and the same below another path or by https."""
        parts = urlsplit(self._base)
        try:
            there = urlsplit(location)
            if not there.netloc:
                there = there._replace(scheme=parts.scheme, netloc=parts.netloc)
            port = there.port or _PORTS.get(there.scheme)
        except ValueError:
            raise RedirectRefused(self._shown, "what is no address") from None
        asked = path.partition("?")[0]
        # To another port only from http to https: another program may listen there.
        is_same_host = there.hostname == parts.hostname and (
            (there.scheme, port) == (parts.scheme, parts.port or _PORTS[parts.scheme])
            or (parts.scheme, there.scheme) == ("http", "https")
        )
        if not (self._access.follows and is_same_host and there.path.endswith(asked)):
            shown = masked(there._replace(query="", fragment="").geturl())
            raise RedirectRefused(self._shown, printable(shown))
        self.close()
        base = there.path[: -len(asked)]
        self._base = f"{there.scheme}://{there.netloc.rpartition('@')[2]}{base}"
