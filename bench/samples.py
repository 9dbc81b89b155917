"""Bodies to measure with: the recorded deliveries beside the project, else what the stand-in sends."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

from attrs import frozen

from speckitty_connectors.providers.standin import stand_ins

PROVIDER = "github"
SECRET = "a-webhook-secret-for-the-benchmark"


@frozen(kw_only=True)
class Sample:
    """One signed delivery.

    Attributes:
        kind: the event kind.
        body: the raw bytes.
        signature: what the provider would send beside it.
    """

    kind: str
    body: bytes
    signature: str


def read_samples(corpus: Path) -> list[Sample]:
    """Return the recorded deliveries of a folder, else the stand-in's."""
    if corpus.is_dir():
        index = json.loads((corpus / "index.json").read_bytes())
        pairs = [(entry["event"], (corpus / entry["file"]).read_bytes()) for entry in index]
    else:
        stand_in = stand_ins()[PROVIDER](setup_url="http://127.0.0.1/", callback_url="http://127.0.0.1/")
        pairs = [(delivery.kind, delivery.content) for delivery in stand_in.deliveries()]
    return [Sample(kind=kind, body=body, signature=_sign(body)) for kind, body in pairs]


def _sign(body: bytes) -> str:
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
