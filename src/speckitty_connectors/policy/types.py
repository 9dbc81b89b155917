"""Layer 4's types: what each level sets and locks, and the effective policy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from attrs import AttrsInstance, evolve, field, frozen

from ..errors import ConfigurationError
from ..providers.policies import CorePolicy


class Level(StrEnum):
    """Where a field of a policy is set or locked, the broadest first; the narrowest wins."""

    LIBRARY = "library"
    WORKSPACE = "workspace"
    INSTALLATION = "installation"
    PROJECT = "project"


@frozen(kw_only=True)
class Provenance:
    """Who set or locked a field, at which level, and when.

    Attributes:
        level: the level.
        actor: who, as the audit names them; empty for the library itself.
        at: when, in UTC; None for the library itself.

    >>> str(Provenance(level=Level.PROJECT, actor="member:mona"))
    'project, by member:mona'
    """

    level: Level
    actor: str = ""
    at: datetime | None = None

    def __str__(self) -> str:
        """Return it in words."""
        moment = f" at {self.at.isoformat(timespec='seconds')}" if self.at else ""
        return f"{self.level}{f', by {self.actor}' if self.actor else ''}{moment}"


@frozen(kw_only=True)
class Statement:
    """What a level, or several of them together, sets and locks of one field.

    Statements are put together by `narrowed_by`, from the broadest level to the narrowest. It doesn't matter in
    which groups (it is associative), nor whether a level is given twice (it is idempotent), and an empty statement
    changes nothing.

    Attributes:
        value: the value as JSON; None is "explicitly none" where there is a source.
        source: who set the value; None where it is inherited.
        lock: who locked the field, so that no narrower level may set it; None where nobody did.

    >>> workspace = Statement(value=True, source=Provenance(level=Level.WORKSPACE))
    >>> project = Statement(value=None, source=Provenance(level=Level.PROJECT))
    >>> workspace.narrowed_by(project).value is None, workspace.narrowed_by(Statement()).value
    (True, True)
    >>> locked = Statement(lock=Provenance(level=Level.INSTALLATION))
    >>> workspace.narrowed_by(locked).narrowed_by(project).value
    True
    """

    value: Any = None
    source: Provenance | None = None
    lock: Provenance | None = None

    @property
    def says_nothing(self) -> bool:
        """Whether it neither sets nor locks."""
        return self.source is None and self.lock is None

    def narrowed_by(self, narrower: Statement) -> Statement:
        """Return what applies where a narrower level is put below this one."""
        if self.lock is not None:
            return self
        return narrower if narrower.source is not None else evolve(self, lock=narrower.lock)

    def __str__(self) -> str:
        """Return it in words."""
        lock = f", locked: {self.lock}" if self.lock else ""
        return f"{json.dumps(self.value, ensure_ascii=False)} ({self.source or 'inherited'}{lock})"


Statements = Mapping[str, Statement]
"""Field → its statement; a field that isn't named is neither set nor locked."""


@frozen(kw_only=True)
class PolicyScope:
    """Where a policy is set: in a workspace, for one installation, or for one project.

    Attributes:
        workspace: the host's workspace.
        provider: provider key.
        installation_id: the installation whose default it is; empty for all.
        project_id: the host's project whose exception it is; empty for all.

    >>> str(PolicyScope(workspace="w1", provider="acme", project_id="apollo"))
    'project apollo, provider acme'

    Raises:
        ConfigurationError: an installation and a project are named at once.
    """

    workspace: str
    provider: str
    installation_id: str = ""
    project_id: str = ""

    def __attrs_post_init__(self) -> None:
        if self.installation_id and self.project_id:
            raise ConfigurationError(
                "a policy is set for an installation or for a project, not for one within the other",
                subject=f"installation {self.installation_id}, project {self.project_id}",
                remedy="name one of them",
            )

    @property
    def level(self) -> Level:
        """The level of this scope."""
        if self.project_id:
            return Level.PROJECT
        return Level.INSTALLATION if self.installation_id else Level.WORKSPACE

    def __str__(self) -> str:
        """Return it in words."""
        name = self.project_id or self.installation_id or self.workspace
        return f"{self.level} {name}, provider {self.provider}"


@frozen(kw_only=True)
class ScopedPolicy:
    """The policy of one scope: a project's exceptions, or the defaults of an installation or a workspace.

    Attributes:
        scope: where it is set.
        statements: field → what is set and locked; a field that isn't named inherits.

    >>> policy = ScopedPolicy(scope=PolicyScope(workspace="w1", provider="acme", project_id="apollo"),
    ...                           statements={"digest": Statement(source=Provenance(level=Level.PROJECT))})
    >>> policy.fields
    {'digest': None}
    """

    entity: ClassVar[str] = "policy"

    scope: PolicyScope
    statements: Statements = field(factory=dict)

    @property
    def workspace(self) -> str:
        """Whose it is."""
        return self.scope.workspace

    @property
    def id(self) -> str:
        """What the audit calls it."""
        return str(self.scope)

    @property
    def fields(self) -> dict[str, Any]:
        """The values that are set: field → value; None is "explicitly none"."""
        return {
            name: statement.value for name, statement in self.statements.items() if statement.source is not None
        }

    @property
    def locked(self) -> list[str]:
        """The fields that are locked here."""
        return [name for name, statement in self.statements.items() if statement.lock is not None]

    def audited(self) -> dict[str, object]:
        """Return what an entry of the audit shows of it."""
        return {"fields": self.fields, "locked": self.locked}


@frozen(kw_only=True)
class EffectivePolicy:
    """The values that apply, field by field, and where each comes from.

    Attributes:
        statements: every field → its value with the level, the person and the moment it comes from, and its lock.
        core: the values of the fields that core has for every provider.
        own: the values of the provider's own fields, in the class that its manifest names; None where it has none.
        passed_over: fields → what is kept of them without effect: of a newer schema, or a value that this one
            doesn't know.

    >>> EffectivePolicy().core.doctrine_mode.value
    'external_authoritative'
    """

    statements: Statements = field(factory=dict)
    core: CorePolicy = field(factory=CorePolicy)
    own: AttrsInstance | None = None
    passed_over: Statements = field(factory=dict)

    @property
    def exceptions(self) -> dict[str, Statement]:
        """The fields that people set or locked, in alphabetical order."""
        return {
            name: statement
            for name, statement in sorted(self.statements.items())
            if statement.lock or (statement.source and statement.source.level is not Level.LIBRARY)
        }

    def why(self, name: str) -> str:
        """Return a field's value and where it comes from, in words."""
        return f"{name} = {self.statements[name]}"

    def lines(self) -> list[str]:
        """Return the policy in words, one field a line."""
        return [
            *map(self.why, self.statements),
            *(f"{name} = {kept}, kept but not known here" for name, kept in self.passed_over.items()),
        ]
