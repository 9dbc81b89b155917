"""What people said beforehand of events that no stage places: ignore rules, and items that they dismissed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, and_, select

from ...identifiers import InstallationKey
from ...providers.suggestions import Evidence
from ...resources.hierarchy import Place
from ...resources.repository import find_resources
from ..cases import Case
from ..tables import review_items, review_reasons
from ..types import Conclusion, Stage
from .ignore_rules import IgnoreRule, list_rules
from .items import ReviewState

IGNORE_RULE = "ignore_rule"
"""The rule of an event that an ignore rule of the workspace names."""

DISMISSED = "dismissed"
"""The rule of an event whose review item a person dismissed for this very reason."""

_Key = tuple[str, Place]
"""An installation, and a resource under it."""


def screen(connection: Connection, waiting: Sequence[tuple[Case, Conclusion]]) -> list[Conclusion]:
    """Return each conclusion as it is, or that the event is ignored because people said so."""
    if not waiting:
        return []
    cases = [case for case, _ in waiting]
    rules = {
        workspace: list_rules(connection, workspace=workspace)
        for workspace in {case.installation.workspace for case in cases}
    }
    asks_archived = any(rule.conditions.archived for each in rules.values() for rule in each)
    archived = _archived(connection, cases) if asks_archived else frozenset()
    dismissed = _dismissed(connection, cases)
    return [
        _by_rule(case, rules[case.installation.workspace], archived)
        or _by_dismissal(case, conclusion, dismissed)
        or conclusion
        for case, conclusion in waiting
    ]


def _key(case: Case) -> _Key:
    return case.installation.id, case.subject.place


def _by_rule(case: Case, rules: Iterable[IgnoreRule], archived: Collection[_Key]) -> Conclusion | None:
    for rule in rules:
        if rule.conditions.meets(
            case.event, case.subject, installation=case.installation, archived=_key(case) in archived
        ):
            why = f" ({rule.note})" if rule.note else ""
            return _ignored(IGNORE_RULE, f"ignore rule {rule.id} names it: {rule.conditions}{why}")
    return None


def _by_dismissal(
    case: Case, conclusion: Conclusion, dismissed: Mapping[_Key, Mapping[str, str]]
) -> Conclusion | None:
    said = dismissed.get(_key(case), {})
    if conclusion.rule not in said:
        return None
    return _ignored(DISMISSED, f"events like this were dismissed: {said[conclusion.rule]}", *conclusion.evidence)


def _ignored(rule: str, text: str, *lost: Evidence) -> Conclusion:
    return Conclusion(
        stage=Stage.IGNORED, rule=rule, evidence=(Evidence(rule=rule, text=text, against=True), *lost)
    )


def _by_installation(cases: Iterable[Case]) -> dict[tuple[str, str], set[Place]]:
    found: dict[tuple[str, str], set[Place]] = defaultdict(set)
    for case in cases:
        found[case.installation.workspace, case.installation.id].add(case.subject.place)
    return found


def _archived(connection: Connection, cases: Sequence[Case]) -> frozenset[_Key]:
    """Return those of the cases' resources that the inventory knows as archived."""
    return frozenset(
        (installation_id, place)
        for (workspace, installation_id), places in _by_installation(cases).items()
        for place, known in find_resources(
            connection, InstallationKey(workspace=workspace, id=installation_id), places
        ).items()
        if known.archived
    )


def _dismissed(connection: Connection, cases: Sequence[Case]) -> dict[_Key, dict[str, str]]:
    """Return, of resources whose item was dismissed, the reasons that were there → what the person said."""
    same_item = and_(
        review_reasons.c.workspace_id == review_items.c.workspace_id,
        review_reasons.c.item_id == review_items.c.id,
    )
    found: dict[_Key, dict[str, str]] = defaultdict(dict)
    for (workspace, installation_id), places in _by_installation(cases).items():
        rows = connection.execute(
            select(
                review_items.c.resource_kind,
                review_items.c.resource_id,
                review_items.c.state_reason,
                review_reasons.c.reason,
            )
            .join(review_reasons, same_item)
            .where(
                review_items.c.workspace_id == workspace,
                review_items.c.installation_id == installation_id,
                review_items.c.resource_id.in_({external_id for _, external_id in places}),
                review_items.c.state == ReviewState.DISMISSED,
            )
        )
        for row in rows:
            found[installation_id, (row.resource_kind, row.resource_id)][row.reason] = row.state_reason
    return found
