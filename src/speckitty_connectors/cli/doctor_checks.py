"""What is well and what isn't: each part is looked at on its own, so that one fault doesn't hide the next."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Final

from attrs import field, frozen
from sqlalchemy import Table, func, select
from sqlalchemy.exc import ArgumentError

from ..configuration import Settings, load_object
from ..connectors import configured_keys, open_store
from ..credentials.key_services import compare_keys
from ..credentials.tables import apps
from ..errors import ConfigurationError, ConnectorsError
from ..inbox.tables import inbox
from ..installations.tables import installations
from ..loading.registry import REASON_LIMIT, Registry
from ..loading.statuses import PluginState, PluginStatus
from ..providers.manifest import CONTRACT_MAJOR, CONTRACT_MINOR
from ..routing.tables import dispatches
from ..store import migrations
from ..store.claims import PARKED
from ..store.engine import Store
from .operator import Operator

UNEXPECTED: Final = "unexpected"
"""The code of what isn't an error of this library."""


class Health(StrEnum):
    """How a part is; only an ill one keeps the host from working."""

    WELL = "well"
    NOTED = "noted"
    ILL = "ill"


@frozen(kw_only=True)
class Finding:
    """What was found of one part.

    Attributes:
        part: what was looked at, for example ``plugin github``.
        health: how it is.
        says: why, for the person at the terminal.
        remedy: what to do about it, or empty.
        facts: what may be handed on.
    """

    part: str
    health: Health
    says: str
    remedy: str = ""
    facts: Mapping[str, object] = field(factory=dict)

    @classmethod
    def of(cls, part: str, error: ConnectorsError, **facts: object) -> Finding:
        """Return the finding of a part that answers with an error."""
        says = " · ".join(filter(None, (error.what, error.subject)))
        return cls(
            part=part, health=Health.ILL, says=says, remedy=error.remedy, facts={"code": error.code, **facts}
        )


def looked(look: Callable[..., Finding], part: str, *given: object) -> Finding:
    """Return what is found of a part, whatever it raises."""
    try:
        return look(part, *given)
    except ConnectorsError as error:
        return Finding.of(part, error)
    except Exception as error:  # noqa: BLE001 - a host's module, a key service or a driver may raise anything
        return Finding(
            part=part,
            health=Health.ILL,
            says=f"{type(error).__name__}: {' '.join(str(error).split())[:REASON_LIMIT]}",
            remedy="mend what the text names",
            facts={"code": UNEXPECTED},
        )


CORE: Final = "speckitty-connectors"

MOST_IDS: Final = 20
"""How many ids of parked work a finding names; the count says how many there are."""


def diagnose(operator: Operator) -> Iterator[Finding]:
    """Yield what is found of each part, change nothing, and never raise because a part is ill."""
    yield _versions()
    try:
        settings = operator.settings()
    except ConfigurationError as error:
        yield Finding.of("settings", error)
        yield from _plugins(Registry())
        return
    yield _settings(settings)
    registry = Registry(allow=settings.plugins.allow, block=settings.plugins.block)
    yield from _plugins(registry)
    yield looked(_handler, "handler", settings)
    yield from _database(settings, registry)


def _versions() -> Finding:
    named = [
        re.match(r"[\w.-]+", requirement) for requirement in metadata.requires(CORE) or () if ";" not in requirement
    ]
    versions = {found[0]: metadata.version(found[0]) for found in named if found}
    core, contract = metadata.version(CORE), f"{CONTRACT_MAJOR}.{CONTRACT_MINOR}"
    python = platform.python_version()
    return Finding(
        part="versions",
        health=Health.WELL,
        says=f"{CORE} {core}, contract {contract}, Python {python}",
        facts={
            "core": core,
            "contract": contract,
            "python": python,
            "system": f"{platform.system()} {platform.machine()}",
            "requirements": versions,
        },
    )


def _settings(settings: Settings) -> Finding:
    return Finding(
        part="settings",
        health=Health.WELL,
        says=f"they can be read, with {len(settings.apps)} apps and {len(settings.keys)} keys",
        facts={
            "apps": len(settings.apps),
            "keys": len(settings.keys),
            "key_service": bool(settings.key_service),
            "exclusive_accounts": settings.exclusive_accounts,
        },
    )


def _plugins(registry: Registry) -> Iterator[Finding]:
    statuses = registry.check()
    if not statuses:
        yield Finding(
            part="plugins",
            health=Health.NOTED,
            says="no provider plugin is installed",
            remedy="pip install 'speckitty-connectors[github]', for example",
        )
    for status in statuses:
        yield _plugin(status)


def _plugin(status: PluginStatus) -> Finding:
    """Return a plugin's finding; its own words are kept out of the facts."""
    health = {PluginState.ACTIVE: Health.WELL, PluginState.DISABLED: Health.NOTED}.get(status.state, Health.ILL)
    return Finding(
        part=f"plugin {status.provider or status.distribution}",
        health=health,
        says=status.reason,
        remedy=status.remedy,
        facts={
            "state": status.state.value,
            "distribution": status.distribution,
            "version": status.version,
            "entry_point": status.entry_point,
        },
    )


