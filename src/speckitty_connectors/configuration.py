"""Settings, from Python or from a TOML file and the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import cattrs
from attrs import field, frozen
from attrs.validators import ge, gt, instance_of, min_len
from cattrs.v import format_exception
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from .credentials.secret import Secret
from .errors import ConfigurationError
from .mappings.types import TARGET_KINDS
from .signals.observations import RETENTION_DAYS

ENVIRONMENT_PREFIX = "SPECKITTY_CONNECTORS_"
"""What every environment variable that this library reads starts with."""


class SecretReferenceError(ValueError):
    """A secret can't be read from where the settings say it is."""


def _without_trailing_slash(url: str) -> str:
    return url.rstrip("/")


def _without_password(url: str) -> str:
    """Return the repr of a URL that shows neither its password nor, in its query, anybody else's."""
    try:
        return repr(str(make_url(url).set(query={})))
    except ArgumentError:
        return "'(no URL)'"


@frozen(kw_only=True)
class AppSettings:
    """An app that the operator registered with one provider host.

    Attributes:
        provider: provider key.
        client_id: the OAuth client id.
        client_secret: the OAuth client secret.
        private_key: PEM of the app's private key, where the provider signs app tokens with one.
        webhook_secrets: secrets of the app's webhook, several while one replaces the other.
        base_url: base URL of a self-managed host; empty for the provider's own.
        settings: public values that the manifest asks for.

    >>> AppSettings(provider="acme", client_id="c", client_secret=Secret("s" * 20)).base_url
    ''
    """

    provider: str = field(validator=min_len(1))
    client_id: str = field(validator=min_len(1))
    client_secret: Secret = field(validator=instance_of(Secret))
    private_key: Secret | None = None
    webhook_secrets: tuple[Secret, ...] = ()
    base_url: str = ""
    settings: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class PluginSettings:
    """Which plugins may be loaded, by provider key.

    Attributes:
        allow: only these, or None for all that are installed.
        block: never these.

    >>> PluginSettings(block=("acme",)).allow is None
    True
    """

    allow: tuple[str, ...] | None = None
    block: tuple[str, ...] = ()


@frozen(kw_only=True)
class WorkerSettings:
    """How workers go about their work; each number has its unit in its name.

    Attributes:
        lease_seconds: how long a process may stay silent before others take over what it had. A living one
            extends its leases at a third of this, so it needs no more than the longest pause of a process that
            lives; a shorter one starts sooner what a dead process left.
        handler_limit_seconds: how long a handler may take before its process is ended. Five minutes are more than
            any request to another service takes, and less than people wait before they ask what is wrong.
        grace_seconds: how long handlers may go on when a process is told to stop. Kubernetes kills after 30.
        retry_hours: for how long after its first failure something is tried again before it is parked. Three days
            are a weekend on which nobody looks.
        first_pause_seconds: the longest pause after the first failure; jitter takes up to half of each pause away.
            Each further pause is twice as long.
        longest_pause_seconds: the longest pause: what was repaired is handed over within this time.
        crashes: how many processes in a row may end without a report while they have the same row before it is
            parked. More than a deployment that goes wrong ends, and few enough to stop what kills them.
        poll_seconds: how often an idle worker looks for work that nobody told it of.
        notifies: whether processes tell each other of work by PostgreSQL's NOTIFY, over a connection more in each
            that receives and in each that works. False behind a pooler in transaction mode: nothing arrives there.
        notify_seconds: the shortest time between two notifications of one process; one stands for all that was
            stored in it. Nobody notices a delay of 50 ms, and PostgreSQL commits notifications one after the other.

    >>> WorkerSettings(retry_hours=24).lease_seconds
    30.0
    """

    lease_seconds: float = field(default=30.0, validator=gt(0))
    handler_limit_seconds: float = field(default=300.0, validator=gt(0))
    grace_seconds: float = field(default=25.0, validator=ge(0))
    retry_hours: float = field(default=72.0, validator=ge(0))
    first_pause_seconds: float = field(default=2.0, validator=ge(0))
    longest_pause_seconds: float = field(default=3600.0, validator=ge(0))
    crashes: int = field(default=5, validator=ge(1))
    poll_seconds: float = field(default=0.5, validator=gt(0))
    notifies: bool = True
    notify_seconds: float = field(default=0.05, validator=ge(0))


