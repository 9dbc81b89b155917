"""`doctor`: what works and what doesn't, what to do about it, and what to send to those who help.

Each part is checked on its own, so that one fault doesn't hide the next.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Final

import click
from attrs import asdict, field, frozen
from sqlalchemy import Table, func, select
from sqlalchemy.exc import ArgumentError

from ..configuration import Settings, load_object
from ..connectors import configured_keys, open_store
from ..credentials.key_services import compare_keys
from ..credentials.tables import apps
from ..dispatch.parked import TABLES, ParkedWork
from ..errors import ConfigurationError, ConnectorsError
from ..identifiers import utc_now
from ..inbox.tables import inbox
from ..installations.tables import installations
from ..loading.registry import REASON_LIMIT, Registry
from ..loading.statuses import PluginState, PluginStatus
from ..providers.manifest import CONTRACT_MAJOR, CONTRACT_MINOR
from ..routing.tables import dispatches
from ..store import migrations
from ..store.engine import Store
from .operator import CORE, FAILED, Operator
from .printing import as_json, fold, say, screen_width
from .retry import in_words

MOST_KINDS: Final = 5
"""How many kinds of parked work are told apart in words; `--json` has all of them."""


class Health(StrEnum):
    """How a part is; only an error keeps the host from working."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@frozen(kw_only=True)
class Diagnosis:
    """What was found of one part.

    Attributes:
        part: what was checked, for example ``plugin github``.
        says: how it is and why, for the person at the terminal.
        health: the same in one word.
        remedy: what to do about it, or empty.
        facts: what may be sent to others.
    """

    part: str
    says: str
    health: Health = Health.OK
    remedy: str = ""
    facts: Mapping[str, object] = field(factory=dict)

    @classmethod
    def of(cls, part: str, error: ConnectorsError, **facts: object) -> Diagnosis:
        """Return the finding of a part that answers with an error."""
        says = " · ".join(filter(None, (error.what, error.subject)))
        facts = {"code": error.code, **facts}
        return cls(part=part, says=says, health=Health.ERROR, remedy=error.remedy, facts=facts)

    def lines(self) -> Iterator[str]:
        """Yield the finding in words, and what to do on a line of its own, so that it can be copied."""
        width = screen_width()
        yield from fold(f"{self.health:<8} {self.part}: {self.says}", width=width, indent=" " * 9)
        if self.remedy:
            yield from fold(f"{'':<8} → {self.remedy}", width=width, indent=" " * 11)


@click.command()
@as_json
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write there what may be sent to others: versions, states, counts and ids.",
)
@click.pass_obj
def doctor(operator: Operator, *, as_json: bool, bundle: Path | None) -> None:
    """Check settings, plugins, database, keys and queues.

    Nothing is changed. The exit code is 1 where a part has an error.
    """
    findings = tuple(diagnose(operator))
    if bundle is not None:
        bundle.write_text(bundled(findings), encoding="utf-8")
    say(lambda each: [line for finding in each for line in finding.lines()], findings, as_json=as_json)
    if any(finding.health is Health.ERROR for finding in findings):
        raise click.exceptions.Exit(FAILED)


def bundled(findings: Sequence[Diagnosis]) -> str:
    """Return the findings as a document without any word of a plugin, a provider, a driver or a customer."""
    kept = [{"part": each.part, "health": each.health.value, "facts": dict(each.facts)} for each in findings]
    return json.dumps({"made_at": utc_now().isoformat(timespec="seconds"), "findings": kept}, indent=2) + "\n"


def diagnose(operator: Operator) -> Iterator[Diagnosis]:
    """Yield what is found of each part, change nothing, and never raise because of a fault in a part."""
    yield _versions()
    try:
        settings, registry = operator.settings(), operator.registry()
    except ConfigurationError as error:
        yield Diagnosis.of("settings", error)
        yield from _plugins(Registry())
        return
    yield _settings(settings)
    yield from _plugins(registry)
    yield checked(_handler, "handler", settings)
    yield from _database(settings, registry)


def checked(check: Callable[..., Diagnosis], part: str, *given: object) -> Diagnosis:
    """Return what is found of a part, whatever it raises."""
    try:
        return check(part, *given)
    except ConnectorsError as error:
        return Diagnosis.of(part, error)
    except Exception as error:  # noqa: BLE001 - a host's module, a key service or a driver may raise anything
        return Diagnosis(
            part=part,
            says=f"{type(error).__name__}: {' '.join(str(error).split())[:REASON_LIMIT]}",
            health=Health.ERROR,
            remedy="fix what the text names",
            facts={"code": "unexpected"},
        )


def _versions() -> Diagnosis:
    named = [
        re.match(r"[\w.-]+", requirement) for requirement in metadata.requires(CORE) or () if ";" not in requirement
    ]
    core, contract = metadata.version(CORE), f"{CONTRACT_MAJOR}.{CONTRACT_MINOR}"
    python = platform.python_version()
    facts = {
        "core": core,
        "contract": contract,
        "python": python,
        "system": f"{platform.system()} {platform.machine()}",
        "requirements": {found[0]: metadata.version(found[0]) for found in named if found},
    }
    return Diagnosis(part="versions", says=f"{CORE} {core}, contract {contract}, Python {python}", facts=facts)


def _settings(settings: Settings) -> Diagnosis:
    facts = {
        "apps": len(settings.apps),
        "keys": len(settings.keys),
        "key_service": bool(settings.key_service),
        "exclusive_accounts": settings.exclusive_accounts,
    }
    says = f"they can be read; number of apps: {len(settings.apps)}, of keys: {len(settings.keys)}"
    return Diagnosis(part="settings", says=says, facts=facts)


