"""What an operator says about an app, checked against the provider's manifest before anything is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NoReturn, Required, TypedDict

from attrs import frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import Connection, and_, insert, select, update

from ..credentials.secret import Secret, check_webhook_secret
from ..credentials.tables import apps
from ..credentials.vault import SECRET, CredentialUnreadableError, Vault
from ..errors import ConfigurationError
from ..http.egress import Egress, origin_of
from ..identifiers import Clock, new_id
from ..providers.accounts import BaseUrls
from ..providers.api import EgressRefusedError
from ..providers.manifest import Manifest
from ..store.audit import record
from ..store.rows import is_row
from .endpoints import add_endpoint, add_secret, app_endpoint, forget_secret

SHORTEST_RSA_KEY: Final = 2048
"""Bits below which RS256 may not be used (RFC 7518, section 3.3)."""


class NewApp(TypedDict, total=False):
    """What an operator says about an app.

    Attributes:
        provider: provider key.
        client_id: the OAuth client id.
        client_secret: the OAuth client secret.
        private_key: PEM of an RSA key, where the provider's app mints tokens.
        webhook_secrets: all that are accepted from now on; others are forgotten. Empty leaves what is stored.
        webhook_scheme: name of the scheme that they sign with; the manifest's strongest where not given.
        host: the host's name; needed only to make sure of it.
        base_url: where a self-managed host is reached; its host becomes the app's.
        settings: public values that the manifest asks for.
    """

    provider: Required[str]
    client_id: Required[str]
    client_secret: Required[Secret | str]
    private_key: Secret | str | None
    webhook_secrets: Sequence[Secret | str]
    webhook_scheme: str | None
    host: str | None
    base_url: str | None
    settings: Mapping[str, str]


@frozen(kw_only=True)
class Registration:
    """An app that may be stored."""

    provider: str
    host: str
    base_url: str
    client_id: str
    settings: Mapping[str, str]
    client_secret: Secret
    private_key: Secret | None
    webhook_secrets: tuple[Secret, ...]
    webhook_scheme: str


def check_registration(manifest: Manifest, egress: Egress, app: NewApp) -> Registration:
    """Return what may be stored.

    Raises:
        ConfigurationError: something is missing, unknown or not well formed; it says what.
    """
    client_id, client_secret, settings = app["client_id"], Secret(app["client_secret"]), app.get("settings", {})
    subject = f"{manifest.title} app {client_id or 'without a client id'}"
    name, url = _place_of(manifest, egress, app.get("host"), app.get("base_url"), subject)
    if not client_id.strip() or not client_secret.reveal_bytes().strip():
        _refuse("the client id or the client secret is empty", subject, "copy both from the app's page")
    _check_settings(manifest, settings, subject)
    own_scheme = manifest.webhooks.client_secret_scheme if name == manifest.hosts.default else ""
    scheme, secrets = app.get("webhook_scheme"), [*map(Secret, app.get("webhook_secrets", ()))]
    if own_scheme and scheme is None:
        secrets, scheme = [client_secret, *secrets], own_scheme
    return Registration(
        provider=manifest.provider,
        host=name,
        base_url=url,
        client_id=client_id,
        settings=dict(settings),
        client_secret=client_secret,
        private_key=_checked_key(manifest, app.get("private_key"), subject),
        webhook_secrets=tuple(check_webhook_secret(secret, subject=subject) for secret in secrets),
        webhook_scheme=_checked_scheme(manifest, scheme, subject),
    )


def urls_of(manifest: Manifest, host: str, base_url: str) -> BaseUrls:
    """Return where a host is reached: the provider's own, or a self-managed one at that base URL."""
    own, template = manifest.hosts, manifest.hosts.self_managed
    if host == own.default or template is None:
        return own.urls
    return BaseUrls(
        web=template.web.replace("{base}", base_url),
        api=template.api.replace("{base}", base_url),
        account_api=template.account_api.replace("{base}", base_url),
    )


def _place_of(
    manifest: Manifest, egress: Egress, host: str | None, base_url: str | None, subject: str
) -> tuple[str, str]:
    """Return the host's name and its base URL."""
    hosts = manifest.hosts
    url = (base_url or (f"https://{host}" if host and host != hosts.default else hosts.urls.web)).rstrip("/")
    try:
        egress.check(url)
    except EgressRefusedError as error:
        raise ConfigurationError(
            f"its base URL can't be used: {error.what}", subject=subject, remedy=error.remedy
        ) from None
    name = hosts.default if url == hosts.urls.web.rstrip("/") else origin_of(url).host_name
    if host and host != name:
        _refuse(f"the host {host!r} isn't that of the base URL", subject, "leave the host out")
    if "?" in url or "#" in url:
        _refuse("the base URL has more than a path", subject, "leave out what comes after '?' or '#'")
    if name != hosts.default and hosts.self_managed is None:
        _refuse("this provider has no self-managed edition", subject, "leave the base URL out")
    return name, hosts.urls.web.rstrip("/") if name == hosts.default else url


def _check_settings(manifest: Manifest, settings: Mapping[str, str], subject: str) -> None:
    missing = [name for name in manifest.app_settings if not settings.get(name, "").strip()]
    unknown = sorted(settings.keys() - manifest.app_settings.keys() - manifest.optional_settings.keys())
    if missing:
        wanted = "; ".join(f"{name}: {manifest.app_settings[name]}" for name in missing)
        _refuse(f"these settings are missing: {', '.join(missing)}", subject, f"give them ({wanted})")
    if unknown:
        _refuse(f"these settings aren't known: {', '.join(unknown)}", subject, "leave them out; they are public")


