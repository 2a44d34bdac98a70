"""Who may write to an MLflow server, and how it is known to be the right one."""

import select
import shutil
import socket
import ssl
import subprocess
from base64 import b64encode
from contextlib import closing
from threading import Thread

import pytest

from treadle_tracking.entries import Ended, Scalars, Started
from treadle_tracking.mirrors.credentials import access, needs_client
from treadle_tracking.mirrors.errors import (
    AccessDenied,
    CertificateRefused,
    CredentialsUnreadable,
    InvalidSetting,
    ServerUnreachable,
)
from treadle_tracking.mirrors.mlflow import MLflowMirror

STARTED = Started(wall_time=1000.25, uid="u1", experiment="digits", name="baseline")
ENTRIES = [
    STARTED,
    Scalars(wall_time=1001.0, step=1, values={"loss": 0.5}),
    Ended(wall_time=1003.0, status="FINISHED"),
]


def basic(user, password):
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def send(tmp_path):
    """A function that sends a run to an address."""

    def _send(uri):
        mirror = MLflowMirror(uri)
        try:
            mirror.open(STARTED, tmp_path)
            mirror.send(ENTRIES)
        finally:
            mirror.close()

    return _send


def statuses(fake):
    return [run["info"]["status"] for run in fake.runs.values()]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A folder with a private authority and what it has signed: a server at 127.0.0.1 and a client."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    folder = tmp_path_factory.mktemp("authority")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(
        *("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Private CA"),
        *("-days", "2", "-addext", "keyUsage=critical,keyCertSign"),
    )
    for name in ("server", "client"):
        openssl(
            *("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"),
        )
        (folder / "san").write_text("subjectAltName=IP:127.0.0.1")
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
            *("-out", f"{name}.crt", "-days", "2", "-extfile", "san", "-CAcreateserial"),
        )
        both = (folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text()
        (folder / f"{name}.pem").write_text(both)
    openssl("ec", "-aes128", "-passout", "pass:x", "-in", "client.key", "-out", "locked.key")
    locked = (folder / "client.crt").read_text() + (folder / "locked.key").read_text()
    (folder / "locked.pem").write_text(locked)
    return folder


@pytest.fixture
def secure_mlflow(make_fake_mlflow, authority):
    """A fake server over TLS, with a certificate that only the private authority vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem")
    return make_fake_mlflow(context)


def test_a_private_certificate_is_trusted_by_name(send, secure_mlflow, authority, monkeypatch):
    """The variable that MLflow's client reads names the authority."""
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(authority / "ca.pem"))

    send(secure_mlflow.uri)

    assert ["FINISHED"] == statuses(secure_mlflow)


def test_a_folder_of_authorities_will_do(send, secure_mlflow, authority, monkeypatch, tmp_path):
    """A folder as openssl's `rehash` makes it is searched."""
    done = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", authority / "ca.pem"],
        capture_output=True,
        text=True,
        check=True,
    )
    shutil.copy(authority / "ca.pem", tmp_path / f"{done.stdout.strip()}.0")
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path))

    send(secure_mlflow.uri)

    assert ["FINISHED"] == statuses(secure_mlflow)


def test_the_bundle_of_requests_is_trusted_too(send, secure_mlflow, authority, monkeypatch):
    """MLflow's client reads it through its http library, and so it works here."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority / "ca.pem"))

    send(secure_mlflow.uri)

    assert ["FINISHED"] == statuses(secure_mlflow)


def test_an_unknown_certificate_is_refused(send, secure_mlflow):
    """Nothing is sent to a server that nobody vouches for, and the sentence says what to set."""
    with pytest.raises(CertificateRefused) as caught:
        send(secure_mlflow.uri)

    assert (
        f"the certificate of mlflow:{secure_mlflow.uri} is not trusted: unable to get local issuer certificate. Name "
        f"the file with the certificate of whoever signed it in the variable MLFLOW_TRACKING_SERVER_CERT_PATH"
    ) == str(caught.value)
    assert [] == secure_mlflow.requests


def test_the_certificate_of_another_host_is_refused(send, secure_mlflow, authority, monkeypatch):
    """A certificate is for the name that was asked for."""
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(authority / "ca.pem"))

    with pytest.raises(CertificateRefused) as caught:
        send(f"https://localhost:{secure_mlflow.port}")

    assert "certificate is not valid for 'localhost'" in str(caught.value)


def test_certificates_can_be_left_unchecked(send, secure_mlflow, monkeypatch):
    """Whoever insists gets what MLflow's client gives him."""
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")

    send(f"https://localhost:{secure_mlflow.port}")

    assert ["FINISHED"] == statuses(secure_mlflow)


