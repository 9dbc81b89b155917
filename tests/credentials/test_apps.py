"""Registering apps: what is refused, what a second registration changes, and how an app is found again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve, frozen
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import func, select, update

from speckitty_connectors.apps.endpoints import Endpoint, add_secret, find_endpoint, open_secret, retire_secret
from speckitty_connectors.apps.service import Apps, RegisteredApp
from speckitty_connectors.contract.fake import MANIFEST, FakeProvider
from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.credentials.tables import apps as app_rows
from speckitty_connectors.credentials.tables import credentials, endpoints
from speckitty_connectors.credentials.vault import Vault
from speckitty_connectors.errors import ConfigurationError, NotFoundError
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.loading.statuses import PluginUnavailableError
from speckitty_connectors.store.audit import audit
from speckitty_connectors.store.engine import Store
from testbed.clock import FrozenClock

FIRST, SECOND = "a-webhook-secret-of-some-length", "another-webhook-secret-of-length"
CLIENT: dict[str, Any] = {"client_id": "c1", "client_secret": Secret("the-client-secret")}


@frozen(kw_only=True)
class Connected:
    """What was connected through an app."""

    workspace: str
    app_id: str


@pytest.fixture
def apps(store: Store, vault: Vault, registry: Registry) -> Apps:
    return Apps(store, vault, registry, allowed_hosts={"127.0.0.1:8000"})


def endpoint_of(store: Store, apps: Apps, registered: RegisteredApp) -> Endpoint:
    with store.reading() as connection:
        found = find_endpoint(connection, registered.app.provider, apps.endpoint_of(connection, registered))
    assert found is not None
    return found


def accepted(store: Store, vault: Vault, endpoint: Endpoint) -> list[str]:
    with store.reading() as connection:
        return [open_secret(connection, vault, endpoint, one.credential_id).reveal() for one in endpoint.secrets]


def count(store: Store, table: object) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]  # any table


def test_a_registered_app_is_found_with_its_addresses(store: Store, apps: Apps) -> None:
    """An app at the provider's own host has the manifest's addresses, and no secret shows."""
    registered = apps.register(provider="fake", **CLIENT, webhook_secrets=[FIRST])
    assert (registered.app.host, registered.app.urls.api) == ("fake.example", "https://api.fake.example")
    assert not registered.app.self_managed
    assert registered.private_key_id == ""
    with store.reading() as connection:
        assert apps.find(connection, provider="fake") == registered
        assert apps.get(connection, "", registered.id) == registered
    assert apps.list() == (registered,)
    assert "the-client-secret" not in repr(registered)


@pytest.mark.parametrize(
    ("base_url", "host", "web", "api"),
    [
        ("https://Boards.Example/", "boards.example", "https://Boards.Example", "https://Boards.Example/api"),
        ("https://b.example/boards", "b.example", "https://b.example/boards", "https://b.example/boards/api"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "http://127.0.0.1:8000", "http://127.0.0.1:8000/api"),
        ("https://fake.example", "fake.example", "https://fake.example", "https://api.fake.example"),
        ("https://FAKE.example/", "fake.example", "https://fake.example", "https://api.fake.example"),
    ],
)
def test_a_self_managed_host_has_addresses_under_its_base_url(
    base_url: str, host: str, web: str, api: str, apps: Apps
) -> None:
    """The host's name comes from the base URL, with its port where that isn't the usual one."""
    app = apps.register(provider="fake", **CLIENT, base_url=base_url).app
    assert (app.host, app.urls.web, app.urls.api, app.self_managed) == (host, web, api, host != "fake.example")


def test_a_host_alone_is_reached_by_https(apps: Apps) -> None:
    """Naming a self-managed host is enough where it has no base path."""
    assert apps.register(provider="fake", **CLIENT, host="b.example").app.urls.web == "https://b.example"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"base_url": "http://b.example"}, "https"),
        ({"base_url": "http://127.0.0.1:8001"}, "https"),
        ({"base_url": "https://b.example:8443"}, "443"),
        ({"base_url": "ftp://b.example"}, "URL"),
        ({"base_url": "https://user@b.example"}, "URL"),
        ({"base_url": "https://127.1"}, "odd way"),
        ({"base_url": "https://b.example?x=1"}, "more than a path"),
        ({"base_url": "https://b.example/#x"}, "more than a path"),
        ({"base_url": "https://b.example", "host": "c.example"}, "isn't that of the base URL"),
        ({"client_id": " "}, "empty"),
        ({"client_secret": ""}, "empty"),
        ({"client_secret": Secret(" ")}, "empty"),
        ({"private_key": "anything"}, "takes no private key"),
        ({"settings": {"slug": "x"}}, "aren't known: slug"),
        ({"webhook_secrets": [FIRST, "short"]}, "fewer than 16 bytes"),
        ({"webhook_secrets": [""]}, "fewer than 16 bytes"),
        ({"webhook_secrets": [" " * 40]}, "fewer than 16 bytes"),
        ({"webhook_secrets": [FIRST], "webhook_scheme": "none"}, "no scheme 'none'"),
        ({"provider": "hosted", "base_url": "https://b.example"}, "no self-managed edition"),
    ],
)
def test_a_registration_that_cannot_work_is_refused(
    change: dict[str, object], reason: str, store: Store, apps: Apps
) -> None:
    """A mistake is told with a remedy, repeats no secret, and leaves nothing behind."""
    with pytest.raises(ConfigurationError, match=reason) as caught:
        apps.register(**{"provider": "fake", **CLIENT, **change})
    assert caught.value.remedy
    assert FIRST not in str(caught.value)
    assert count(store, app_rows) == count(store, credentials) == 0


def test_an_optional_setting_may_be_there_or_not(apps: Apps, registry: Registry) -> None:
    """What the manifest knows as optional is kept where it is given, and missed by nobody where it isn't."""
    plugin = FakeProvider()
    plugin.manifest = evolve(MANIFEST, provider="choosy", optional_settings={"boards": "which boards are listed"})
    registry.register(plugin)
    for settings in ({}, {"boards": "all"}):
        assert apps.register(provider="choosy", **CLIENT, settings=settings).app.settings == settings


