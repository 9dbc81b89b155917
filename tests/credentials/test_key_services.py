"""Keys that are held by a key service: AWS KMS as moto plays it, and a server that speaks Vault's transit API.

No Vault can be installed from the package indexes, so its side is played here, by its documented requests, answers
and refusals, over real HTTP and with Vault's own client library.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from types import ModuleType

import boto3  # type: ignore[import-untyped]  # it has no stubs
import hvac
import pytest
from botocore.stub import Stubber  # type: ignore[import-untyped]  # it has no stubs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from moto import mock_aws

from speckitty_connectors import Connectors, Settings
from speckitty_connectors.credentials.aws_kms import AwsKms
from speckitty_connectors.credentials.hashicorp_vault import VaultTransit
from speckitty_connectors.credentials.key_services import KEPT, KeyService, ServiceKeys, verify_keys
from speckitty_connectors.credentials.keyring import KeyRing
from speckitty_connectors.credentials.rotation import KeyRotation
from speckitty_connectors.credentials.sealing import (
    KeyServiceUnavailableError,
    SealedPlace,
    UnsealError,
    seal,
    unseal,
)
from speckitty_connectors.credentials.vault import Vault
from speckitty_connectors.errors import ConfigurationError
from speckitty_connectors.store.engine import Store
from testbed.hosts import ProviderHost, Received, Reply

HERE = SealedPlace(table="credentials", column="sealed", row_id="1", workspace="w1", provider="fake")
THERE = SealedPlace(table="credentials", column="sealed", row_id="1", workspace="w2", provider="fake")


class TransitServer:
    """The two calls of Vault's transit engine that are used, with two keys."""

    def __init__(self) -> None:
        self.host = ProviderHost(self._respond)
        self.failure: Reply | None = None
        self._keys = {name: AESGCM(AESGCM.generate_key(256)) for name in NAMES.values()}

    def _respond(self, received: Received) -> Reply:
        if self.failure is not None:
            return self.failure
        _, _, mount, action, name = received.path.split("/", 4)
        if (mount, received.headers.get("X-Vault-Token")) != ("transit", "the token") or name not in self._keys:
            return Reply(status=403, body=b'{"errors": ["permission denied"]}')
        form = json.loads(received.body)
        bound = base64.b64decode(form["associated_data"])
        if action == "encrypt":
            nonce = os.urandom(12)
            encrypted = nonce + self._keys[name].encrypt(nonce, base64.b64decode(form["plaintext"]), bound)
            return _data(ciphertext="vault:v1:" + base64.b64encode(encrypted).decode())
        try:
            encrypted = base64.b64decode(form["ciphertext"].removeprefix("vault:v1:"), validate=True)
            content = self._keys[name].decrypt(encrypted[:12], encrypted[12:], bound)
        except (InvalidTag, ValueError):
            return Reply(status=400, body=b'{"errors": ["cipher: message authentication failed"]}')
        return _data(plaintext=base64.b64encode(content).decode())


def _data(**fields: str) -> Reply:
    return Reply(body=json.dumps({"data": fields}).encode(), headers={"Content-Type": "application/json"})


@pytest.fixture
def transit() -> Iterator[TransitServer]:
    """A server that speaks Vault's transit API."""
    server = TransitServer()
    with server.host.serving():
        yield server


@pytest.fixture
def vault_service(transit: TransitServer) -> Iterator[KeyService]:
    client = hvac.Client(url=transit.host.url, token="the token", timeout=5)
    with closing(client.adapter):
        yield VaultTransit(client)


@pytest.fixture
def kms_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyService]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("kms", region_name="eu-central-1")
        for alias in NAMES.values():
            key_id = client.create_key()["KeyMetadata"]["KeyId"]
            client.create_alias(AliasName=alias, TargetKeyId=key_id)
        yield AwsKms(client)


