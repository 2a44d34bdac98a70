"""How to reach an MLflow server, and as whom: what MLflow's own client takes from the environment."""

import base64
import os
import re
import ssl
from configparser import ConfigParser, InterpolationError
from configparser import Error as ConfigError
from pathlib import Path
from urllib.parse import unquote

from attrs import field, frozen

from treadle_tracking.mirrors.errors import CredentialsUnreadable, InvalidSetting

__all__ = ["Access", "access", "needs_client", "secure_context"]

READ_SECONDS = 60.0
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


@frozen
class Access:
    """How requests to a server are made. Its `repr` shows nothing secret."""

    authorization: str | None = field(default=None, repr=False)  # a header
    workspace: str | None = None  # of a server with several
    read_seconds: float = READ_SECONDS
    follows: bool = True  # redirects on the same host


def _given(variable: str) -> str | None:
    """A variable of the environment, less the line end that a secret from a file often has."""
    return os.environ.get(variable, "").strip() or None


def _is_set(variable: str, *, default: bool) -> bool:
    given = _given(variable)
    if given is None:
        return default
    if given.lower() not in {"true", "false", "1", "0"}:
        raise InvalidSetting(variable, f"is {given!r}; expected true or false")
    return given.lower() in {"true", "1"}


def needs_client() -> str | None:
    """The variable that asks for a way of signing in that only MLflow's own client has."""
    if _given("MLFLOW_TRACKING_AUTH"):
        return "MLFLOW_TRACKING_AUTH"
    if _is_set("MLFLOW_TRACKING_AWS_SIGV4", default=False):
        return "MLFLOW_TRACKING_AWS_SIGV4"
    return None


def access(user: str | None) -> Access:
    """What the environment says, and `~/.mlflow/credentials`, and the address itself, which goes before both.

    Args:
        user: `user:password` as the address has them, percent-encoded.

    Raises:
        InvalidSetting: a variable says nothing that can be used.
        CredentialsUnreadable: the file is not as MLflow writes it.
    """
    seconds = _given("MLFLOW_HTTP_REQUEST_TIMEOUT")
    if seconds is not None and not (seconds.isdigit() and int(seconds) > 0):
        raise InvalidSetting(
            "MLFLOW_HTTP_REQUEST_TIMEOUT", f"is {seconds!r}; expected a number of seconds"
        )
    return Access(
        authorization=_authorization(user),
        workspace=_header("MLFLOW_WORKSPACE"),
        read_seconds=READ_SECONDS if seconds is None else float(seconds),
        follows=_is_set("MLFLOW_ALLOW_HTTP_REDIRECTS", default=True),
    )


def _header(variable: str) -> str | None:
    given = _given(variable)
    if given is not None and _UNPRINTABLE.search(given):
        # Not shown: it may be a token.
        raise InvalidSetting(
            variable, "has a character in it that no header can carry, such as a line end"
        )
    return given


def _authorization(user: str | None) -> str | None:
    if user is not None:
        name, _, password = user.partition(":")
        return _basic(unquote(name), unquote(password))
    kept_name, kept_password = _kept()
    name_ = _given("MLFLOW_TRACKING_USERNAME") or kept_name
    password_ = _given("MLFLOW_TRACKING_PASSWORD") or kept_password
    if name_ and password_:
        return _basic(name_, password_)
    token = _header("MLFLOW_TRACKING_TOKEN")
    return None if token is None else f"Bearer {token}"


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode("ascii")


def _kept() -> tuple[str | None, str | None]:
    """User and password of the file that `mlflow` itself reads."""
    try:
        path = Path("~/.mlflow/credentials").expanduser()
        text = path.read_text("utf-8")
    except (OSError, RuntimeError):  # there is none, or no home
        return None, None
    parser = ConfigParser()
    try:
        parser.read_string(text)
    except ConfigError:
        # MLflow's client would show the line.
        raise CredentialsUnreadable(path) from None
    if not parser.has_section("mlflow"):
        return None, None
    return _entry(parser, "mlflow_tracking_username"), _entry(parser, "mlflow_tracking_password")


def _entry(parser: ConfigParser, name: str) -> str | None:
    try:
        return parser.get("mlflow", name, fallback=None)
    except InterpolationError:  # a percent sign that was not doubled
        return parser.get("mlflow", name, raw=True)


def secure_context() -> ssl.SSLContext:
    """Whom to trust over https, and the certificate to show.

    Raises:
        InvalidSetting: a variable names no certificate.
    """
    insecure = _is_set("MLFLOW_TRACKING_INSECURE_TLS", default=False)
    authority, client = "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH"
    trusted = _given(authority)
    if insecure and trusted is not None:
        raise InvalidSetting(
            authority, "is set beside MLFLOW_TRACKING_INSECURE_TLS=true; set one of the two"
        )
    if trusted is None:
        authority = "REQUESTS_CA_BUNDLE"  # which MLflow's client reads through its http library
        trusted = None if insecure else _given(authority)
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    own = _given(client)
    try:
        variable, given = authority, trusted
        if trusted is not None:
            is_folder = Path(trusted).is_dir()
            context.load_verify_locations(
                cafile=None if is_folder else trusted, capath=trusted if is_folder else None
            )
        variable, given = client, own
        if own is not None:
            # A key that is locked would be asked for on the terminal, by a thread.
            context.load_cert_chain(own, password="")
    except OSError as error:  # of which `SSLError` is one
        reason = error.strerror if not isinstance(error, ssl.SSLError) else "no certificate in it"
        raise InvalidSetting(
            variable, f"is {given!r}, which cannot be used: {reason}. Expected a file in PEM format"
        ) from error
    return context