def weak_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def elliptic_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_a_missing_private_key_or_setting_is_named(apps: Apps, private_key: str) -> None:
    """Where the manifest needs a key and settings, each one that is missing or blank is told."""
    with pytest.raises(ConfigurationError, match="private key is missing"):
        apps.register(provider="minting", **CLIENT, settings={"slug": "kitty"})
    for settings in ({}, {"slug": " "}):
        with pytest.raises(ConfigurationError, match=r"missing: slug.*the app's name in its URL"):
            apps.register(provider="minting", **CLIENT, private_key=private_key, settings=settings)


@pytest.mark.parametrize("bad", ["", "nonsense", "truncated", "public", "password", "weak", "elliptic"])
def test_a_private_key_that_cannot_sign_is_refused(bad: str, apps: Apps, rsa_pems: dict[str, str]) -> None:
    """What isn't the PEM of an RSA key of a sufficient size is refused, and never repeated."""
    texts = {"": "", "nonsense": "nonsense", "weak": weak_key(), "elliptic": elliptic_key(), **rsa_pems}
    texts["truncated"] = texts["PKCS#8"][:-100]
    with pytest.raises(ConfigurationError, match="isn't the PEM of an RSA key") as caught:
        apps.register(provider="minting", **CLIENT, private_key=texts[bad], settings={"slug": "kitty"})
    assert caught.value.__context__ is None
    assert not texts[bad] or texts[bad] not in str(caught.value)


@pytest.mark.parametrize("form", ["PKCS#1", "PKCS#8"])
def test_both_forms_of_an_rsa_key_are_taken(form: str, apps: Apps, rsa_pems: dict[str, str]) -> None:
    """Providers hand out PKCS#1 and PKCS#8."""
    registered = apps.register(provider="minting", **CLIENT, private_key=rsa_pems[form], settings={"slug": "kitty"})
    assert registered.private_key_id
    assert registered.app.settings == {"slug": "kitty"}


def test_registering_twice_changes_nothing(store: Store, apps: Apps, vault: Vault, private_key: str) -> None:
    """The same registration, as at each start, leaves every row and the audit as they are."""

    def register() -> RegisteredApp:
        return apps.register(
            provider="minting",
            **CLIENT,
            private_key=private_key,
            webhook_secrets=[FIRST, SECOND],
            settings={"slug": "kitty"},
        )

    first = register()
    endpoint, audited = endpoint_of(store, apps, first), count(store, audit)
    assert register() == first
    assert endpoint_of(store, apps, first) == endpoint
    assert (count(store, app_rows), count(store, credentials), count(store, audit)) == (1, 4, audited)