def _handler(part: str, settings: Settings) -> Finding:
    if not settings.handler:
        return Finding(
            part=part,
            health=Health.NOTED,
            says="the settings name none, so the workers of the command line route and hand nothing over",
            remedy="set handler = 'module:function', or run workers in the host's own processes",
            facts={"named": False},
        )
    load_object(settings.handler, setting=part)
    return Finding(part=part, health=Health.WELL, says=f"{settings.handler} is there", facts={"named": True})


def _database(settings: Settings, registry: Registry) -> Iterator[Finding]:
    """Yield what is found in the database; where it doesn't answer, or has other tables, that is all."""
    try:
        store = _opened(settings)
    except ConfigurationError as error:
        yield Finding.of("database", error)
        return
    with closing(store):
        for part, look in (("database", _server), ("tables", _tables)):
            finding = looked(look, part, store)
            yield finding
            if finding.health is Health.ILL:
                return
        yield looked(_keys, "keys", store, settings)
        yield looked(_apps, "apps", store, registry)
        yield looked(_installations, "installations", store)
        yield looked(_work, "inbox", store, inbox)
        yield looked(_work, "dispatches", store, dispatches)


def _opened(settings: Settings) -> Store:
    """Open the database, and make none where there is none.

    Raises:
        ConfigurationError: the URL can't be used, or names a file that isn't there.
    """
    try:
        store = open_store(settings)
    except ArgumentError:
        raise ConfigurationError(
            "the database's URL can't be read",
            subject="setting database_url",
            remedy="write sqlite:///file.db or postgresql+psycopg://user@host/name",
        ) from None
    file = store.url.database
    if store.is_sqlite and file and file != ":memory:" and not Path(file).exists():
        raise ConfigurationError(
            "the database's file isn't there",
            subject="setting database_url",
            remedy="run 'speckitty-connectors db upgrade', or mend the path",
        )
    return store


def _server(part: str, store: Store) -> Finding:
    kind = store.engine.dialect.name
    with store.reading() as connection:
        version = ".".join(map(str, connection.dialect.server_version_info or ()))
    facts = {"kind": kind, "version": version}
    return Finding(part=part, health=Health.WELL, says=f"{kind} {version} answers", facts=facts)


def _tables(part: str, store: Store) -> Finding:
    found = migrations.current(store)
    revisions = {"found": found, "needed": migrations.latest()}
    try:
        migrations.check(store)
    except ConfigurationError as error:
        return Finding.of(part, error, **revisions)
    return Finding(part=part, health=Health.WELL, says=f"they are at {found}", facts=revisions)


def _keys(part: str, store: Store, settings: Settings) -> Finding:
    keys = configured_keys(settings)
    unknown = compare_keys(keys, store)
    says = f"they fit the database; {keys.active} is the active one"
    facts = {"active": keys.active, "ids": sorted(keys.ids), "unused": list(unknown)}
    return Finding(part=part, health=Health.WELL, says=says, facts=facts)


def _apps(part: str, store: Store, registry: Registry) -> Finding:
    with store.reading() as connection:
        rows = connection.execute(select(apps.c.id, apps.c.provider).order_by(apps.c.id)).all()
    facts = {"registered": [{"id": row.id, "provider": row.provider} for row in rows]}
    usable = {provider.manifest.provider for provider in registry.providers()}
    if orphans := sorted({row.provider for row in rows} - usable):
        return Finding(
            part=part,
            health=Health.ILL,
            says=f"no plugin can be used for the apps of {', '.join(orphans)}",
            remedy="see what is said of the plugin, or install it",
            facts=facts,
        )
    if not rows:
        return Finding(
            part=part,
            health=Health.NOTED,
            says="none is registered",
            remedy="add one under [[apps]] in the settings, and start the host once",
            facts=facts,
        )
    return Finding(part=part, health=Health.WELL, says=f"{len(rows)} registered", facts=facts)


def _installations(part: str, store: Store) -> Finding:
    columns = installations.c
    query = select(columns.provider, columns.status, func.count().label("count"))
    with store.reading() as connection:
        rows = connection.execute(query.group_by(columns.provider, columns.status)).all()
    counts = [{"provider": row.provider, "status": row.status, "count": row[2]} for row in rows]
    says = ", ".join(f"{each['count']} x {each['provider']} {each['status']}" for each in counts) or "none yet"
    return Finding(part=part, health=Health.WELL, says=says, facts={"counts": counts})


def _work(part: str, store: Store, table: Table) -> Finding:
    """Return how much waits and how much was set aside; who sets it right needs its ids."""
    columns = table.c
    parked = select(columns.workspace_id, columns.id).where(columns.state == PARKED).order_by(columns.id)
    with store.reading() as connection:
        rows = connection.execute(select(columns.state, func.count()).group_by(columns.state)).all()
        aside = connection.execute(parked.limit(MOST_IDS)).all()
    counts: dict[str, int] = {row.state: row[1] for row in rows}
    return Finding(
        part=part,
        health=Health.NOTED if aside else Health.WELL,
        says=", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "empty",
        remedy="look why with 'explain', mend the cause, then 'retry' each" if aside else "",
        facts={"counts": counts, "parked": [{"workspace": row.workspace_id, "id": row.id} for row in aside]},
    )