def test_a_client_shows_its_certificate(send, make_fake_mlflow, authority, monkeypatch):
    """A server that wants to see a certificate sees the one of the variable, and turns others away."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem")
    context.load_verify_locations(authority / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    # With TLS 1.3 a client learns of it with the first answer only, or finds the connection closed.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    fake = make_fake_mlflow(context)
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(authority / "ca.pem"))
    with pytest.raises(ServerUnreachable):
        send(fake.uri)

    monkeypatch.setenv("MLFLOW_TRACKING_CLIENT_CERT_PATH", str(authority / "client.pem"))
    send(fake.uri)

    assert ["FINISHED"] == statuses(fake)


def test_tls_to_a_server_without_is_one_sentence(send, fake_mlflow):
    """An `s` too many is found out."""
    uri = fake_mlflow.uri.replace("http:", "https:")

    with pytest.raises(ServerUnreachable) as caught:
        send(uri)

    assert str(caught.value).startswith(f"mlflow:{uri} cannot be reached: TLS fails (")


def test_a_redirect_to_https_is_followed(send, fake_mlflow, secure_mlflow, authority, monkeypatch):
    """The same host by https is the same, and better."""
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(authority / "ca.pem"))
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token")
    path = "/api/2.0/mlflow/experiments/get-by-name"
    fake_mlflow.says(308, "", Location=f"{secure_mlflow.uri}{path}?experiment_name=digits")

    send(fake_mlflow.uri)

    assert ["FINISHED"] == statuses(secure_mlflow)


class Tunnel:
    """A proxy that connects its callers with anybody, and notes whom they have asked for."""

    def __init__(self):
        self.asked = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        caller, _ = self._listener.accept()
        with caller:
            head = b""
            while b"\r\n\r\n" not in head:
                head += caller.recv(4096)
            self.asked.append(head.decode())
            host, _, port = head.split()[1].decode().partition(":")
            with socket.create_connection((host, int(port))) as server:
                caller.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                self._carry(caller, server)

    def _carry(self, caller, server):
        other = {caller: server, server: caller}
        while True:
            for ready in select.select([caller, server], [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    return
                other[ready].sendall(data)

    def close(self):
        self._thread.join()
        self._listener.close()


def test_a_proxy_passes_tls_through(send, secure_mlflow, authority, monkeypatch):
    """A proxy is told where to connect to, with its own password, and sees nothing else."""
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(authority / "ca.pem"))
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token")
    with closing(Tunnel()) as tunnel:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:proxy@127.0.0.1:{tunnel.port}")
        send(secure_mlflow.uri)

    [asked] = tunnel.asked
    assert ["FINISHED"] == statuses(secure_mlflow)
    assert f"CONNECT 127.0.0.1:{secure_mlflow.port}" in asked
    assert f"Proxy-Authorization: {basic('me', 'proxy')}" in asked
    assert {(None, "Bearer token")} == {
        (headers.get("Proxy-Authorization"), headers["Authorization"])
        for *_, headers in secure_mlflow.requests
    }
    assert "token" not in asked


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"USERNAME": "me"}, None),
        ({"USERNAME": "me", "PASSWORD": "pa:ss é"}, basic("me", "pa:ss é")),
        ({"USERNAME": "me", "PASSWORD": "p", "TOKEN": "t"}, basic("me", "p")),
        ({"TOKEN": "t"}, "Bearer t"),
        ({"TOKEN": "t\n"}, "Bearer t"),
        ({"TOKEN": ""}, None),
    ],
)
def test_who_asks_is_said_as_mlflows_client_says_it(
    plain_environment, monkeypatch, variables, expected
):
    """User and password go before a token, half of them are none, and a line end is none of a secret."""
    for name, text in variables.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", text)

    assert expected == access(None).authorization


def test_the_address_goes_before_the_environment(plain_environment, monkeypatch):
    """User and password in the address are percent-encoded there."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t")

    assert basic("m@e", "p/:%") == access("m%40e:p%2F:%25").authorization