def _checked_scheme(manifest: Manifest, scheme: str | None, subject: str) -> str:
    schemes = manifest.webhooks.schemes
    if scheme is not None and scheme not in schemes:
        _refuse(f"there is no scheme {scheme!r}", subject, f"name one of these: {', '.join(schemes)}")
    return scheme or next(iter(schemes))


def _checked_key(manifest: Manifest, private_key: Secret | str | None, subject: str) -> Secret | None:
    if manifest.app_tokens is None:
        if private_key is not None:
            _refuse("this provider takes no private key", subject, "leave it out")
        return None
    if private_key is None:
        _refuse(
            "the app's private key is missing", subject, "download one from the app's page and configure its PEM"
        )
    key = Secret(private_key)
    try:
        parsed = load_pem_private_key(key.reveal_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        parsed = None
    if not isinstance(parsed, RSAPrivateKey) or parsed.key_size < SHORTEST_RSA_KEY:
        _refuse(
            f"the private key isn't the PEM of an RSA key of {SHORTEST_RSA_KEY} bits or more, without a password",
            subject,
            "configure the file as the provider made it",
        )
    return key


def _refuse(what: str, subject: str, remedy: str) -> NoReturn:
    raise ConfigurationError(what, subject=subject, remedy=remedy)


CLIENT_SECRET: Final = "client_secret"  # noqa: S105 - a kind of credential

PRIVATE_KEY: Final = "private_key"


@frozen(kw_only=True)
class Registering:
    """One registration on its way into the database."""

    connection: Connection
    vault: Vault
    clock: Clock
    workspace: str
    registration: Registration

    def write(self) -> str:
        """Write it, and return the app's id.

        Raises:
            sqlalchemy.exc.IntegrityError: another process registered the same app at the same moment.
        """
        said, key = self.registration, self._key
        known = and_(*(apps.c[name] == value for name, value in key.items()))
        row = self.connection.execute(select(apps).where(known).with_for_update()).one_or_none()
        app_id = row.id if row else new_id()
        values: dict[str, object] = {
            "base_url": said.base_url,
            "settings": dict(said.settings),
            "client_secret_id": self._keep(CLIENT_SECRET, said.client_secret, row.client_secret_id if row else ""),
            "private_key_id": self._keep(PRIVATE_KEY, said.private_key, row.private_key_id if row else ""),
        }
        if row is None:
            self._insert(app_id, values)
        elif any(getattr(row, name) != value for name, value in values.items()):
            self.connection.execute(update(apps).where(is_row(apps, self.workspace, app_id)).values(values))
            self._record("app.changed", app_id)
        self._keep_webhook_secrets(app_id)
        return app_id

    @property
    def _key(self) -> dict[str, str]:
        """The columns by which an app is known."""
        said = self.registration
        place = {"workspace_id": self.workspace, "provider": said.provider, "host": said.host}
        return {**place, "client_id": said.client_id}

    def _insert(self, app_id: str, values: dict[str, object]) -> None:
        said, now = self.registration, self.clock()
        self.connection.execute(insert(apps).values(id=app_id, created_at=now, **self._key, **values))
        place = {"workspace": self.workspace, "provider": said.provider, "host": said.host}
        add_endpoint(self.connection, app_id=app_id, now=now, **place)
        self._record("app.registered", app_id)

    def _keep(self, kind: str, secret: Secret | None, credential_id: str) -> str:
        """Return the id of the credential that holds the secret from now on; empty for none."""
        if credential_id and self._opened(credential_id) == secret:
            return credential_id
        if credential_id:
            self.vault.forget(self.connection, workspace=self.workspace, credential_id=credential_id)
        if secret is None:
            return ""
        return self.vault.seal_new(
            self.connection,
            workspace=self.workspace,
            provider=self.registration.provider,
            host=self.registration.host,
            kind=kind,
            values={SECRET: secret},
        )

    def _opened(self, credential_id: str) -> Secret | None:
        try:
            return self.vault.open(self.connection, workspace=self.workspace, credential_id=credential_id).secret
        except CredentialUnreadableError:
            return None  # registering again is how the operator fixes it

    def _keep_webhook_secrets(self, app_id: str) -> None:
        """Accept the secrets that were named and forget the others, save those that retire later."""
        said, now = self.registration, self.clock()
        endpoint = app_endpoint(self.connection, workspace=self.workspace, app_id=app_id)
        kept: list[Secret] = []
        for known in endpoint.secrets if said.webhook_secrets else ():
            secret = self._opened(known.credential_id)
            is_said = secret in said.webhook_secrets and known.scheme == said.webhook_scheme
            if secret is not None and is_said and known.retires_at is None:
                kept.append(secret)
            elif is_said or known.retires_at is None or known.retires_at <= now:
                forget_secret(self.connection, self.vault, endpoint, known.credential_id)
                self._record("app.webhook_secret_forgotten", app_id)
        for secret in said.webhook_secrets:
            if secret not in kept:
                add_secret(
                    self.connection, self.vault, endpoint, scheme=said.webhook_scheme, secret=secret, now=now
                )
                kept.append(secret)
                self._record("app.webhook_secret_added", app_id)

    def _record(self, verb: str, app_id: str) -> None:
        said = self.registration
        record(
            self.connection,
            workspace=self.workspace,
            at=self.clock(),
            actor="operator",
            verb=verb,
            entity="app",
            entity_id=app_id,
            after={"provider": said.provider, "host": said.host, "base_url": said.base_url},
        )
