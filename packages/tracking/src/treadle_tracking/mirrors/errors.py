"""What can go wrong between a run and its mirrors, one class a condition."""

from pathlib import Path
from shlex import quote
from typing import Literal, TypeAlias

from treadle_tracking.errors import InvalidTarget, TrackingError
from treadle_tracking.masking import to_be_filled_in
from treadle_tracking.shell import sync_command

__all__ = [
    "AccessDenied",
    "CertificateRefused",
    "CredentialsUnreadable",
    "DatabaseUnusable",
    "ExperimentDeleted",
    "FileStoreRefused",
    "InvalidSetting",
    "MirrorFailed",
    "MirrorStateDamaged",
    "MissingDriver",
    "NoMirror",
    "NotMLflow",
    "NotReplaceable",
    "PasswordNeeded",
    "Purpose",
    "RedirectRefused",
    "RequestRefused",
    "RequestTooLarge",
    "RunDeleted",
    "RunMissing",
    "ServerBusy",
    "ServerFailed",
    "ServerSilent",
    "ServerUnreachable",
    "StillWritten",
    "SyncIncomplete",
]

Purpose: TypeAlias = Literal["write", "read"]
# A sender does by itself what a reader leaves to whoever reads.
_AGAIN: dict[Purpose, str] = {"write": "it is tried again", "read": "try again later"}


class FileStoreRefused(InvalidTarget):
    """The target is a folder of MLflow's old file store, in which a point sent twice is there twice."""

    def __init__(self, uri: str) -> None:
        folder = uri.removeprefix("file://").removeprefix("file:")
        super().__init__(
            f"target 'mlflow:{uri}' is a file store, in which points that are sent again appear twice and which MLflow "
            f"itself no longer opens. Name a database, as in 'mlflow:sqlite:///mlflow.db'; old runs are brought into "
            f"it by: mlflow migrate-filestore --source {folder or '.'} --target sqlite:///mlflow.db"
        )


class DatabaseUnusable(TrackingError):
    """An sqlite database of MLflow's cannot be opened, or made."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"the database {path} cannot be used: {reason}")
        self.path = path


class MissingDriver(TrackingError):
    """The Python driver of a database is not installed; which one a database takes is for its owner to choose."""

    def __init__(self, asking: str, driver: str) -> None:
        super().__init__(
            f"{asking} needs {driver}, the driver of this database, which cannot be imported: install it, or "
            f"name another driver after the database, as in 'mlflow:postgresql+psycopg://…'"
        )


def _commanded(uri: str) -> str:
    """A mirror's address as a shell takes it."""
    return quote(to_be_filled_in(uri.removeprefix("mlflow:")))


class ExperimentDeleted(TrackingError):
    """MLflow keeps the name of a deleted experiment taken, and takes no runs under it."""

    def __init__(self, name: str, identity: str, uri: str) -> None:
        address = _commanded(uri)
        # A server removes nothing for good: that is done on its database.
        database = "DATABASE_OF_THE_SERVER" if uri.startswith("mlflow:http") else address
        super().__init__(
            f"the experiment {name!r} is deleted at {uri}, and MLflow keeps its name taken: bring it back with "
            f"`MLFLOW_TRACKING_URI={address} mlflow experiments restore -x {identity}`, or remove it with "
            f"`MLFLOW_TRACKING_URI={address} mlflow gc --backend-store-uri {database} --experiment-ids {identity}`"
        )


class RunDeleted(TrackingError):
    """The run was deleted at the mirror, so it takes nothing more."""

    def __init__(self, name: str, identity: str, uri: str) -> None:
        super().__init__(
            f"the run {name!r} is deleted at {uri}: bring it back with "
            f"`MLFLOW_TRACKING_URI={_commanded(uri)} mlflow runs restore --run-id {identity}`"
        )


class RunMissing(TrackingError):
    """A run that was sent to a mirror is not there."""

    def __init__(self, name: str, identity: str, uri: str) -> None:
        super().__init__(
            f"the run {name!r}, which was {identity} at {uri}, is not there any more; sending it again makes another"
        )


class MirrorFailed(TrackingError):
    """A mirror whose address holds a password failed; the message is the cause's, without the password."""


class InvalidSetting(TrackingError):
    """An environment variable that says how a server is reached says nothing that can be used."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable}, a variable of the environment, {problem}")
        self.variable = variable


class CredentialsUnreadable(TrackingError):
    """MLflow's file of user and password is not as MLflow writes it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} cannot be read; expected a line [mlflow], then lines mlflow_tracking_username = … and "
            f"mlflow_tracking_password = …"
        )
        self.path = path


class ServerUnreachable(TrackingError):
    """No connection to the server, or it broke."""

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(
            f"{uri} cannot be reached: {reason}. Is the server running, and is this its address?"
        )


class ServerSilent(TrackingError):
    """The server takes requests, and does not answer in time."""

    def __init__(self, uri: str, seconds: float) -> None:
        super().__init__(
            f"{uri} took a request and did not answer within {seconds:g} s; to wait longer, set the variable "
            f"MLFLOW_HTTP_REQUEST_TIMEOUT, in seconds"
        )


