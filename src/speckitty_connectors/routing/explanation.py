"""Says afterwards, from what is stored, what became of a delivery and why."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen
from sqlalchemy import Connection

from ..errors import NotFoundError
from ..inbox.repository import StoredDelivery, find, find_by_delivery_id
from ..store.metadata import OPERATOR
from . import repository
from .repository import DispatchState
from .review import items as review_records
from .review.items import ReviewItem
from .types import Decision, Stage


@frozen(kw_only=True)
class ExplainedDecision:
    """One decision, and what followed from it.

    Attributes:
        decision: the decision with its evidence.
        dispatches: how far the handing over of each target has come.
        review_item: the review item that holds it, or None.
    """

    decision: Decision
    dispatches: tuple[DispatchState, ...]
    review_item: ReviewItem | None


@frozen(kw_only=True)
class Explanation:
    """What became of a delivery, for one workspace.

    Attributes:
        delivery: the delivery as it was received, the credential that verified it, and what it meant.
        decisions: what was decided for each of the workspace's installations; empty while it waits, and for
            what concerns nobody.
    """

    delivery: StoredDelivery
    decisions: tuple[ExplainedDecision, ...]

    def lines(self) -> list[str]:
        """Return the explanation in words, one step of the delivery's way a line."""
        return [
            *_delivery_lines(self.delivery),
            *(line for each in self.decisions for line in _decision_lines(each)),
        ]


def explain(connection: Connection, *, workspace: str, event_id: str) -> Explanation:
    """Return what became of a delivery, by our id or the provider's, as far as it concerns the workspace.

    Raises:
        NotFoundError: nothing of that id concerns this workspace.
    """
    known = find_by_delivery_id(connection, event_id, workspace=workspace) or event_id
    decisions = repository.find(connection, workspace=workspace, event_id=known)
    delivery = find(connection, workspace, known)
    if delivery is None and decisions:
        delivery = find(connection, OPERATOR, known)
    if delivery is None:
        raise NotFoundError(
            "no delivery of that id concerns this workspace",
            subject=f"event {event_id}",
            remedy="take the id from a dispatch, a review item or the inbox",
        )
    explained = tuple(_explained(connection, decision) for decision in decisions)
    return Explanation(delivery=delivery, decisions=explained)


def _explained(connection: Connection, decision: Decision) -> ExplainedDecision:
    return ExplainedDecision(
        decision=decision,
        dispatches=tuple(
            repository.dispatch_states(connection, workspace=decision.workspace, decision_id=decision.id)
        ),
        review_item=review_records.find_by_decision(
            connection, workspace=decision.workspace, decision_id=decision.id
        ),
    )


def _delivery_lines(delivery: StoredDelivery) -> Iterator[str]:
    kind = f" {delivery.kind}" if delivery.kind else ""
    yield f"received {delivery.provider}{kind} {delivery.delivery_id} at {delivery.received_at.isoformat()}"
    yield f"verified by credential {delivery.secret_id} of end point {delivery.endpoint_id}"
    if delivery.outcome:
        reason = f": {delivery.outcome_reason}" if delivery.outcome_reason else ""
        yield f"it means {delivery.outcome}{reason}"
    else:
        error = f", last error: {delivery.last_error}" if delivery.last_error else ""
        yield f"not routed yet: {delivery.state} after {delivery.attempts} attempts{error}"


def _decision_lines(explained: ExplainedDecision) -> Iterator[str]:
    decision = explained.decision
    where = f" for installation {decision.installation_id}" if decision.installation_id else ""
    yield f"decided{where}: {decision.stage} by rule {decision.rule}"
    for evidence in decision.evidence:
        yield f"  {'against' if evidence.against else 'for'}: {evidence.text}"
    for routed in decision.targets:
        yield from routed.policy_lines()
    for dispatch in explained.dispatches:
        error = f", last error: {dispatch.last_error}" if dispatch.last_error else ""
        yield f"  to {dispatch.target}: {dispatch.state} after {dispatch.attempts} attempts{error}"
    if explained.review_item is not None:
        item = explained.review_item
        yield f"  waits in review item {item.id} with {item.count} events: {item.reason}"
    elif decision.stage is Stage.REVIEW:
        yield "  counted in a review item that holds no further events"