@pytest.fixture(params=["vault", "kms"])
def service(request: pytest.FixtureRequest) -> KeyService:
    """Each of the services, with two keys."""
    found: KeyService = request.getfixturevalue(f"{request.param}_service")
    return found


NAMES = {"a": "alias/one", "b": "alias/two"}


@pytest.fixture
def keys(service: KeyService) -> ServiceKeys:
    """Both keys of a service; nothing is remembered."""
    return ServiceKeys(service, NAMES, active="a", kept_seconds=0)


def test_what_a_service_sealed_opens_in_its_place_alone(keys: ServiceKeys) -> None:
    """The service itself refuses another place, another key and a changed value."""
    sealed = seal(keys, HERE, b"content")
    assert unseal(keys, HERE, sealed) == b"content"
    at = len(sealed) // 3
    broken = [
        (THERE, sealed),
        (HERE, sealed.replace(b"\1\1a", b"\1\1b", 1)),
        (HERE, sealed.replace(b"\1\1a", b"\1\1c", 1)),
        (HERE, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]),
        (HERE, sealed[:-1]),
    ]
    for place, value in broken:
        with pytest.raises(UnsealError):
            unseal(keys, place, value)


def test_a_key_of_a_service_is_checked_at_the_start(vault_service: KeyService, store: Store) -> None:
    """An id that was given another of the service's keys is noticed before anything is sealed with it."""
    keys = ServiceKeys(vault_service, NAMES, active="a")
    verify_keys(keys, store)
    verify_keys(keys, store)
    changed_places = {"a": NAMES["b"], "b": NAMES["a"]}
    with pytest.raises(ConfigurationError, match="isn't the one that this id had before"):
        verify_keys(ServiceKeys(vault_service, changed_places, active="a"), store)


@pytest.mark.parametrize("code", ["IncorrectKeyException", "InvalidCiphertextException"])
def test_what_kms_says_of_another_key_or_place(code: str) -> None:
    """The words of the API's reference for a wrong key and a wrong context; moto knows only the second."""
    client = boto3.client("kms", region_name="eu-central-1", aws_access_key_id="t", aws_secret_access_key="t")
    with closing(client), Stubber(client) as stubber:
        stubber.add_client_error("decrypt", code)
        with pytest.raises(UnsealError):
            AwsKms(client).decrypt("alias/one", b"encrypted", b"bound")


def test_a_host_moves_from_its_ring_to_a_service(service: KeyService, keys: ServiceKeys, store: Store) -> None:
    """The ring opens what it sealed until a rotation has sealed everything with the service's key."""
    ring = KeyRing.from_configuration({"ring": KeyRing.new_key()})
    with store.transaction() as connection:
        credential_id = Vault(ring).seal_new(
            connection, workspace="w1", provider="fake", host="fake.example", kind="grant", values={"t": "x"}
        )
    both = ServiceKeys(service, NAMES, active="a", former=ring)
    verify_keys(both, store)
    assert KeyRotation(store, both, Vault(both)).rotate().is_complete
    verify_keys(keys, store)
    with store.reading() as connection:
        opened = Vault(keys).open(connection, workspace="w1", credential_id=credential_id)
    assert opened.values["t"].reveal() == "x"


FAILURES = [
    Reply(status=403, body=b'{"errors": ["permission denied"]}'),
    Reply(status=500, body=b"{}"),
    Reply(status=503, body=b'{"errors": ["Vault is sealed"]}'),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: str(failure.status))
def test_a_vault_that_refuses_us_is_no_wrong_key(
    failure: Reply, transit: TransitServer, vault_service: KeyService
) -> None:
    """A sealed Vault or an expired token passes: the error may be tried again and says what to look at."""
    keys = ServiceKeys(vault_service, {"a": NAMES["a"]}, kept_seconds=0)
    sealed = seal(keys, HERE, b"content")
    transit.failure = failure
    calls: list[Callable[[], bytes]] = [lambda: unseal(keys, HERE, sealed), lambda: seal(keys, HERE, b"content")]
    for call in calls:
        with pytest.raises(KeyServiceUnavailableError, match="HashiCorp Vault") as caught:
            call()
        assert caught.value.retryable
        assert caught.value.__context__ is None
    transit.failure = None
    assert unseal(keys, HERE, sealed) == b"content"


