"""E: identities are the provider's immutable ids; names are labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from ...providers.accounts import Account, ExternalIdentity
from ...providers.deliveries import Change, Event, Lifecycle, Outcome
from ...providers.manifest import Capability
from ...providers.resources import ResourceReference
from ..mutations import renamed
from ..recordings import Recording
from ..rules import NotApplicableError, Over, require, rule
from .base import Rules

ROUTING = Capability.ROUTE_EVENT

SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""A full commit SHA (git: SHA-1 and SHA-256 repositories)."""

OF_RESOURCES = frozenset(change for change in Change if change.value.startswith("resource_")) | {
    Change.VISIBILITY_CHANGED
}
OF_ACCOUNTS = frozenset({Change.ACCOUNT_RENAMED, Change.ACCOUNT_DELETED})
OF_INSTALLATIONS = frozenset(
    {
        Change.INSTALLED,
        Change.UNINSTALLED,
        Change.SUSPENDED,
        Change.RESUMED,
        Change.SCOPES_CHANGED,
        Change.CREDENTIAL_REVOKED,
        Change.DELIVERIES_LOST,
    }
)


class IdentityRules(Rules):
    """Identities in what `route_event` answers."""

    @rule("E20", needs=ROUTING, over=Over.DELIVERIES)
    def test_e20_ids_are_text(self, delivery: Recording) -> None:
        """Ids are text, and never empty unless the delivery has none.

        The ids of resources, accounts and people in the outcome are looked at. A resource or an account may lack
        its id where the recording's ``expect`` says ``"id": ""``; then its key, or its address, has to be there.
        Why: numbers lose digits on their way through JSON, and two spellings of one id are two resources.
        Fix: str(id) once, and leave the object out where the provider gave no id.
        """
        for what, found in _identities(self.subject.route(delivery)):
            known = found.id or _label_in_place_of(found, delivery.expect)
            require(isinstance(known, str) and known.strip(), f"named {what} by the id {found.id!r}")

    @rule("E21", needs=ROUTING, over=Over.DELIVERIES)
    def test_e21_a_rename_changes_no_id(self, delivery: Recording) -> None:
        """A rename changes no identity.

        Every name that the outcome shows is changed wherever it stands in the body, and the delivery routed again.
        Why: mappings hang on ids; one that follows a name goes to the one that takes the name next.
        Fix: take ids from the provider's immutable id.
        """
        before = self.subject.route(delivery)
        names = {name for _, found in _identities(before) for name in _names(found)}
        try:
            document = json.loads(self.subject.delivery(delivery).content)
        except ValueError:
            raise NotApplicableError("the delivery holds no JSON document") from None
        after = self.subject.route(delivery, content=json.dumps(renamed(document, names)).encode())
        ids = [[found.id for _, found in _identities(outcome)] for outcome in (before, after)]
        require(ids[0] == ids[1], f"changed ids from {ids[0]} to {ids[1]} when names changed")

    @rule("E22", needs=ROUTING, over=Over.DELIVERIES)
    def test_e22_kinds_are_declared(self, delivery: Recording) -> None:
        """Resources are of declared kinds, the most specific first.

        The kinds of an outcome's resources are compared with the manifest's order.
        Why: the most specific level that has a mapping wins.
        Fix: declare the kind, and list the resources of an event in the order of the manifest.
        """
        outcome = self.subject.route(delivery)
        if not isinstance(outcome, Event | Lifecycle):
            return
        kinds = [resource.kind for resource in outcome.resources]
        declared = [kind.name for kind in self.subject.manifest.resource_kinds]
        unknown = sorted(set(kinds) - set(declared))
        require(not unknown, f"named a resource of the undeclared kind {', '.join(unknown)}")
        ranks = [self.subject.manifest.rank(kind) for kind in kinds]
        in_order = ranks == sorted(ranks) or isinstance(outcome, Lifecycle)
        require(in_order, f"listed its resources as {', '.join(kinds)}")

    @rule("E23", needs=ROUTING, over=Over.DELIVERIES)
    def test_e23_times_are_utc(self, delivery: Recording) -> None:
        """A time is aware and in UTC.

        The time of the outcome is looked at.
        Why: times without a zone are compared wrongly.
        Fix: moment.astimezone(UTC), or None where the provider doesn't say.
        """
        at = getattr(self.subject.route(delivery), "occurred_at", None)
        offset = at.utcoffset() if at else timedelta(0)
        require(offset == timedelta(0), f"gave a time with the offset {offset}")

    @rule("E24", needs=ROUTING, over=Over.DELIVERIES)
    def test_e24_git_facts_are_plain(self, delivery: Recording) -> None:
        """Git facts are short names and full SHAs.

        Branches and tags must not start with ``refs/``; commits are 40 or 64 hex digits, and none is all zeros.
        Why: they are compared with what hosts saw in their checkouts.
        Fix: cut refs/heads/ and refs/tags/ off, and leave the SHA of nothing out.
        """
        outcome = self.subject.route(delivery)
        git = outcome.git if isinstance(outcome, Event) else None
        if git is None:
            return
        full = [name for name in (git.branch, git.tag) if name.startswith("refs/")]
        odd = [sha for sha in git.commits if not SHA.fullmatch(sha) or not sha.strip("0")]
        require(not full, f"gave the full ref {', '.join(full)}")
        require(not odd, f"gave the commit {', '.join(odd)}")

    @rule("E25", needs=ROUTING, over=Over.DELIVERIES)
    def test_e25_a_change_names_what_changed(self, delivery: Recording) -> None:
        """A change names what it is about.

        Changes of resources need resources (or a listing to follow), of accounts an account, of installations an
        account or an installation, and a revoked link its person.
        Why: core acts on it without looking at the body.
        Fix: fill the field, or answer Ignored where the delivery doesn't say.
        """
        outcome = self.subject.route(delivery)
        if not isinstance(outcome, Lifecycle):
            return
        change = outcome.change
        named = (
            (change in OF_RESOURCES and bool(outcome.resources))
            or (change in OF_ACCOUNTS and outcome.account is not None)
            or (change in OF_INSTALLATIONS and bool(outcome.account or outcome.installation))
            or (change is Change.LINK_REVOKED and bool(outcome.identities))
            or change in {Change.RESOURCES_ADDED, Change.RESOURCES_REMOVED, Change.HOOK_REMOVED}
        )
        require(named, f"answered {change} without saying of what")


def _identities(
    outcome: Outcome,
) -> Iterator[tuple[str, Account | ExternalIdentity | ResourceReference]]:
    if not isinstance(outcome, Event | Lifecycle):
        return
    yield from (("a resource", resource) for resource in outcome.resources)
    if outcome.account is not None:
        yield "an account", outcome.account
    people = (outcome.actor, *getattr(outcome, "identities", ()), getattr(outcome, "requester", None))
    yield from (("a person", person) for person in people if person is not None)


def _label_in_place_of(found: Account | ExternalIdentity | ResourceReference, expect: Mapping[str, Any]) -> str:
    """Return what finds a resource or an account whose id the recording says is unknown."""
    match found:
        case ResourceReference():
            expected = expect.get("resources", [])
        case Account():
            expected = [expect.get("account", {})]
        case _:
            return ""
    label = found.key if isinstance(found, ResourceReference) else found.url
    return label if any(each.get("id") == "" for each in expected) else ""


def _names(found: Account | ExternalIdentity | ResourceReference) -> set[str]:
    name = found.key if isinstance(found, ResourceReference) else found.name
    return {name, name.rpartition("/")[2]} - {""}
