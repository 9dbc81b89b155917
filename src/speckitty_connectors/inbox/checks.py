"""What core checks of one provider's requests, prepared from its manifest once."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, frozen

from ..providers.manifest import Manifest, WebhookRules
from ..providers.signatures import HexHmac
from .request import FORM, DocumentMembers, read_content, read_members, text_of
from .responses import PROBE, Answer, DocumentRefusedError, HeaderRefusedError, MediaTypeRefusedError
from .signatures import headers_read

CONTENT_TYPE = "content-type"
CONTENT_ENCODING = "content-encoding"
UNCOMPRESSED = "identity"

NEVER_KEPT = frozenset({"", "authorization", "cookie", "proxy-authorization"})
"""Headers with secrets of their own; the one that a signature scheme reads its proof from is added to them."""

MAXIMUM_PROBE_BYTES = 4096
"""Longest body that is looked at for a probe: nobody has proved anything yet."""

MAXIMUM_NAME_LENGTH = 255
"""Longest delivery id, and longest kind, in characters."""

CONFLICT_MARK = "#"
"""Stands between a delivery id and the digest of other content that came under it; so no id may hold it."""


@frozen(kw_only=True)
class Reception:
    """One provider's checks, in the order in which a request meets them.

    Attributes:
        manifest: of the provider's plugin.
        rules: its part about deliveries.
        routed_kinds: the kinds that the host wants, or None for all.
        kept: the headers that are stored, in lower case.
        read: the headers that are looked at, in lower case; all others may be anything.
        media_types: those accepted, in lower case.
        sending_times: members of the document that only say when it was sent.
    """

    manifest: Manifest
    rules: WebhookRules
    routed_kinds: frozenset[str] | None
    kept: frozenset[str]
    read: frozenset[str]
    media_types: frozenset[str]
    sending_times: frozenset[str]

    @classmethod
    def of(cls, manifest: Manifest, routed_kinds: frozenset[str] | None) -> Reception:
        """Prepare the checks that a manifest asks for."""
        rules = manifest.webhooks
        proofs = [headers_read(scheme) for scheme in rules.schemes.values()]
        wanted = {name.lower() for name in (rules.kind_header, *_id_headers(rules), *rules.kept_headers)}
        kept = wanted - NEVER_KEPT - {names[0] for names in proofs}
        return cls(
            manifest=manifest,
            rules=rules,
            routed_kinds=routed_kinds,
            kept=frozenset(kept),
            read=frozenset({CONTENT_TYPE, CONTENT_ENCODING, *kept}.union(*proofs)),
            media_types=frozenset(name.lower() for name in rules.content_types),
            sending_times=frozenset(
                scheme.body_timestamp.field
                for scheme in rules.schemes.values()
                if isinstance(scheme, HexHmac) and scheme.body_timestamp
            ),
        )

    def media_type(self, headers: Mapping[str, str]) -> str:
        """Return the body's media type, without parameters.

        Raises:
            MediaTypeRefusedError: the provider doesn't send that, or the body is compressed.
        """
        if headers.get(CONTENT_ENCODING, UNCOMPRESSED).lower() != UNCOMPRESSED:
            raise MediaTypeRefusedError("a compressed body isn't accepted")
        media_type = headers.get(CONTENT_TYPE, "").partition(";")[0].strip().lower()
        if media_type not in self.media_types:
            raise MediaTypeRefusedError(f"the body must be one of: {', '.join(sorted(self.media_types))}")
        return media_type

    def members(self, media_type: str, body: bytes) -> DocumentMembers:
        """Return the members of the verified JSON document; none for a form that has only fields.

        Raises:
            DocumentRefusedError: the body isn't a JSON object, or not a form with one.
        """
        content = read_content(media_type, body, form_field=self.rules.form_field)
        return read_members(content.document) if content.document or media_type != FORM else {}

    def kind(self, headers: Mapping[str, str]) -> str:
        """Return what the kind header says, or empty where there is none.

        Raises:
            HeaderRefusedError: it is too long.
        """
        kind = headers.get(self.rules.kind_header.lower(), "")
        if len(kind) > MAXIMUM_NAME_LENGTH:
            raise HeaderRefusedError("the kind is too long")
        return kind

    def unrouted_reason(self, kind: str) -> str:
        """Return why deliveries of this kind are not routed, or empty for those that are."""
        if kind in self.rules.unrouted_kinds:
            return "the manifest routes nothing of this kind"
        if kind and self.routed_kinds is not None and kind not in self.routed_kinds:
            return "the host's settings don't ask for this kind"
        return ""

    def delivery_id(self, headers: Mapping[str, str], members: DocumentMembers) -> str:
        """Return the id that the provider gave the delivery, or empty where it gave none.

        Raises:
            HeaderRefusedError: it is too long, not printable ASCII, or holds a mark that is ours.
        """
        stated = (headers.get(name.lower(), "") for name in _id_headers(self.rules))
        found = next(filter(None, stated), "") or text_of(members, self.rules.delivery_id_field)
        if (
            len(found) > MAXIMUM_NAME_LENGTH
            or not (found.isascii() and found.isprintable())
            or CONFLICT_MARK in found
        ):
            raise HeaderRefusedError("the delivery id is too long, or holds what no delivery id may")
        return found

    def is_probe(self, fields: Mapping[str, str]) -> bool:
        """Return whether these fields are those of the provider's probe."""
        rule = self.rules.probe
        return rule is not None and fields.get(rule.field) == rule.value

    def probe(self, media_type: str, body: bytes) -> Answer | None:
        """Return the answer to a probe, which nobody signs; None for whatever else the body is."""
        if self.rules.probe is None or media_type != FORM or len(body) > MAXIMUM_PROBE_BYTES:
            return None
        try:
            fields = read_content(media_type, body, form_field="").fields
        except DocumentRefusedError:
            return None
        return PROBE if self.is_probe(fields) else None

    def acknowledged(self, answer: Answer, media_type: str) -> Answer:
        """Return an answer as the provider may have it: an empty 200 where it would be shown to a person."""
        if media_type not in self.rules.bare_answers:
            return answer
        return evolve(answer, status=200, body="", content_type="text/plain")

    def handshake(self, members: DocumentMembers) -> Answer | None:
        """Return the answer to a signed challenge, or None for any other document.

        Raises:
            DocumentRefusedError: the challenge holds nothing to answer with.
        """
        rule = self.rules.handshake
        if rule is None or text_of(members, rule.field) != rule.value:
            return None
        answer = text_of(members, rule.answer_field)
        if not answer:
            raise DocumentRefusedError("the handshake holds nothing to answer with")
        return Answer(status=200, code="handshake", body=answer, content_type="text/plain")


def _id_headers(rules: WebhookRules) -> tuple[str, ...]:
    """Return the headers that may hold the delivery id, the one that counts first."""
    return rules.delivery_id_header, rules.former_id_header