def test_a_changed_registration_replaces_what_is_different(
    store: Store, apps: Apps, vault: Vault, clock: FrozenClock
) -> None:
    """A new secret and base URL take the place of the old ones; id and end point stay; the audit tells."""
    first = apps.register(provider="fake", **CLIENT, base_url="https://b.example/old", webhook_secrets=[FIRST])
    second = apps.register(
        provider="fake", client_id="c1", client_secret="a-new-secret", base_url="https://b.example/new"
    )
    assert (second.id, second.app.urls.web) == (first.id, "https://b.example/new")
    assert endpoint_of(store, apps, second) == endpoint_of(store, apps, first)
    with store.reading() as connection:
        assert vault.open(connection, workspace="", credential_id=second.client_secret_id).secret.reveal() == (
            "a-new-secret"
        )
        verbs = connection.scalars(select(audit.c.verb).order_by(audit.c.id)).all()
    assert sorted(verbs) == ["app.changed", "app.registered", "app.webhook_secret_added"]
    assert count(store, credentials) == 2


def test_the_operator_mends_an_unreadable_secret_by_registering_again(
    store: Store, apps: Apps, vault: Vault
) -> None:
    """A registration replaces secrets that can't be opened any more."""
    apps.register(provider="fake", **CLIENT, webhook_secrets=[FIRST])
    with store.transaction() as connection:
        connection.execute(update(credentials).values(version=7))
    registered = apps.register(provider="fake", **CLIENT, webhook_secrets=[FIRST])
    assert accepted(store, vault, endpoint_of(store, apps, registered)) == [FIRST]
    with store.reading() as connection:
        secret = vault.open(connection, workspace="", credential_id=registered.client_secret_id).secret
    assert secret == CLIENT["client_secret"]


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ([SECOND, FIRST], [FIRST, SECOND]),
        ([SECOND], [SECOND]),
        ([SECOND, SECOND], [SECOND]),
        ([], [FIRST]),
    ],
)
def test_webhook_secrets_are_those_of_the_latest_registration(
    later: Sequence[str], expected: list[str], store: Store, apps: Apps, vault: Vault
) -> None:
    """Several secrets hold at once; one that isn't named any more is withdrawn; naming none changes none."""
    apps.register(provider="fake", **CLIENT, webhook_secrets=[FIRST])
    registered = apps.register(provider="fake", **CLIENT, webhook_secrets=later)
    assert accepted(store, vault, endpoint_of(store, apps, registered)) == expected
    assert count(store, credentials) == 1 + len(expected)


def test_a_secret_with_an_end_to_come_stays_until_then(
    store: Store, apps: Apps, vault: Vault, clock: FrozenClock
) -> None:
    """A registration leaves a retiring secret its time, and clears it away afterwards."""
    registered = apps.register(provider="fake", **CLIENT, webhook_secrets=[FIRST])
    endpoint = endpoint_of(store, apps, registered)
    until = store.now() + timedelta(hours=1)
    with store.transaction() as connection:
        retire_secret(connection, endpoint, endpoint.secrets[0].credential_id, at=until)
    apps.register(provider="fake", **CLIENT, webhook_secrets=[SECOND])
    both = endpoint_of(store, apps, registered)
    assert accepted(store, vault, both) == [FIRST, SECOND]
    assert [one.retires_at for one in both.secrets] == [until, None]
    with store.transaction() as connection:
        retire_secret(connection, endpoint, both.secrets[0].credential_id, at=store.now())
    apps.register(provider="fake", **CLIENT, webhook_secrets=[SECOND])
    assert accepted(store, vault, endpoint_of(store, apps, registered)) == [SECOND]


def test_secrets_get_the_strongest_scheme_or_the_named_one(
    store: Store, apps: Apps, private_key: str, vault: Vault
) -> None:
    """A secret is never used with a weaker scheme than the operator named."""

    def schemes(**further: str) -> list[str]:
        registered = apps.register(
            provider="minting",
            **CLIENT,
            private_key=private_key,
            webhook_secrets=[FIRST],
            settings={"slug": "kitty"},
            **further,
        )
        return [one.scheme for one in endpoint_of(store, apps, registered).secrets]

    assert schemes() == ["secret"]
    assert schemes(webhook_scheme="token") == ["token"]


def test_an_app_whose_provider_signs_with_the_client_secret_accepts_it(
    store: Store, apps: Apps, vault: Vault
) -> None:
    """The client secret proves deliveries, and former ones that are named; a self-managed host has its own."""
    own = apps.register(provider="selfsigning", **CLIENT, webhook_secrets=[FIRST])
    endpoint = endpoint_of(store, apps, own)
    assert accepted(store, vault, endpoint) == ["the-client-secret", FIRST]
    assert {secret.scheme for secret in endpoint.secrets} == {"bearer"}
    elsewhere = apps.register(
        provider="selfsigning", **CLIENT, webhook_secrets=[FIRST], base_url="https://boards.example"
    )
    endpoint = endpoint_of(store, apps, elsewhere)
    assert accepted(store, vault, endpoint) == [FIRST]
    assert {secret.scheme for secret in endpoint.secrets} == {"secret"}