def test_a_vault_that_is_away_is_told_without_the_request(transit: TransitServer) -> None:
    """No connection is a typed error, whose traceback shows no data key."""
    client = hvac.Client(url="http://127.0.0.1:9", token="the token", timeout=1)
    service = VaultTransit(client)
    with closing(client.adapter), pytest.raises(KeyServiceUnavailableError) as caught:
        service.encrypt("one", b"canary-data-key", b"bound")
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    assert base64.b64encode(b"canary-data-key").decode() not in "".join(frames)


def test_a_kms_key_that_is_disabled_is_no_wrong_key(kms_service: KeyService) -> None:
    """What an operator did to the key may be undone, so the error may be tried again."""
    keys = ServiceKeys(kms_service, {"a": "alias/nothing"})
    with pytest.raises(KeyServiceUnavailableError, match="AWS KMS"):
        seal(keys, HERE, b"content")


class Counting:
    """A service that counts, and encrypts nothing."""

    def __init__(self) -> None:
        self.asked = 0

    def encrypt(self, key: str, content: bytes, bound: bytes) -> bytes:
        return content

    def decrypt(self, key: str, encrypted: bytes, bound: bytes) -> bytes:
        self.asked += 1
        return encrypted


def test_a_data_key_is_asked_for_once_in_a_while() -> None:
    """Within its time an opened credential opens again without the service, and no longer."""
    service, now = Counting(), [0.0]
    keys = ServiceKeys(service, {"a": "one"}, kept_seconds=60, monotonic=lambda: now[0])
    first, second = seal(keys, HERE, b"1"), seal(keys, HERE, b"2")
    for sealed in (first, first, second, first):
        unseal(keys, HERE, sealed)
    assert service.asked == 2
    now[0] = 61.0
    unseal(keys, HERE, first)
    assert service.asked == 3


def test_no_more_data_keys_are_remembered_than_said() -> None:
    """The oldest goes first, so that memory doesn't grow with the number of customers."""
    service = Counting()
    keys = ServiceKeys(service, {"a": "one"})
    oldest = seal(keys, HERE, b"oldest")
    unseal(keys, HERE, oldest)
    for _ in range(KEPT):
        unseal(keys, HERE, seal(keys, HERE, b"x"))
    asked = service.asked
    unseal(keys, HERE, oldest)
    assert service.asked == asked + 1


@pytest.mark.parametrize("keys", [{}, {"a b": "one"}, {"a": "one", "b": "two"}])
def test_keys_without_an_active_one_are_refused(keys: dict[str, str]) -> None:
    """A service without keys, with an id that isn't well formed, or with a choice nobody made, is refused."""
    with pytest.raises(ConfigurationError):
        ServiceKeys(Counting(), keys)


def test_the_settings_may_name_a_key_service(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function is named as ``module:function``; one that isn't there is told with the setting's name."""
    module = ModuleType("host_of_a_key_service")
    module.keys = lambda: ServiceKeys(Counting(), {"a": "one"})  # type: ignore[attr-defined]  # a module made here
    monkeypatch.setitem(sys.modules, module.__name__, module)
    reference = f"{module.__name__}:keys"
    with Connectors(Settings(database_url=sqlite_url, key_service=reference)) as connectors:
        connectors.start()
        assert [key.id for key in connectors.keys.list()] == ["a"]
    with pytest.raises(ConfigurationError, match="setting key_service"):
        Connectors(Settings(database_url=sqlite_url, key_service="no.such.module:keys"))
    with pytest.raises(ConfigurationError, match="no key is configured"):
        Connectors(Settings(database_url=sqlite_url))