@pytest.mark.parametrize(
    ("password", "expected"), [("secret", "secret"), ("a%%b", "a%b"), ("a%b", "a%b")]
)
def test_the_file_of_mlflow_login_is_read(plain_environment, monkeypatch, password, expected):
    """What the environment does not say, `~/.mlflow/credentials` does, percent signs doubled or not."""
    (plain_environment / ".mlflow").mkdir()
    (plain_environment / ".mlflow" / "credentials").write_text(
        f"[mlflow]\nmlflow_tracking_username = kept\nmlflow_tracking_password = {password}\n"
    )
    from_file = access(None).authorization
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")

    assert [basic("kept", expected), basic("me", expected)] == [
        from_file,
        access(None).authorization,
    ]


@pytest.mark.parametrize("text", ["", "[other]\nmlflow_tracking_username = kept\n"])
def test_a_file_without_credentials_says_nothing(plain_environment, text):
    """A file for others is nobody's here."""
    (plain_environment / ".mlflow").mkdir()
    (plain_environment / ".mlflow" / "credentials").write_text(text)

    assert access(None).authorization is None


def test_a_file_that_cannot_be_read_is_named_and_not_shown(plain_environment):
    """The line that is wrong may be the password."""
    (plain_environment / ".mlflow").mkdir()
    path = plain_environment / ".mlflow" / "credentials"
    path.write_text("secret\n")

    with pytest.raises(CredentialsUnreadable) as caught:
        MLflowMirror("http://127.0.0.1:9")

    assert (
        f"{path} cannot be read; expected a line [mlflow], then lines mlflow_tracking_username = … and "
        f"mlflow_tracking_password = …"
    ) == str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"MLFLOW_TRACKING_TOKEN": "se\ncret"},
            (
                "MLFLOW_TRACKING_TOKEN, a variable of the environment, has a character in it that no header can carry, "
                "such as a line end"
            ),
        ),
        (
            {"MLFLOW_HTTP_REQUEST_TIMEOUT": "soon"},
            (
                "MLFLOW_HTTP_REQUEST_TIMEOUT, a variable of the environment, is 'soon'; expected a number of seconds"
            ),
        ),
        (
            {"MLFLOW_TRACKING_INSECURE_TLS": "maybe"},
            "MLFLOW_TRACKING_INSECURE_TLS, a variable of the environment, is 'maybe'; expected true or false",
        ),
        (
            {
                "MLFLOW_TRACKING_INSECURE_TLS": "1",
                "MLFLOW_TRACKING_SERVER_CERT_PATH": "/ca.pem",
            },
            (
                "MLFLOW_TRACKING_SERVER_CERT_PATH, a variable of the environment, is set beside "
                "MLFLOW_TRACKING_INSECURE_TLS=true; set one of the two"
            ),
        ),
        (
            {"MLFLOW_TRACKING_SERVER_CERT_PATH": "/nowhere/ca.pem"},
            (
                "MLFLOW_TRACKING_SERVER_CERT_PATH, a variable of the environment, is '/nowhere/ca.pem', which cannot be "
                "used: No such file or directory. Expected a file in PEM format"
            ),
        ),
        (
            {"MLFLOW_TRACKING_CLIENT_CERT_PATH": __file__},
            (
                f"MLFLOW_TRACKING_CLIENT_CERT_PATH, a variable of the environment, is {__file__!r}, which cannot be "
                f"used: no certificate in it. Expected a file in PEM format"
            ),
        ),
    ],
)
def test_a_variable_that_cannot_be_used_is_told_at_once(
    plain_environment, monkeypatch, variables, expected
):
    """Before the run begins, by name, and without what may be a secret."""
    for name, text in variables.items():
        monkeypatch.setenv(name, text)

    with pytest.raises(InvalidSetting) as caught:
        MLflowMirror("https://127.0.0.1:9")

    assert expected == str(caught.value)


