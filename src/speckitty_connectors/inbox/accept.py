"""Accept a delivery: limit, verify, de-duplicate, store, and only then acknowledge."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from attrs import evolve, fields, frozen
from sqlalchemy.exc import SQLAlchemyError

from ..credentials.vault import Vault
from ..errors import ConnectorsError, StoreUnavailableError
from ..loading.registry import Registry
from ..loading.statuses import PluginUnavailableError
from ..providers.manifest import Manifest, WebhookRules
from ..providers.signatures import HexHmac
from ..store.deadline import answering
from ..store.engine import Store
from .endpoint_secrets import Principals, Verified
from .repository import CONFLICT_MARK, Arrival, Recorded, digest_of, record
from .request import FORM, DocumentMembers, Request, read_body, read_content, read_members, select_headers, text_of
from .responses import (
    ACCEPTED,
    CONFLICT,
    DUPLICATE,
    IGNORED,
    PROBE,
    UNAVAILABLE,
    Answer,
    DeliveryRefusedError,
    DocumentRefusedError,
    HeaderRefusedError,
    MediaTypeRefusedError,
    UnknownProviderError,
    refused,
)
from .signatures import headers_read

logger = logging.getLogger(__name__)

CONTENT_TYPE = "content-type"
CONTENT_ENCODING = "content-encoding"
UNCOMPRESSED = "identity"

NEVER_KEPT = frozenset({"", "authorization", "cookie", "proxy-authorization"})
"""Headers with secrets of their own; the one that a signature scheme reads its proof from is added to them."""

MAXIMUM_PROBE_BYTES = 4096
"""Longest body that is looked at for a probe: nobody has proved anything yet."""

MAXIMUM_NAME_LENGTH = 255
"""Longest delivery id, and longest kind, in characters."""

DEFAULT_BODY_LIMIT: Final[int] = fields(WebhookRules).body_limit.default or 0
"""In bytes; where a plugin can't be asked now, but may be when the delivery comes again."""

DIGEST_PREFIX = "sha256:"
"""Before the digest that stands for a delivery id where the provider gives none."""

ANSWERS = {
    Recorded.ACCEPTED: ACCEPTED,
    Recorded.IGNORED: IGNORED,
    Recorded.DUPLICATE: DUPLICATE,
    Recorded.CONFLICT: CONFLICT,
}


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


class Inbox:
    """Takes what providers post; the host's web server hands each request to `accept`.

    Attributes:
        when_accepted: is given workspace and id of each row to be routed, after its commit; or None.

    Args:
        store: where deliveries are kept.
        registry: says what each provider's manifest asks for; no plugin code runs here.
        vault: opens the secrets of endpoints.
        routed_kinds: provider key → the kinds that the host wants; all where a provider isn't named.
        tolerances: provider key → seconds that a signed time may be from ours; the manifest's where not named.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        vault: Vault,
        routed_kinds: Mapping[str, frozenset[str]] | None = None,
        tolerances: Mapping[str, int] | None = None,
    ) -> None:
        self._store = store
        self._registry = registry
        self._principals = Principals(store, vault, tolerances)
        self._routed_kinds = routed_kinds or {}
        self._receptions: dict[str, Reception] = {}
        self.when_accepted: Callable[[str, str], None] | None = None

    def accept(self, request: Request) -> Answer:
        """Answer a request: 2xx once the delivery is stored, 4xx for what can't be one, 503 for "try again".

        Nothing is acknowledged before its commit, and no headers or bytes make this raise. An endpoint that
        doesn't exist and a signature that doesn't match are one answer.
        """
        try:
            return self._receive(request)
        except DeliveryRefusedError as refusal:
            logger.info("refused a delivery: %s (%s)", refusal.code, refusal.what)
            return refused(refusal)
        except StoreUnavailableError as error:
            logger.warning("a delivery wasn't stored: %s", error)
            return UNAVAILABLE
        except (ConnectorsError, SQLAlchemyError):
            logger.exception("a delivery couldn't be stored")
            return UNAVAILABLE

    def is_probe(self, provider: str, fields: Mapping[str, str]) -> bool:
        """Return whether the fields of a query are how this provider looks whether the address answers."""
        try:
            return self._reception(provider).is_probe(fields)
        except ConnectorsError:
            return False

    def body_limit(self, provider: str) -> int:
        """Return how many bytes a provider's deliveries may have; 0 where there is no such provider."""
        try:
            return self._reception(provider).rules.body_limit
        except UnknownProviderError:
            return 0
        except ConnectorsError:
            return DEFAULT_BODY_LIMIT

    def _receive(self, request: Request) -> Answer:
        """Take the request through the checks in their order, then store it."""
        reception = self._reception(request.provider)
        headers = select_headers(request.headers, reception.read)
        media_type = reception.media_type(headers)
        body = read_body(request.body, reception.rules.body_limit)
        probe = reception.probe(media_type, body)
        if probe is not None:
            return probe
        with answering():
            verified = self._principals.verify(reception.manifest, request.endpoint_id, headers, body)
            members = reception.members(media_type, body)
            handshake = reception.handshake(members)
            if handshake is not None:
                return handshake
            arrival = self._arrival(reception, verified, headers, media_type, members, body)
            recorded = record(self._store, arrival)
        if recorded is Recorded.ACCEPTED and self.when_accepted is not None:
            self.when_accepted(arrival.endpoint.workspace, arrival.id)
        return reception.acknowledged(ANSWERS[recorded], media_type)

    def _reception(self, provider: str) -> Reception:
        """Return the prepared checks of a provider.

        Raises:
            UnknownProviderError: no plugin for it is installed.
            PluginUnavailableError: there is one but it can't be used now, so the delivery should come again.
        """
        known = self._receptions.get(provider)
        if known is not None:
            return known
        try:
            manifest = self._registry.provider(provider).manifest
        except PluginUnavailableError:
            if all(status.provider != provider for status in self._registry.statuses()):
                raise UnknownProviderError("no plugin for this provider is installed") from None
            raise
        routed_kinds = self._routed_kinds.get(provider)
        self._receptions[provider] = Reception.of(manifest, routed_kinds)
        return self._receptions[provider]

    def _arrival(
        self,
        reception: Reception,
        verified: Verified,
        headers: Mapping[str, str],
        media_type: str,
        members: DocumentMembers,
        body: bytes,
    ) -> Arrival:
        """Put together what is stored of a verified request."""
        kind, stated = reception.kind(headers), reception.delivery_id(headers, members)
        unrouted_reason = reception.unrouted_reason(kind)
        kept = {name: value for name, value in headers.items() if name in reception.kept}
        digest = digest_of(body, members, reception.sending_times)
        return Arrival(
            endpoint=verified.endpoint,
            provider=reception.manifest.provider,
            delivery_id=stated or f"{DIGEST_PREFIX}{digest.hex()}",
            kind=kind,
            digest=digest,
            secret_id=verified.secret_id,
            received_at=self._store.now(),
            headers=kept,
            media_type=media_type,
            body=body,
            unrouted_reason=unrouted_reason,
            replayable=verified.replayable,
            id_per_account=reception.rules.delivery_id_per_account,
        )
