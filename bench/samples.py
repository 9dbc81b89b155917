"""Bodies to measure with: the recorded deliveries beside the project, else what the stand-in sends."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

from attrs import frozen

from speckitty_connectors import AppSettings, Secret
from speckitty_connectors.standin import stand_ins

PROVIDER = "github"
SECRET = "a-webhook-secret-for-the-benchmark"


def _app() -> AppSettings:
    made = stand_ins()[PROVIDER](setup_url="http://127.0.0.1/", callback_url="http://127.0.0.1/").registration("")
    return AppSettings(
        provider=PROVIDER,
        client_id="bench",
        client_secret=Secret(made["client_secret"]),
        private_key=Secret(made["private_key"] or ""),
        webhook_secrets=(Secret(SECRET),),
        settings=made["settings"],
    )


APP = _app()


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
    return [Sample(kind=kind, body=body, signature=sign(body)) for kind, body in pairs]


def sign(body: bytes) -> str:
    """Return the signature header of a body."""
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