def test_a_locked_key_is_not_asked_for(plain_environment, authority, monkeypatch):
    """A question on the terminal, by a thread, would never be answered."""
    monkeypatch.setenv("MLFLOW_TRACKING_CLIENT_CERT_PATH", str(authority / "locked.pem"))

    with pytest.raises(InvalidSetting):
        MLflowMirror("https://127.0.0.1:9")


@pytest.mark.parametrize("proxy", ["socks5://h:1", "http://", "http://h:port"])
def test_a_proxy_of_another_kind_is_named(send, fake_mlflow, monkeypatch, proxy):
    """Only http proxies are known."""
    monkeypatch.setenv("HTTP_PROXY", proxy)

    with pytest.raises(InvalidSetting) as caught:
        send("http://mlflow.invalid")

    assert (
        f"HTTP_PROXY, a variable of the environment, is {proxy!r}; expected http://HOST:PORT, the one kind that is "
        f"known"
    ) == str(caught.value)


def test_a_proxy_that_wants_a_password_says_so(send, fake_mlflow, monkeypatch):
    """The proxy's own refusal is told from the server's."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{fake_mlflow.port}")
    fake_mlflow.says(407, "")

    with pytest.raises(AccessDenied) as caught:
        send("http://mlflow.invalid")

    assert (
        "mlflow:http://mlflow.invalid refuses access (407). Give user and password of the proxy in its address: "
        "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
    ) == str(caught.value)


def test_a_server_with_a_password_gets_it_from_the_address(send, fake_mlflow):
    """A password in the address is used, and neither sent as a part of it nor shown."""
    fake_mlflow.authorization = basic("me", "sec/ret")
    uri = f"http://me:sec%2Fret@127.0.0.1:{fake_mlflow.port}"

    send(uri)

    assert ["FINISHED"] == statuses(fake_mlflow)
    assert {f"127.0.0.1:{fake_mlflow.port}"} == {
        headers["Host"] for *_, headers in fake_mlflow.requests
    }
    assert f"mlflow:http://***@127.0.0.1:{fake_mlflow.port}" == MLflowMirror(uri).uri


def test_a_wrong_password_is_told_without_it(send, fake_mlflow):
    """A refusal shows the address, and no secret."""
    fake_mlflow.authorization = basic("me", "right")

    with pytest.raises(AccessDenied) as caught:
        send(f"http://me:wrong@127.0.0.1:{fake_mlflow.port}")

    assert (
        f"mlflow:http://***@127.0.0.1:{fake_mlflow.port} refuses access (401: You are not authenticated.). "
        in str(caught.value)
    )
    assert "wrong" not in repr(access("me:wrong"))


def test_a_token_that_is_renewed_is_used(send, fake_mlflow, monkeypatch):
    """The environment is read whenever the mirror is opened."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "old")
    fake_mlflow.authorization = "Bearer new"
    with pytest.raises(AccessDenied):
        send(fake_mlflow.uri)

    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "new")
    send(fake_mlflow.uri)

    assert ["FINISHED"] == statuses(fake_mlflow)


def test_a_workspace_is_named_in_every_request(send, fake_mlflow, monkeypatch):
    """A server with several workspaces is told which, as MLflow's client does."""
    monkeypatch.setenv("MLFLOW_WORKSPACE", "vision")

    send(fake_mlflow.uri)

    assert {"vision"} == {headers["X-MLFLOW-WORKSPACE"] for *_, headers in fake_mlflow.requests}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"MLFLOW_TRACKING_AUTH": "kerberos"}, "MLFLOW_TRACKING_AUTH"),
        ({"MLFLOW_TRACKING_AWS_SIGV4": "true"}, "MLFLOW_TRACKING_AWS_SIGV4"),
        ({"MLFLOW_TRACKING_AWS_SIGV4": "false"}, None),
    ],
)
def test_what_needs_mlflows_client_is_known(plain_environment, monkeypatch, variables, expected):
    """Ways of signing in that are MLflow's plugins are left to it."""
    for name, text in variables.items():
        monkeypatch.setenv(name, text)

    assert expected == needs_client()