@frozen(kw_only=True)
class Settings:
    """Everything a host configures.

    Attributes:
        database_url: a SQLAlchemy URL, SQLite or PostgreSQL.
        schema: the PostgreSQL schema that all tables are in, made by `db upgrade`; empty for the one that the
            connection finds first.
        database_connections: how many connections to the database one process opens at most.
        prepared_statements: whether PostgreSQL may keep statements between transactions; not behind a pooler in
            transaction mode, unless it knows them.
        keys: key id → base64 of the 32 bytes that seal credentials; several while one replaces the other. May
            be empty with a key service.
        key_service: ``module:function`` that returns the keys of a key service, instead of `keys`; or empty.
        active_key: the key that seals what is written from now on; empty where there is only one.
        public_url: where the web application is reached from outside, without a trailing slash.
        frame_ancestors: origins whose pages may show the web application's pages in a frame; none where empty.
        plugins: which plugins may be loaded.
        workers: how workers go about their work.
        allowed_hosts: ``host:port`` that outbound calls may reach although they aren't public or not https.
        routed_kinds: provider key → the event kinds that the host wants; all where a provider isn't named.
        signature_tolerances: provider key → seconds that a signed time may be from ours, for hosts whose clock is
            wrong; what the provider's plugin says where it isn't named.
        target_kinds: the kinds of targets that mappings may have.
        signal_retention_days: how long an observation of a project is kept after it was last made.
        missing_after_hours: how long after a listing that lacks a resource another one has to lack it, too.
        missing_share: the share of an installation's resources that may be missing at once.
        exclusive_accounts: whether an account may be connected to one workspace only.
        workspace_role: the PostgreSQL role that row-level security holds to a workspace; or empty.
        apps: the apps to register at the start.
        handler: ``module:function`` that `serve` and `work` call once with the `Connectors` object, so that it
            registers the host's handlers; or empty.

    >>> Settings(database_url="sqlite:///connectors.db", keys={"2026": Secret("k" * 44)}).public_url
    'http://127.0.0.1:8000'
    """

    database_url: str = field(validator=min_len(1), repr=_without_password)
    schema: str = ""
    database_connections: int = field(default=15, validator=ge(1))
    prepared_statements: bool = True
    keys: Mapping[str, Secret] = field(factory=dict)
    key_service: str = ""
    active_key: str = ""
    public_url: str = field(default="http://127.0.0.1:8000", converter=_without_trailing_slash)
    frame_ancestors: tuple[str, ...] = ()
    plugins: PluginSettings = PluginSettings()
    workers: WorkerSettings = WorkerSettings()
    allowed_hosts: frozenset[str] = frozenset()
    routed_kinds: Mapping[str, frozenset[str]] = field(factory=dict)
    signature_tolerances: Mapping[str, int] = field(factory=dict)
    target_kinds: tuple[str, ...] = TARGET_KINDS
    signal_retention_days: int = field(default=RETENTION_DAYS, validator=ge(1))
    missing_after_hours: float = field(default=1.0, validator=ge(0))
    missing_share: float = field(default=0.5, validator=ge(0))
    exclusive_accounts: bool = False
    workspace_role: str = ""
    apps: tuple[AppSettings, ...] = ()
    handler: str = ""

    @classmethod
    def from_file(cls, path: str | Path, *, environment: Mapping[str, str] | None = None) -> Settings:
        """Read a TOML file; environment variables win over it.

        A secret is never written into the file: ``"env:NAME"`` reads an environment variable and
        ``"file:PATH"`` a file, relative to the settings file.

        Raises:
            ConfigurationError: the file can't be read, or a setting is missing, unknown or of a wrong type.
        """
        path = Path(path)
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(
                f"the settings can't be read: {error}", subject=str(path), remedy="fix the file and start again"
            ) from None
        return _structure(document, path.parent, os.environ if environment is None else environment, str(path))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the environment alone: ``SPECKITTY_CONNECTORS_DATABASE_URL``, ``…_KEYS``, ``…_PUBLIC_URL``, others.

        ``…_KEYS`` is ``id:base64``, several with a comma between; the first is the active one.

        Raises:
            ConfigurationError: a setting is missing or can't be read.
        """
        return _structure({}, Path(), os.environ if environment is None else environment, "the environment")


def load_object(reference: str, *, setting: str) -> Any:
    """Return what a setting names as ``module:name``.

    Raises:
        ConfigurationError: there is no such module, or nothing of that name in it.
    """
    module, _, name = reference.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"{reference!r} can't be imported: {error}",
            subject=f"setting {setting}",
            remedy="write it as 'module:function', and see that the module is on Python's path",
        ) from None


def _structure(document: dict[str, Any], folder: Path, environment: Mapping[str, str], subject: str) -> Settings:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(Secret, lambda value, _: _read_secret(value, folder, environment))
    try:
        return converter.structure({**document, **_overrides(environment)}, Settings)
    except cattrs.BaseValidationError as error:
        raise ConfigurationError(
            "; ".join(cattrs.transform_error(error, path="settings", format_exception=_describe)),
            subject=subject,
            remedy="fix these settings",
        ) from None


def _describe(error: BaseException, kind: type | None) -> str:
    return str(error) if isinstance(error, SecretReferenceError) else format_exception(error, kind)


def _overrides(environment: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {
        name: environment[variable]
        for name in ("database_url", "schema", "public_url", "handler")
        if environment.get(variable := f"{ENVIRONMENT_PREFIX}{name.upper()}")
    }
    pairs = [pair.split(":", 1) for pair in environment.get(f"{ENVIRONMENT_PREFIX}KEYS", "").split(",") if pair]
    if any(len(pair) != 2 for pair in pairs):  # what has no id is the key itself, which nobody may read
        raise ConfigurationError(
            "a key has no id",
            subject=f"the environment variable {ENVIRONMENT_PREFIX}KEYS",
            remedy="write each key as id:base64, several with a comma between",
        )
    if pairs:
        found["keys"] = {key_id.strip(): Secret(value.strip()) for key_id, value in pairs}
        found["active_key"] = pairs[0][0].strip()
    return found


def _read_secret(reference: object, folder: Path, environment: Mapping[str, str]) -> Secret:
    if isinstance(reference, Secret):
        return reference
    scheme, _, name = str(reference).partition(":")
    if scheme == "env" and name in environment:
        return Secret(environment[name])
    if scheme == "env":
        raise SecretReferenceError(f"the environment variable {name} isn't set")
    if scheme == "file":
        try:
            return Secret((folder / name).read_text(encoding="utf-8").strip())
        except OSError as error:
            raise SecretReferenceError(f"the file {name} can't be read: {error.strerror}") from None
    raise SecretReferenceError("a secret isn't written into the settings; use 'env:NAME' or 'file:PATH'")
