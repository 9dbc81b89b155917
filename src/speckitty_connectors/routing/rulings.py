"""What the router works on and what it comes to: interpretations of deliveries, and rulings on them."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from ..inbox.repository import StoredDelivery
from ..providers.deliveries import Outcome
from ..providers.manifest import Manifest
from ..providers.resources import ResourceReference
from ..providers.suggestions import Evidence
from ..store.claims import Claim
from .types import Conclusion, Stage

UNKNOWN_INSTALLATION = "unknown_installation"
PRINCIPAL_CONFLICT = "principal_conflict"
CONFLICT = "conflict"
REPLAY_SUSPECT = "replay_suspect"
NO_RESOURCE = "no_resource"
NO_MAPPING = "no_mapping"
ORPHANED = "orphaned"
AMBIGUOUS = "ambiguous"
LOW_CONFIDENCE = "low_confidence"

REVIEW_REASONS: Mapping[str, str] = {
    UNKNOWN_INSTALLATION: "no workspace has connected the app to the account that the delivery names",
    PRINCIPAL_CONFLICT: "the body names another installation or account than the credential speaks for",
    CONFLICT: "another delivery came under the same id with other content",
    REPLAY_SUSPECT: "the same content came before under another id, and nothing signed tells the two apart",
    NO_RESOURCE: "the event names no resource",
    NO_MAPPING: "none of the event's resources is mapped",
    ORPHANED: "the resource is mapped, but its mappings are orphaned",
    AMBIGUOUS: "nothing is mapped, and several projects fit",
    LOW_CONFIDENCE: "nothing is mapped, and what was seen isn't enough to tell a project",
}
"""The rules that send a delivery to the review queue, and what people are told of each."""

UNTRUSTED = frozenset({UNKNOWN_INSTALLATION, PRINCIPAL_CONFLICT, CONFLICT, REPLAY_SUSPECT})
"""The rules of deliveries that nobody vouches for by mapping a resource: they are never replayed, nor ignored."""

NOTHING = ResourceReference(kind="", id="")
"""The subject of what names no resource and no account."""


@frozen(kw_only=True)
class Interpretation:
    """A claimed delivery, and what the plugin says it means.

    Attributes:
        claim: ours until the transaction that decides it has ended.
        delivery: the row of the inbox.
        manifest: of the provider's plugin.
        outcome: what the delivery means.
    """

    claim: Claim
    delivery: StoredDelivery
    manifest: Manifest
    outcome: Outcome


@frozen(kw_only=True)
class Ruling:
    """A conclusion on a delivery for one installation, ready to be written.

    Attributes:
        interpretation: the delivery and its meaning.
        workspace: whose decision it becomes.
        installation_id: the installation, or empty where none was found.
        conclusion: what was concluded.
        subject: what a review item of it is about.
    """

    interpretation: Interpretation
    workspace: str
    conclusion: Conclusion
    installation_id: str = ""
    subject: ResourceReference = NOTHING

    @classmethod
    def review(
        cls,
        interpretation: Interpretation,
        rule: str,
        *,
        workspace: str,
        installation_id: str = "",
        subject: ResourceReference = NOTHING,
    ) -> Ruling:
        """Return the ruling that a person must look at it, for one of `REVIEW_REASONS`."""
        return cls(
            interpretation=interpretation,
            workspace=workspace,
            installation_id=installation_id,
            conclusion=for_review(rule),
            subject=subject,
        )


def for_review(rule: str) -> Conclusion:
    """Return the conclusion that a person must decide, for one of `REVIEW_REASONS`."""
    evidence = Evidence(rule=rule, text=REVIEW_REASONS[rule], against=True)
    return Conclusion(stage=Stage.REVIEW, rule=rule, evidence=(evidence,))
