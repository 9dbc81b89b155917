"""Misbehaviours that no plugin manages alone: core whose refusals say too much, or aren't any."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from attrs import evolve

from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.inbox.repository import Recorded
from speckitty_connectors.inbox.request import DocumentMembers, Readable, read_members
from speckitty_connectors.inbox.responses import DocumentRefusedError, UnknownProviderError
from speckitty_connectors.plugin import BodyHandshake, SignatureScheme

from .boards import MANIFEST
from .proofs import or_else
from .switches import Hostile, switch

Headers = Mapping[str, str]
Secrets = Mapping[str, Secret]
Verify = Callable[[SignatureScheme, Secrets, Headers, bytes, datetime], str]

WEBHOOKS = MANIFEST.webhooks
SIGNATURE, TIME, TOKEN = "x-hostile-signature", "x-hostile-time", "x-hostile-token"


@switch("V14")
class ChokesOnHeaders(Hostile):
    """Raises at a header that isn't ASCII."""

    core = {
        "inbox.accept:select_headers": lambda select: (
            lambda headers, names: (
                [value.encode("ascii") for name, value in headers if name.lower() in names]
                and select(headers, names)
            )
        )
    }


@switch("V15")
class ChokesOnBytes(Hostile):
    """Raises at a body that isn't UTF-8."""

    core = {"inbox.accept:read_members": lambda read: lambda document: document.decode() and read(document)}


@switch("V16")
class ChokesOnDepth(Hostile):
    """Decodes whole documents, however deep."""

    core = {
        "inbox.accept:read_members": lambda read: (
            lambda document: (json.loads(document) if document.count(b"[") > 1000 else None) or read(document)
        )
    }


@switch("V17")
class ReadsToTheEnd(Hostile):
    """Reads a body to its end before it looks at the limit."""

    @staticmethod
    def _read(body: bytes | Readable, _: int) -> bytes:
        return body if isinstance(body, bytes) else body.read(-1)

    core = {"inbox.accept:read_body": lambda _: ReadsToTheEnd._read}


@switch("V23")
class WantsEveryLetterReadable(Hostile):
    """Meets a core that refuses what can't be text."""

    @staticmethod
    def _strictly(document: bytes) -> DocumentMembers:
        if rb"\u0000" in document:
            raise DocumentRefusedError(
                "the document has letters that aren't", subject="hostile", remedy="send others"
            )
        return read_members(document)

    core = {"inbox.accept:read_members": lambda _: WantsEveryLetterReadable._strictly}


@switch("V18")
class TellsWhatExists(Hostile):
    """Answers otherwise where there is no end point."""

    @staticmethod
    def _telling(verify: Callable[..., Any]) -> Callable[..., Any]:
        def tell(self: object, manifest: object, endpoint: str, headers: Headers, body: bytes) -> Any:
            if endpoint == "no-such-endpoint":
                raise UnknownProviderError("there is no such end point")
            return verify(self, manifest, endpoint, headers, body)

        return tell

    core = {"inbox.endpoint_secrets:Principals.verify": _telling}


@switch("V19")
class LogsProofs(Hostile):
    """Writes down the headers of what it refused."""

    @staticmethod
    def _log(_: SignatureScheme, __: Secret, headers: Headers, ___: bytes) -> bool:
        logging.getLogger("speckitty_connectors.inbox").debug("refused %s", dict(headers))
        return False

    core = or_else(_log)


@switch("V20")
class TakesAnyType(Hostile):
    """Takes every body for JSON."""

    core = {"inbox.accept:Reception.media_type": lambda _: lambda self, headers: "application/json"}


@switch("V21")
class ForgetsWhatCame(Hostile):
    """Takes every delivery for a new one."""

    core = {"inbox.accept:record": lambda _: lambda store, arrival: Recorded.ACCEPTED}


@switch("V22")
class SwallowsEvents(Hostile):
    """Describes its handshake by a field that events have too."""

    manifest = evolve(
        MANIFEST,
        webhooks=evolve(WEBHOOKS, handshake=BodyHandshake(field="event", value="card", answer_field="action")),
    )