def _plugins(registry: Registry) -> Iterator[Diagnosis]:
    statuses = registry.check()
    if not statuses:
        yield Diagnosis(
            part="plugins",
            says="no provider plugin is installed",
            health=Health.WARNING,
            remedy="pip install 'speckitty-connectors[github]', for example",
        )
    yield from map(_plugin, statuses)


def _plugin(status: PluginStatus) -> Diagnosis:
    """Return a plugin's finding; its own words are kept out of the facts."""
    usual = {PluginState.ACTIVE: Health.OK, PluginState.DISABLED: Health.WARNING}
    return Diagnosis(
        part=f"plugin {status.provider or status.distribution}",
        says=status.reason,
        health=usual.get(status.state, Health.ERROR),
        remedy=status.remedy,
        facts={name: str(getattr(status, name)) for name in ("state", "distribution", "version", "entry_point")},
    )


def _handler(part: str, settings: Settings) -> Diagnosis:
    if not settings.handler:
        return Diagnosis(
            part=part,
            says="the settings name none, so 'serve' and 'work' route events and dispatch none",
            health=Health.WARNING,
            remedy="set handler = 'module:function', or run workers in the host's own processes",
            facts={"named": False},
        )
    load_object(settings.handler, setting=part)
    return Diagnosis(part=part, says=f"{settings.handler} can be imported", facts={"named": True})


def _database(settings: Settings, registry: Registry) -> Iterator[Diagnosis]:
    """Yield what is found in the database; where it doesn't answer, or has other tables, that is all."""
    try:
        store = _opened(settings)
    except ConfigurationError as error:
        yield Diagnosis.of("database", error)
        return
    with closing(store):
        for part, check in (("database", _server), ("tables", _tables)):
            finding = checked(check, part, store)
            yield finding
            if finding.health is Health.ERROR:
                return
        yield checked(_keys, "keys", store, settings)
        yield checked(_apps, "apps", store, registry)
        yield checked(_installations, "installations", store)
        yield checked(_work, "inbox", store, inbox)
        yield checked(_work, "dispatches", store, dispatches)


def _opened(settings: Settings) -> Store:
    """Open the database, and create none where there is none.

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
            remedy="run 'speckitty-connectors db upgrade', or fix the path",
        )
    return store


def _server(part: str, store: Store) -> Diagnosis:
    kind = store.engine.dialect.name
    with store.reading() as connection:
        version = ".".join(map(str, connection.dialect.server_version_info or ()))
    return Diagnosis(part=part, says=f"{kind} {version} answers", facts={"kind": kind, "version": version})


def _tables(part: str, store: Store) -> Diagnosis:
    found = migrations.current(store)
    revisions = {"found": found, "needed": migrations.latest()}
    try:
        migrations.check(store)
    except ConfigurationError as error:
        return Diagnosis.of(part, error, **revisions)
    return Diagnosis(part=part, says=f"they are at {found}", facts=revisions)


def _keys(part: str, store: Store, settings: Settings) -> Diagnosis:
    keys = configured_keys(settings)
    unknown = compare_keys(keys, store)
    facts = {"active": keys.active, "ids": sorted(keys.ids), "unused": list(unknown)}
    return Diagnosis(part=part, says=f"they fit the database; the active one is {keys.active}", facts=facts)


def _apps(part: str, store: Store, registry: Registry) -> Diagnosis:
    with store.reading() as connection:
        rows = connection.execute(select(apps.c.id, apps.c.provider).order_by(apps.c.id)).all()
    facts = {"registered": [{"id": row.id, "provider": row.provider} for row in rows]}
    usable = {provider.manifest.provider for provider in registry.providers()}
    if orphans := sorted({row.provider for row in rows} - usable):
        says = f"no plugin can be used for the apps of {', '.join(orphans)}"
        health, remedy = Health.ERROR, "see what is said above about the plugin, or install it"
    elif not rows:
        says, health = "none is registered", Health.WARNING
        remedy = "add one under [[apps]] in the settings, and start the host once"
    else:
        says, health, remedy = f"{len(rows)} registered", Health.OK, ""
    return Diagnosis(part=part, says=says, health=health, remedy=remedy, facts=facts)


def _installations(part: str, store: Store) -> Diagnosis:
    columns = installations.c
    query = select(columns.provider, columns.status, func.count().label("count"))
    with store.reading() as connection:
        rows = connection.execute(query.group_by(columns.provider, columns.status)).all()
    counts = [{"provider": row.provider, "status": row.status, "count": row[2]} for row in rows]
    says = ", ".join(f"{each['count']} x {each['provider']} {each['status']}" for each in counts) or "none yet"
    return Diagnosis(part=part, says=says, facts={"counts": counts})


def _work(part: str, store: Store, table: Table) -> Diagnosis:
    """Return how much waits and how much is parked: of whom, and the oldest of each kind."""
    with store.reading() as connection:
        rows = connection.execute(select(table.c.state, func.count()).group_by(table.c.state)).all()
    counts: dict[str, int] = {row.state: row[1] for row in rows}
    parked = [each for each in ParkedWork(store).counts() if TABLES[each.entity] is table]
    says = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "empty"
    return Diagnosis(
        part=part,
        says="; ".join([says, *map(in_words, parked[:MOST_KINDS])]),
        health=Health.ERROR if parked else Health.OK,
        remedy="see why with 'explain', fix the cause, then run 'retry --all'" if parked else "",
        facts={"counts": counts, "parked": [asdict(each) for each in parked]},
    )
