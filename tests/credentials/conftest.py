"""What the tests of credentials share: a ring, a vault, and providers with and without app tokens."""

from __future__ import annotations

from functools import cache

import pytest
from attrs import evolve
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from speckitty_connectors import BaseUrls
from speckitty_connectors.contract.fake import MANIFEST, FakeProvider
from speckitty_connectors.credentials.keyring import KeyRing
from speckitty_connectors.credentials.vault import Vault
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.providers.oauth import AppTokenRules
from speckitty_connectors.providers.signatures import BearerJwt, PlainToken
from testbed.clock import FrozenClock


class MintingProvider(FakeProvider):
    """The fake provider, but its app mints tokens, needs a setting, and knows a weaker scheme."""

    manifest = evolve(
        MANIFEST,
        provider="minting",
        title="Minting Boards",
        app_tokens=AppTokenRules(mint_url="{api}/installations/{installation}/tokens"),
        app_settings={"slug": "the app's name in its URL"},
        webhooks=evolve(
            MANIFEST.webhooks, schemes={**MANIFEST.webhooks.schemes, "token": PlainToken(header="X-Fake-Token")}
        ),
    )


class HostedProvider(FakeProvider):
    """The fake provider without a self-managed edition."""

    manifest = evolve(MANIFEST, provider="hosted", hosts=evolve(MANIFEST.hosts, self_managed=None))


class SpacedProvider(FakeProvider):
    """The fake provider, but each account has a root of its own in the API."""

    manifest = evolve(
        MANIFEST,
        provider="spaced",
        hosts=evolve(
            MANIFEST.hosts,
            self_managed=BaseUrls(web="{base}", api="{base}/api", account_api="{base}/api/spaces/{account}"),
        ),
    )


class SelfSigningProvider(FakeProvider):
    """The fake provider, but its own host signs bearer tokens with the client secret."""

    manifest = evolve(
        MANIFEST,
        provider="selfsigning",
        webhooks=evolve(
            MANIFEST.webhooks,
            schemes={**MANIFEST.webhooks.schemes, "bearer": BearerJwt()},
            client_secret_scheme="bearer",
        ),
    )


@cache
def new_rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(encoding: serialization.PrivateFormat, password: bytes = b"") -> str:
    """Return the private key of the tests in PEM."""
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return new_rsa_key().private_bytes(serialization.Encoding.PEM, encoding, encryption).decode()


@pytest.fixture
def private_key() -> str:
    """The PEM of an RSA key, as providers hand it out: PKCS#1."""
    return pem(serialization.PrivateFormat.TraditionalOpenSSL)


@pytest.fixture
def other_private_key() -> str:
    """The PEM of another RSA key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded.decode()


@pytest.fixture
def rsa_pems() -> dict[str, str]:
    """Forms of one RSA key, usable and not."""
    return {
        "PKCS#1": pem(serialization.PrivateFormat.TraditionalOpenSSL),
        "PKCS#8": pem(serialization.PrivateFormat.PKCS8),
        "password": pem(serialization.PrivateFormat.PKCS8, b"password"),
        "public": new_rsa_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    }


@pytest.fixture
def keys() -> KeyRing:
    """A ring of one key."""
    return KeyRing.from_configuration({"2026": KeyRing.new_key()})


@pytest.fixture
def vault(keys: KeyRing, clock: FrozenClock) -> Vault:
    """A vault with that ring."""
    return Vault(keys, clock)


@pytest.fixture
def registry() -> Registry:
    """The fake provider and those above, each with one thing that is different."""
    registry = Registry(entry_points=())
    for plugin in (FakeProvider, MintingProvider, HostedProvider, SpacedProvider, SelfSigningProvider):
        registry.register(plugin())
    return registry
