"""The command line as an operator uses it: a real server, recorded deliveries, and both databases."""

from __future__ import annotations

import hmac
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import func, select

from speckitty_connectors import KeyRing
from speckitty_connectors.inbox.tables import inbox
from speckitty_connectors.store.engine import Store

PROVIDER = "github"
WEBHOOK_SECRET = "a-webhook-secret-of-this-test"
ROUTE_SECONDS = 60.0

SETTINGS = """
[[apps]]
provider = "github"
client_id = "Iv1.client"
client_secret = "env:CLIENT_SECRET"
private_key = "file:app.pem"
webhook_secrets = ["env:WEBHOOK_SECRET"]
settings = { slug = "kitty" }
"""


@cache
def app_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Operator:
    """Somebody at a shell, with settings in a folder and secrets in the environment."""

    def __init__(self, folder: Path, database_url: str) -> None:
        pem = app_key().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        (folder / "app.pem").write_bytes(pem)
        self.config = folder / "connectors.toml"
        self.config.write_text(SETTINGS)
        self.environment = {
            **os.environ,
            "SPECKITTY_CONNECTORS_CONFIG": str(self.config),
            "SPECKITTY_CONNECTORS_DATABASE_URL": database_url,
            "SPECKITTY_CONNECTORS_KEYS": f"test:{KeyRing.new_key().reveal()}",
            "CLIENT_SECRET": "the-client-secret",
            "WEBHOOK_SECRET": WEBHOOK_SECRET,
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        command = [sys.executable, "-m", "speckitty_connectors.cli", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Run the server while the block runs, and give the URL of its webhook."""
        with self.running() as (_, url):
            yield url

    @contextmanager
    def running(self) -> Iterator[tuple[int, str]]:
        """Run the server while the block runs; give its process id, and the URL of its webhook."""
        command = [sys.executable, "-u", "-m", "speckitty_connectors.cli", "serve", "--port", "0", "--upgrade"]
        server = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        try:
            port = ""
            while not port:
                line = server.stdout.readline()
                assert line, "the server ended by itself"
                found = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", line)
                port = found.group(1) if found else ""
            yield server.pid, f"http://127.0.0.1:{port}/webhooks/{PROVIDER}"
        finally:
            server.terminate()
            server.wait(timeout=30)
            server.stdout.close()

    def send(self, path: Path, url: str, *options: str) -> tuple[int, list[dict[str, object]]]:
        """Send recordings; return the exit code and what was answered to each."""
        arguments = ("send", PROVIDER, str(path), "--url", url, "--secret-env", "WEBHOOK_SECRET", "--json")
        done = self.run(*arguments, *options)
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def operator(tmp_path: Path, database_url: str) -> Operator:
    """Somebody at a shell, on SQLite and on PostgreSQL."""
    return Operator(tmp_path, database_url)


def outcomes(store: Store) -> Counter[str]:
    """Wait until nothing waits to be routed; return how many deliveries have which outcome."""
    end = time.monotonic() + ROUTE_SECONDS
    while time.monotonic() < end:
        with store.reading() as connection:
            rows = connection.execute(
                select(inbox.c.state, inbox.c.outcome, func.count()).group_by("state", "outcome")
            )
            found = {(row.state, row.outcome): row.count for row in rows}
        if all(state not in {"pending", "running"} for state, _ in found):
            return Counter({f"{state} {outcome}": count for (state, outcome), count in found.items()})
        time.sleep(0.2)
    raise AssertionError(f"deliveries still wait: {found}")


@pytest.mark.soak
def test_every_recorded_delivery_gets_an_answer_and_a_typed_outcome(
    operator: Operator, store: Store, corpus: Path
) -> None:
    """Each is answered with 2xx and ends in a stored outcome; broken ones store nothing; a repeat adds nothing."""
    with operator.serving() as url:
        refused, answers = operator.send(corpus / PROVIDER, url, "--tamper")
        assert refused == 0
        assert all(400 <= int(str(answer["status"])) < 500 for answer in answers)
        assert not outcomes(store)

        accepted, answers = operator.send(corpus / PROVIDER, url)
        assert accepted == 0
        assert all(200 <= int(str(answer["status"])) < 300 for answer in answers)
        first = outcomes(store)
        assert first.total() == len(answers) > 200
        assert set(first) <= {"done event", "done lifecycle", "done ignored", "done handshake"}

        again, answers = operator.send(corpus / PROVIDER, url)
        assert again == 0
        assert {answer["answer"] for answer in answers} == {"duplicate"}
        assert outcomes(store) == first


def test_strangers_who_send_slowly_keep_nobody_out(operator: Operator, tmp_path: Path) -> None:
    """While hundreds of requests never come to their end, a delivery is answered as if they weren't there."""
    recording = tmp_path / "star.json"
    recording.write_text('{"action": "created", "sender": {"id": 1}}')
    with ExitStack() as stack:
        url = urlsplit(stack.enter_context(operator.serving()))
        for _ in range(300):
            slow = stack.enter_context(socket.create_connection((url.hostname, url.port)))
            slow.sendall(f"POST {url.path}/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n1".encode())
        code, answers = operator.send(recording, url.geturl(), "--kind", "star")
    assert (code, answers[0]["status"]) == (0, 202)


MEGABYTE = 1024 * 1024


def memory_of(process: int) -> int:
    """Return the most memory in bytes that a process has had so far."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def files_of(process: int) -> int:
    """Return the bytes of the files without a name that a process has open."""
    links = [link for link in Path(f"/proc/{process}/fd").iterdir() if str(link.readlink()).endswith("(deleted)")]
    return sum(link.stat().st_size for link in links)


def connect(url: str) -> tuple[socket.socket, str]:
    """Return a connection to a server, and the beginning of a request to it."""
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port))
    return connection, f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def answer_to(operator: Operator, url: str, number: int) -> tuple[int, float]:
    """Send a signed delivery; return the status of the answer and the seconds that it took."""
    body = b'{"action": "created", "number": %d}' % number
    digest = hmac.new(WEBHOOK_SECRET.encode(), body, "sha256").hexdigest()
    headers = {
        "X-GitHub-Event": "star",
        "X-GitHub-Delivery": f"d{number}",
        "X-Hub-Signature-256": f"sha256={digest}",
    }
    start = time.perf_counter()
    answer = requests.post(url, data=body, headers={"Content-Type": "application/json", **headers}, timeout=60)
    return answer.status_code, time.perf_counter() - start


@pytest.mark.soak
def test_what_strangers_hold_open_is_bounded(operator: Operator) -> None:
    """1,100 trickling connections and 30 bodies without an end: deliveries are answered within a second meanwhile.

    Of the bodies 31 MB each are under way, with a length that is refused at once or in chunks that hide it; the
    memory of the server stays below 128 MiB and a half of it more than before, and nothing goes to files.
    """
    with ExitStack() as stack:
        process, url = stack.enter_context(operator.running())
        assert answer_to(operator, url, 0)[0] == 202
        before = memory_of(process)
        trickling = [connect(url) for _ in range(1100)]
        bodies = [connect(url) for _ in range(30)]
        for connection, _ in (*trickling, *bodies):
            stack.enter_context(connection)
            connection.settimeout(5)
        for connection, head in trickling:
            with suppress(OSError):
                connection.sendall(f"{head}Content-Length: 1000\r\n".encode())
        answered = [answer_to(operator, url, 1)]
        for number, (connection, head) in enumerate(bodies):
            sized = f"{head}Content-Length: {31 * MEGABYTE}\r\n\r\n"
            chunked = f"{head}Transfer-Encoding: chunked\r\n\r\n{31 * MEGABYTE:x}\r\n"
            with suppress(OSError):
                connection.sendall((chunked if number % 2 else sized).encode())
                for _ in range(30):
                    connection.sendall(bytes(MEGABYTE))
            for trickler, _ in trickling[number::30]:
                with suppress(OSError):
                    trickler.sendall(b"X")
            answered.append(answer_to(operator, url, 2 + number))
        assert {status for status, _ in answered} == {202}
        assert max(seconds for _, seconds in answered) < 1
        assert memory_of(process) - before < 192 * MEGABYTE
        assert files_of(process) == 0


REFUSED_UNREAD = {
    ("/webhooks/github", f"Content-Length: {25 * MEGABYTE + 1}"): b"413",
    ("/webhooks/github", f"Content-Length: {25 * MEGABYTE + 1}\r\nExpect: 100-continue"): b"413",
    ("/webhooks/slack/x", f"Content-Length: {25 * MEGABYTE + 1}"): b"413",
    ("/webhooks/nobody/x", "Content-Length: 65537"): b"413",
    ("/connect/github", "Content-Length: 65537"): b"413",
    ("/nothing", "Content-Length: 65537"): b"413",
    ("/nothing", f"X-Long: {'x' * 70_000}"): b"431",
}
"""Path and headers → the status."""


@pytest.mark.soak
def test_what_is_too_large_or_too_slow_costs_nothing(tmp_path: Path, sqlite_url: str) -> None:
    """A length beyond the provider's limit is refused before the body is sent, and who sends no more is dropped."""
    with Operator(tmp_path, sqlite_url).serving() as url, connect(url)[0] as slow:
        slow.sendall(b"POST /webhooks/github HTTP/1.1\r\nHost:")
        for (path, headers), status in REFUSED_UNREAD.items():
            with connect(url)[0] as connection:
                connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n".encode())
                assert connection.recv(100).split()[1] == status, path
        slow.settimeout(60)
        assert slow.recv(100) == b""


def test_a_recording_of_ones_own_is_sent_and_explained(operator: Operator, tmp_path: Path) -> None:
    """One file needs only its kind; afterwards the operator can ask what became of it."""
    recording = tmp_path / "star.json"
    recording.write_text('{"action": "created", "sender": {"id": 1}}')
    with operator.serving() as url:
        code, answers = operator.send(recording, url, "--kind", "star")
    assert (code, answers[0]["status"]) == (0, 202)
    listed = operator.run("review", "list", "--json")
    assert (listed.returncode, json.loads(listed.stdout)) == (0, [])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("explain", "nothing", "--workspace", "w1"), 1, "error: no delivery of that id"),
        (("send", PROVIDER, "missing.json", "--url", "x", "--secret-env", "S"), 2, "missing.json"),
        (("send", PROVIDER, ".", "--url", "http://127.0.0.1:9/", "--secret-env", "NOT_SET"), 1, "NOT_SET"),
        (("installations", "list"), 2, "WORKSPACE"),
        (("db", "current"), 0, ""),
        pytest.param(("keys", "new"), 0, "", marks=pytest.mark.soak),
        pytest.param(("providers", "--json"), 0, "", marks=pytest.mark.soak),
        pytest.param(("installations", "list", "w1"), 0, "", marks=pytest.mark.soak),
        pytest.param(("mappings", "list", "w1"), 0, "", marks=pytest.mark.soak),
        pytest.param(("apps",), 0, "", marks=pytest.mark.soak),
    ],
)
def test_commands_end_with_their_documented_codes(
    operator: Operator, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """What fails says so in one line on standard error, without a traceback; what works ends with 0."""
    done = operator.run(*arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert said in done.stderr


HANDLERS = """
def register(connectors):
    print("the host registers its handlers", flush=True)
    connectors.on()(lambda dispatch, connection: None)
"""


@pytest.mark.soak
@pytest.mark.parametrize("command", [("serve", "--port", "0", "--upgrade"), ("work",)])
def test_a_background_job_of_a_shell_ends_when_told(operator: Operator, command: tuple[str, ...]) -> None:
    """Such a job ignores interrupts, so that a supervisor's SIGTERM has to do by itself; it ends well."""
    assert operator.run("db", "upgrade").returncode == 0
    job = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-u", "-m", "speckitty_connectors.cli"]
    with subprocess.Popen([*job, *command], env=operator.environment, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        while not (line := started.stdout.readline()).startswith(("listening on", "working")):
            assert line, "it ended by itself"
        if url := line.partition("listening on ")[2].strip():
            assert requests.get(url, timeout=60).status_code == 404  # so it really serves
        started.terminate()
        assert (started.stdout.read(), started.wait(timeout=60)) == ("stopped\n", 0)


@pytest.mark.parametrize("command", [("serve", "--port", "0", "--upgrade"), ("work",)])
def test_the_hosts_function_registers_its_handlers(operator: Operator, tmp_path: Path, command: tuple[str]) -> None:
    """The function that the setting `handler` names is called once, before the command says that it works."""
    (tmp_path / "host_of_this_test.py").write_text(HANDLERS)
    environment = {
        **operator.environment,
        "PYTHONPATH": str(tmp_path),
        "SPECKITTY_CONNECTORS_HANDLER": "host_of_this_test:register",
    }
    assert operator.run("db", "upgrade").returncode == 0
    started = subprocess.Popen(
        [sys.executable, "-u", "-m", "speckitty_connectors.cli", *command],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    try:
        lines = [started.stdout.readline()]
        while not lines[-1].startswith(("listening on", "working")):
            assert lines[-1], "it ended by itself"
            lines.append(started.stdout.readline())
    finally:
        started.terminate()
        started.wait(timeout=30)
        started.stdout.close()
    assert lines.count("the host registers its handlers\n") == 1