class CertificateRefused(TrackingError):
    """The server's certificate is signed by nobody whom this machine trusts, is out of date, or another's."""

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(
            f"the certificate of {uri} is not trusted: {reason}. Name the file with the certificate of whoever "
            f"signed it in the variable MLFLOW_TRACKING_SERVER_CERT_PATH"
        )


class AccessDenied(TrackingError):
    """The server wants to know who asks, or knows it and refuses."""

    def __init__(self, uri: str, status: int, said: str, purpose: Purpose = "write") -> None:
        answer = f"{status}{f': {said}' if said else ''}"
        if status == 401:  # Unauthorized
            advice = (
                "Give user and password in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD or in "
                "~/.mlflow/credentials, or a token in MLFLOW_TRACKING_TOKEN"
            )
        elif status == 407:  # Proxy Authentication Required
            advice = "Give user and password of the proxy in its address: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
        else:
            what = "write to this experiment" if purpose == "write" else "read its experiments"
            advice = f"Ask whoever runs the server for permission to {what}"
        super().__init__(f"{uri} refuses access ({answer}). {advice}")
        self.status = status


class NotMLflow(TrackingError):
    """Something answers that is no MLflow server, or hides one."""

    def __init__(self, uri: str, seen: str) -> None:
        super().__init__(
            f"{uri} answers {seen}: this is not the address of an MLflow server, or a login page hides it. If "
            f"MLflow is below a path there, add that to the address, as in 'mlflow:https://HOST/PATH'"
        )


class RedirectRefused(TrackingError):
    """The server sends its callers elsewhere: nobody's password is taken there unasked."""

    def __init__(self, uri: str, location: str) -> None:
        super().__init__(
            f"{uri} redirects to {location}, which is not followed: if that is where MLflow is, name it as the target"
        )


class ServerBusy(TrackingError):
    """The server asks to be left alone for a while."""

    def __init__(
        self, uri: str, status: int, retry_after: float | None, purpose: Purpose = "write"
    ) -> None:
        when = "" if retry_after is None else f", for {retry_after:g} s"
        super().__init__(f"{uri} takes nothing just now ({status}){when}; {_AGAIN[purpose]}")
        self.status = status
        self.retry_after = retry_after  # seconds from now, if the server said


class ServerFailed(TrackingError):
    """The server, or a proxy before it, has failed."""

    def __init__(self, uri: str, status: int, said: str, purpose: Purpose = "write") -> None:
        answer = f"{status}{f': {said}' if said else ''}"
        super().__init__(
            f"{uri} has failed ({answer}); {_AGAIN[purpose]}, and the server's own log says more"
        )
        self.status = status


class RequestRefused(TrackingError):
    """MLflow understands a request and refuses it."""

    def __init__(self, uri: str, status: int, code: str, said: str) -> None:
        super().__init__(f"{uri} refuses a request ({status} {code}): {said}")
        self.status = status
        self.code = code  # MLflow's word for it, such as INVALID_PARAMETER_VALUE


class RequestTooLarge(TrackingError):
    """A request has more bytes than the server, or a proxy before it, takes."""

    def __init__(self, uri: str) -> None:
        super().__init__(
            f"{uri} finds a request too large (413): whoever runs the server, or the proxy before it, sets the "
            f"limit, in nginx by client_max_body_size"
        )


class MirrorStateDamaged(TrackingError):
    """The note of what a mirror has been sent cannot be read."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} cannot be read, and it says where this run is mirrored to: delete that file and send the run "
            f"again with: {sync_command(path.parent, to='mlflow:URI')}. What has arrived already stays as it is"
        )
        self.path = path


class NoMirror(TrackingError):
    """`sync` was asked for a run that has never been mirrored, without saying where to."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"the run in {directory} has no mirror. Say where it is to be sent: "
            f"{sync_command(directory, to='mlflow:sqlite:///mlflow.db')}"
        )


class PasswordNeeded(TrackingError):
    """A mirror was given with a password, which is not kept in the run directory."""

    def __init__(self, uri: str, directory: Path) -> None:
        super().__init__(
            f"the run in {directory} is mirrored to {uri}, and its password is not kept. Give the whole address: "
            f"{sync_command(directory, to=uri)}"
        )


class NotReplaceable(TrackingError):
    """A run was to be made anew at a mirror that cannot."""

    def __init__(self, uri: str) -> None:
        super().__init__(
            f"the mirror {uri} cannot make a run anew in place of the one that it has: leave out `rebuild`, or remove "
            f"the run there and send it again"
        )


class StillWritten(TrackingError):
    """What is only for a run that nobody writes was asked for one that a process is writing."""

    def __init__(self, directory: Path, what: str, pid: int, host: str) -> None:
        super().__init__(
            f"the run in {directory} is being written by process {pid} on {host}, and {what} only when it has ended"
        )


class SyncIncomplete(TrackingError):
    """Something of the run has not arrived; each line of the message says how much, where, and why."""
