"""Which projects a git repository is known in, by its remotes and slugs, and how much that counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from itertools import chain
from typing import Final

from attrs import frozen
from sqlalchemy import Connection

from ..installations.types import Installation
from ..providers.manifest import Manifest
from ..providers.suggestions import Evidence
from ..signals import repository as signals
from ..signals.observations import SignalKind
from ..signals.repository import Sighting
from .repository_names import Addresses, Bearers, Identity, NamedRepository, load_bearers, load_names

REMOTE: Final = "remote"
"""The rule of a remote that names the repository, host and all."""

FORMER_REMOTE: Final = "former_remote"
"""The rule of a remote that names the repository as it was called before."""

SLUG: Final = "slug"
"""The rule of a slug, which names no host."""

REUSED_NAME: Final = "reused_name"
"""The counter-evidence that another repository bears or bore the name."""

NAMED_BEFORE: Final = "named_before"
"""The counter-evidence that a project named the repository before it was called so."""


class Strength(IntEnum):
    """How much a match counts: it decides alone, needs something else beside it, or is only shown."""

    DOUBTFUL = 0
    WEAK = 1
    STRONG = 2


@frozen(kw_only=True)
class Match:
    """How a repository is known in a project.

    Attributes:
        project_id: the host's project.
        strength: how much the best of it counts.
        grounds: the remotes and slugs that were seen, as signals hold them.
        evidence: the same in words.
        elsewhere: whether nothing but a slug matches, while the project's remotes name other repositories.
    """

    project_id: str
    strength: Strength
    grounds: frozenset[str]
    evidence: tuple[Evidence, ...]
    elsewhere: bool = False


Matches = Mapping[str, Match]
"""The matches of one repository by project."""


@frozen(kw_only=True)
class Found:
    """Where repositories are known."""

    matches: Mapping[Identity, Matches]
    sightings: tuple[Sighting, ...]


def find_matches(
    connection: Connection,
    installation: Installation,
    manifest: Manifest,
    called: Mapping[Identity, tuple[str, datetime]],
) -> Found:
    """Return where repositories are known in the workspace; a handful of queries, however many they are.

    `called` says what each is called, and the moment of that knowledge; see `load_names`.
    """
    addresses = Addresses.at(connection, installation, manifest)
    named = load_names(connection, installation, called)
    names = {name for repository in named for name in (repository.key, *repository.former) if name}
    workspace = installation.workspace
    urls = {url for name in names for url in addresses.of(name)}
    remotes = _by_value(connection, workspace, SignalKind.REMOTE, urls)
    slugs = _by_value(connection, workspace, SignalKind.SLUG, {repository.key.lower() for repository in named})
    sightings = tuple(chain.from_iterable((*remotes.values(), *slugs.values())))
    bearers = load_bearers(connection, installation, names if sightings else ())
    with_slug = {sighting.project_id for sighting in sightings if sighting.kind is SignalKind.SLUG}
    with_remote = signals.kinds_seen(connection, workspace=workspace, projects=with_slug, kinds=[SignalKind.REMOTE])
    matches = {
        (each.kind, each.id): match_repository(each, addresses, remotes, slugs, bearers, with_remote)
        for each in named
    }
    return Found(matches=matches, sightings=sightings)


def match_repository(
    repository: NamedRepository,
    addresses: Addresses,
    remotes: Mapping[str, Sequence[Sighting]],
    slugs: Mapping[str, Sequence[Sighting]],
    bearers: Bearers,
    with_remote: Container[str],
) -> Matches:
    """Return the projects in which a repository is known; pure.

    A remote with the name of today is strong, unless another repository of that host bears or bore the name, or
    the project named it before this repository was called so: then the name alone may mean that other one. A
    former name is weak, and so is a slug, which may mean a repository of another host; of a project `with_remote`
    whose remotes don't match, it most likely does.
    """
    clues: dict[str, list[_Clue]] = defaultdict(list)
    for name in (repository.key, *repository.former):
        for url in addresses.of(name) if name else ():
            for sighting in remotes.get(url, ()):
                clues[sighting.project_id].append(_of_remote(repository, name, sighting, bearers))
    for sighting in slugs.get(repository.key.lower(), ()):
        clues[sighting.project_id].append(_of_slug(repository, sighting, bearers))
    return {
        project_id: _match(project_id, found, has_remote=project_id in with_remote)
        for project_id, found in sorted(clues.items())
    }


@frozen(kw_only=True)
class _Clue:
    strength: Strength
    ground: str
    text: Evidence
    doubt: Evidence | None = None


def _of_remote(repository: NamedRepository, name: str, sighting: Sighting, bearers: Bearers) -> _Clue:
    former = name != repository.key
    text = f"a git remote of {sighting.project_id} is {name}"
    strength, doubt = (Strength.WEAK if former else Strength.STRONG), None
    if _is_borne_by_others(repository, name, bearers):
        strength, doubt = Strength.DOUBTFUL, _reused(name)
    elif not former and repository.since is not None and sighting.first_seen < repository.since:
        strength, doubt = Strength.WEAK, _named_before(sighting.project_id, name)
    if former:
        text += f", which is what {repository.key} was called before"
    return _Clue(
        strength=strength,
        ground=f"{SignalKind.REMOTE} {sighting.value}",
        text=Evidence(rule=FORMER_REMOTE if former else REMOTE, text=text),
        doubt=doubt,
    )


def _of_slug(repository: NamedRepository, sighting: Sighting, bearers: Bearers) -> _Clue:
    name = repository.key
    doubtful = _is_borne_by_others(repository, name, bearers) or name.lower() in bearers.elsewhere
    return _Clue(
        strength=Strength.DOUBTFUL if doubtful else Strength.WEAK,
        ground=f"{SignalKind.SLUG} {sighting.value}",
        text=Evidence(rule=SLUG, text=f"{sighting.project_id} names {name}, on no particular host"),
        doubt=_reused(name) if doubtful else None,
    )


def _is_borne_by_others(repository: NamedRepository, name: str, bearers: Bearers) -> bool:
    return bool(bearers.here.get(name.lower(), frozenset()) - {(repository.kind, repository.id)})


def _reused(name: str) -> Evidence:
    return Evidence(rule=REUSED_NAME, text=f"another repository is or was called {name} as well", against=True)


def _named_before(project_id: str, name: str) -> Evidence:
    text = f"{project_id} named {name} before this repository was seen under that name"
    return Evidence(rule=NAMED_BEFORE, text=text, against=True)


def _match(project_id: str, clues: Iterable[_Clue], *, has_remote: bool) -> Match:
    strongest_first = sorted(clues, key=lambda clue: (-clue.strength, clue.text.rule, clue.ground))
    best = strongest_first[0].strength
    doubts = [clue.doubt for clue in strongest_first if clue.doubt and best is not Strength.STRONG]
    texts = [clue.text for clue in strongest_first]
    return Match(
        project_id=project_id,
        strength=best,
        grounds=frozenset(clue.ground for clue in strongest_first),
        evidence=tuple(dict.fromkeys([*texts, *doubts])),
        elsewhere=has_remote and all(clue.text.rule == SLUG for clue in strongest_first),
    )


def _by_value(
    connection: Connection, workspace: str, kind: SignalKind, values: Iterable[str]
) -> Mapping[str, Sequence[Sighting]]:
    found: dict[str, list[Sighting]] = defaultdict(list)
    for sighting in signals.find(connection, workspace=workspace, kind=kind, values=set(values)):
        found[sighting.value].append(sighting)
    return found