def test_processes_that_register_together_make_one_app(store: Store, apps: Apps) -> None:
    """Several processes that start at once end with one app, one end point and one secret each."""
    barrier = threading.Barrier(4)
    made: list[object] = []

    def register() -> None:
        barrier.wait()
        try:
            made.append(apps.register(provider="fake", **CLIENT, webhook_secrets=[FIRST]).id)
        except BaseException as error:  # noqa: BLE001 - compared below
            made.append(error)

    threads = [threading.Thread(target=register) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(made)) == 1
    assert (count(store, app_rows), count(store, endpoints), count(store, credentials)) == (1, 1, 2)


def test_without_a_host_the_providers_own_is_found_or_else_the_only_one(store: Store, apps: Apps) -> None:
    """The provider's own host goes first, the newest app of a host wins, and two foreign hosts must be named."""
    one = apps.register(provider="fake", **CLIENT, base_url="https://one.example")
    with store.reading() as connection:
        assert apps.find(connection, provider="fake") == one
    two = apps.register(provider="fake", **CLIENT, base_url="https://two.example")
    newer = apps.register(provider="fake", client_id="c2", client_secret="s", base_url="https://two.example")
    with store.reading() as connection:
        with pytest.raises(NotFoundError, match="name the host"):
            apps.find(connection, provider="fake")
        assert apps.find(connection, provider="fake", host="one.example") == one
        assert apps.find(connection, provider="fake", host="two.example") == newer
    own = apps.register(provider="fake", **CLIENT)
    with store.reading() as connection:
        assert apps.find(connection, provider="fake") == own
    assert apps.list() == (one, two, newer, own)


def test_an_app_belongs_to_its_workspace(store: Store, apps: Apps) -> None:
    """A workspace finds its own app and the operator's, never another workspace's."""
    mine = apps.register(provider="fake", **CLIENT, workspace="w1")
    shared = apps.register(provider="fake", **CLIENT)
    with store.reading() as connection:
        assert apps.of(connection, Connected(workspace="w1", app_id=mine.id)) == mine
        assert apps.of(connection, Connected(workspace="w2", app_id=shared.id)) == shared
        for workspace, app_id in (("w2", mine.id), ("", mine.id), ("w1", "nothing")):
            with pytest.raises(NotFoundError):
                apps.of(connection, Connected(workspace=workspace, app_id=app_id))
        with pytest.raises(NotFoundError):
            apps.get(connection, "w1", shared.id)
        with pytest.raises(NotFoundError):
            apps.find(connection, provider="fake", workspace="w2")
    assert apps.list(workspace="w1") == (mine,)


def test_an_app_without_its_plugin_is_left_out_of_the_list(store: Store, vault: Vault, apps: Apps) -> None:
    """A plugin that can't be used takes only its own apps away."""
    registered = apps.register(provider="fake", **CLIENT)
    without = Apps(store, vault, Registry(entry_points=()))
    assert without.list() == ()
    with store.reading() as connection, pytest.raises(PluginUnavailableError):
        without.get(connection, "", registered.id)


def test_an_end_point_is_found_by_its_own_provider_alone(store: Store, apps: Apps, vault: Vault) -> None:
    """The URL's provider must fit, and a disabled end point is gone."""
    registered = apps.register(provider="fake", **CLIENT, webhook_secrets=[FIRST])
    endpoint = endpoint_of(store, apps, registered)
    assert (endpoint.app_id, endpoint.installation_id, endpoint.workspace) == (registered.id, "", "")
    with store.reading() as connection:
        assert find_endpoint(connection, "minting", endpoint.id) is None
        assert find_endpoint(connection, "fake", "nothing") is None
    with store.transaction() as connection:
        connection.execute(update(endpoints).values(disabled_at=store.now()))
    with store.reading() as connection:
        assert find_endpoint(connection, "fake", endpoint.id) is None


@pytest.mark.parametrize("secret", ["", " " * 32, "x" * 15])
def test_an_end_point_takes_no_guessable_secret(secret: str, store: Store, apps: Apps, vault: Vault) -> None:
    """Also past the registration a short, blank or empty secret can't be stored."""
    endpoint = endpoint_of(store, apps, apps.register(provider="fake", **CLIENT))
    with store.transaction() as connection, pytest.raises(ConfigurationError):
        add_secret(connection, vault, endpoint, scheme="secret", secret=secret, now=store.now())
    assert endpoint_of(store, apps, apps.list()[0]).secrets == ()
