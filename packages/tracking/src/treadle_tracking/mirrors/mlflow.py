"""MLflow as a mirror: a run of one's own there, found by its tag or made, and sent what the log says."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from treadle_tracking.clock import milliseconds
from treadle_tracking.entries import Entry, Started
from treadle_tracking.mirrors.address import Address, parse_address
from treadle_tracking.mirrors.batching import BYTES, Request, requests
from treadle_tracking.mirrors.credentials import needs_client
from treadle_tracking.mirrors.errors import (
    ExperimentDeleted,
    RequestRefused,
    RequestTooLarge,
    RunDeleted,
    RunMissing,
)
from treadle_tracking.mirrors.locking import locked
from treadle_tracking.mirrors.parameters import fitted
from treadle_tracking.mirrors.state import lock_path
from treadle_tracking.mirrors.store import AlreadyThere, FileRefused, Found, Store
from treadle_tracking.mirrors.translation import (
    MISSING,
    TABLES_TAG,
    TAG_LENGTH,
    WHOLE,
    File,
    Outgoing,
    Translation,
    missing,
    names_missing,
)
from treadle_tracking.mirrors.uid import UID_TAG
from treadle_tracking.notices import say

__all__ = ["EXPERIMENT_TAG", "GROUP_TAG", "NAME_TAG", "MLflowMirror", "fitted_name"]

GROUP_TAG = "treadle.group"
# The whole names of a run and its experiment, where they had to be cut.
NAME_TAG, EXPERIMENT_TAG = "treadle.run", "treadle.experiment"
NAME_LENGTH = 250  # of a run and an experiment: `mlflow.store.tracking.dbmodels.models`
_FEWEST_BYTES = 10_000  # one parameter, or tag, with room to spare


def fitted_name(name: str) -> str:
    """A name as `fitted`, and different for different names."""
    encoded = name.encode("utf-8", "backslashreplace")
    if len(encoded.decode()) <= NAME_LENGTH:
        return encoded.decode()
    digest = f" {sha256(encoded).hexdigest()[:16]}"
    return fitted(name, NAME_LENGTH - len(digest), WHOLE) + digest


def _experiment_name(started: Started) -> str:
    return fitted_name(started.experiment)


def _store(address: Address, shown: str) -> Store:
    because = needs_client() if address.is_http else None
    if address.is_http and because is None:
        from treadle_tracking.mirrors.mlflow_http import HttpStore

        return HttpStore(address, shown)
    from treadle_tracking.mirrors.mlflow_client import ClientStore

    return ClientStore(address, shown, because)


def _version(file: File) -> tuple[int, ...] | None:
    """What is another whenever a file of the run directory is; None for what is not one."""
    if isinstance(file.content, bytes):
        return None
    status = file.content.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


class MLflowMirror:
    """A run in MLflow, found by the tag `treadle.uid` or made. Making the mirror asks nothing of the network.

    Args:
        uri: A tracking URI: an sqlite file by its absolute path, another database, or a server.

    Raises:
        FileStoreRefused: the URI is a folder.
        InvalidTarget: it is nothing that MLflow knows.
        InvalidSetting: an environment variable for MLflow says nothing that can be used.
        CredentialsUnreadable: the file `~/.mlflow/credentials` is not as MLflow writes it.
        MissingExtra: what the URI takes is not installed.
        MissingDriver: the database's own driver is not installed.
        DatabaseUnusable: the sqlite file cannot be opened, or made.
    """

    def __init__(self, uri: str) -> None:
        address = parse_address(uri)
        self.uri = f"mlflow:{address.shown}"
        self.identity: str | None = None
        self._store = _store(address, self.uri)
        self._run: Found | None = None
        self._started: Started | None = None
        self._translation: Translation | None = None
        self._files_at: str | None = None
        self._most_bytes = BYTES
        self._told: set[str] = set()
        self._missing: set[str] = set()  # tags
        self._files: dict[str, tuple[int, ...]] = {}  # what was sent, by path

    def open(self, started: Started, directory: Path) -> None:
        """Find the run, or make its experiment and it, and the database itself where there is none.

        Args:
            started: The first entry of its log.
            directory: The run directory: artifacts are taken from there.

        Raises:
            ExperimentDeleted: MLflow holds the experiment's name for one that was deleted.
            RunDeleted: the run was deleted in MLflow.
            TrackingError: the server or the database cannot be reached, or refuses; each condition has its class.
            Exception: whatever MLflow's client raises; `MirrorFailed` in its place where the URI holds a password.
        """
        self._store.connect()
        # The search and the making of what it did not find are not one step in MLflow.
        with locked(lock_path(directory, self.uri)):
            run = self._found(started, directory)
        self._opened(run, started, directory)

    def replace(self, started: Started, directory: Path) -> None:
        """Make another run, which is to be sent everything, and delete the one that is there. Raises as `open`."""
        self._store.connect()
        with locked(lock_path(directory, self.uri)):
            experiment = self._experiment(_experiment_name(started), directory)
            made = self._made(experiment, started, anew=True)
        self._opened(made, started, directory)

    def lacking(self, started: Started, identity: str) -> list[str]:
        """What the run that is called `identity` did not take: names, by the tags that say so. It changes nothing.

        Raises:
            RunMissing: the run is not there any more.
            TrackingError: as `open`.
        """
        self._store.connect()
        try:
            experiment = self._store.experiment(_experiment_name(started))
            runs = [] if experiment is None else self._runs(experiment.identity, started.uid)
        finally:
            self._store.close()
        for run in runs:
            if run.identity == identity and not run.is_deleted:
                return names_missing(run.tags)
        raise RunMissing(started.name, identity, self.uri)

    def _opened(self, run: Found, started: Started, directory: Path) -> None:
        if run.identity != self.identity:
            self._files.clear()
        self.identity = run.identity
        self._run = run
        self._started = started
        self._files_at = self._store.files_of(run)
        self._missing = {key for key in run.tags if key.startswith(MISSING)}
        self._translation = Translation(directory, started.uid, run.params, run.tags)

    def send(self, entries: Sequence[Entry]) -> None:
        """Send entries: files one by one, numbers, parameters and tags in few requests, and the status last.

        Raises:
            ExperimentDeleted: the experiment was deleted since the run was opened.
            RunDeleted: the run was.
            TrackingError: the server or the database cannot be reached, or refuses; each condition has its class.
            Exception: whatever MLflow's client raises; `MirrorFailed` in its place where the URI holds a password.
        """
        assert self._translation is not None, "open() comes first"
        assert self._run is not None
        assert self._started is not None
        try:
            self._send(self._translation, self._run, entries)
        except RequestRefused:
            self._check_kept(self._started, self._run)
            raise

    def _send(self, translation: Translation, run: Found, entries: Sequence[Entry]) -> None:
        going = translation.translate(entries)
        for file in going.files:
            going.tags.update(self._sent(run, file))
        if self._files_at is not None:
            going.tags.pop(TABLES_TAG, None)  # the pages would look for them
        self._missing |= {key for key in going.tags if key.startswith(MISSING)}
        self._log(run, going)
        if going.status is not None:
            status = going.status
            self._store.set_status(run.identity, status.status, status.end_time)

    def _check_kept(self, started: Started, run: Found) -> None:
        """Raise what was deleted: MLflow says of a request only that something is not active."""
        name = _experiment_name(started)
        experiment = self._store.experiment(name)
        if experiment is None:
            return
        if experiment.is_deleted:
            raise ExperimentDeleted(name, experiment.identity, self.uri)
        for found in self._runs(experiment.identity, started.uid):
            if found.identity == run.identity and found.is_deleted:
                raise RunDeleted(started.name, run.identity, self.uri)

    def close(self) -> None:
        """Let go of connections."""
        self._store.close()

    def _experiment(self, name: str, directory: Path) -> str:
        experiment = self._store.experiment(name)
        if experiment is None:
            try:
                experiment = self._store.create_experiment(name, directory)
            except AlreadyThere:
                # Another run was quicker.
                experiment = self._store.experiment(name)
                if experiment is None:
                    raise
        if experiment.is_deleted:
            raise ExperimentDeleted(name, experiment.identity, self.uri)
        return experiment.identity

    def _runs(self, experiment: str, uid: str) -> list[Found]:
        found = self._store.runs(experiment, uid)
        return [run for run in found if run.tags.get(UID_TAG) == uid]

    def _found(self, started: Started, directory: Path) -> Found:
        experiment = self._experiment(_experiment_name(started), directory)
        found = self._runs(experiment, started.uid)
        active = [run for run in found if not run.is_deleted]
        if active:
            return min(active, key=lambda run: run.identity)
        if found:
            raise RunDeleted(started.name, found[0].identity, self.uri)
        return self._made(experiment, started)

    def _made(self, experiment: str, started: Started, *, anew: bool = False) -> Found:
        tags = {UID_TAG: started.uid}
        if started.group is not None:
            tags[GROUP_TAG] = fitted(started.group, TAG_LENGTH, WHOLE)
        for tag, name in ((NAME_TAG, started.name), (EXPERIMENT_TAG, started.experiment)):
            if fitted_name(name) != name:
                tags[tag] = fitted(name, TAG_LENGTH, WHOLE)
        made = self._store.create_run(
            experiment,
            fitted_name(started.name),
            milliseconds(started.wall_time),
            tags,
        )
        # No lock reaches another machine, on which the same run may have been made since the search. Each sees both,
        # or the later sees the earlier; what was made in between holds nothing that is not sent again.
        others = [run for run in self._runs(experiment, started.uid) if not run.is_deleted]
        kept = made if anew else min([made, *others], key=lambda run: run.identity)
        for other in {run.identity for run in [made, *others]} - {kept.identity}:
            self._store.delete_run(other)
        return kept

    def _sent(self, run: Found, file: File) -> dict[str, str]:
        """Send a file; the tags that follow from it, which say where it is not taken."""
        if self._files_at is not None:
            self._tell(
                "files",
                f"{self.uri} keeps files at {self._files_at}, where they cannot be sent over http: numbers, "
                f"parameters and tags go on, and files stay in the run directory",
            )
            return missing(file.name, f"kept in the run directory only, not at {self._files_at}")
        version = _version(file)
        if version is not None and self._files.get(file.path) == version:
            # A log that has a checkpoint of every epoch by one name has one file for them all.
            return dict(file.tags)
        try:
            self._store.send_file(run, file.path, file.content)
        except FileRefused as error:
            why = str(error)
        except RequestTooLarge:
            why = "larger than the server takes"
        else:
            if version is not None:
                self._files[file.path] = version
            # It may have been missing before.
            for key in self._missing & missing(file.name, "").keys():
                self._store.delete_tag(run.identity, key)
                self._missing.discard(key)
            return dict(file.tags)
        self._tell(
            file.name, f"{file.name!r} is not at {self.uri}: {why}; the run directory has it"
        )
        return missing(file.name, why)

    def _log(self, run: Found, going: Outgoing) -> None:
        for request in requests(
            going.points, going.params, going.tags, most_bytes=self._most_bytes
        ):
            self._request(run, request)

    def _request(self, run: Found, request: Request) -> None:
        try:
            self._store.log(run.identity, request)
        except RequestTooLarge:
            halves = request.halves()
            if halves is None:
                self._pass_over(run, request)
                return
            self._most_bytes = max(_FEWEST_BYTES, min(self._most_bytes, halves[0].size))
            for half in halves:
                self._request(run, half)

    def _pass_over(self, run: Found, request: Request) -> None:
        """Leave a single entry out that is too large."""
        texts = [key for key, _ in [*request.params, *request.tags]]
        [key] = texts or [point.key for point in request.metrics]
        why = "larger than the server takes"
        self._tell(key, f"{key!r} is not at {self.uri}: {why}; the run directory has it")
        self._store.log(run.identity, Request(tags=list(missing(key, why).items())))

    def _tell(self, what: str, sentence: str) -> None:
        """Say something once."""
        if what not in self._told:
            self._told.add(what)
            say(sentence)
