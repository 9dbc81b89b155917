"""`send`: post recorded deliveries, signed as the provider would sign them."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click

from ..contract.recordings import Recording, read_recordings
from ..credentials.secret import Secret
from ..errors import ConfigurationError
from ..identifiers import utc_now
from ..inbox.responses import RETRY_AFTER_SECONDS
from ..inbox.signing import sign
from ..loading.registry import Registry
from ..providers.manifest import Manifest
from .http import PlainAnswer, post
from .printing import Row, as_json, show

UNEXPECTED_ANSWER = 3
"""Exit code where an answer wasn't the expected one."""

TRIES = 5
"""How often a delivery is sent while the answer is 503."""


@click.command()
@click.argument("provider")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--url", required=True, help="The webhook URL that `serve` prints.")
@click.option("--secret-env", required=True, help="Environment variable with the webhook secret.")
@click.option("--scheme", default=None, help="Signature scheme by its name in the manifest; else the strongest.")
@click.option("--kind", default=None, help="Event kind, where no index.json beside the file says it.")
@click.option("--tamper", is_flag=True, help="Break each body after signing it, so that all are refused.")
@as_json
def send(
    *, provider: str, path: Path, url: str, secret_env: str, tamper: bool, as_json: bool, **given: Any
) -> None:
    """Sign recorded deliveries, and send them.

    They are signed as PROVIDER would, and posted to a receiver. PATH is a file or a folder. The delivery id depends
    on the recording alone, so that sending twice is a re-delivery. An answer of 503 asks for another try, and gets
    one a second later, a few times.
    """
    manifest = Registry().provider(provider).manifest
    secret = _secret(secret_env)
    rows: list[Row] = []
    statuses = []
    for recording in read_recordings(path):
        headers = signed_headers(manifest, recording, secret, **given)
        body = tampered(recording.body) if tamper else recording.body
        answer = _deliver(url, headers, body)
        rows.append({"recording": recording.name, "status": answer.status, "answer": answer.code})
        statuses.append(answer.status)
    show(rows, as_json=as_json, nothing="nothing was sent")
    counts = ", ".join(f"{count} x {status}" for status, count in sorted(Counter(statuses).items()))
    click.echo(f"{len(rows)} sent: {counts}", err=True)
    if any((200 <= status < 300) is tamper for status in statuses):
        raise click.exceptions.Exit(UNEXPECTED_ANSWER)


def _deliver(url: str, headers: Mapping[str, str], body: bytes) -> PlainAnswer:
    """Post a delivery as long as the receiver asks for another try."""
    for _ in range(TRIES - 1):
        answer = post(url, headers=headers, body=body)
        if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
            return answer
        time.sleep(RETRY_AFTER_SECONDS)
    return post(url, headers=headers, body=body)


def signed_headers(
    manifest: Manifest,
    recording: Recording,
    secret: Secret,
    *,
    scheme: str | None = None,
    kind: str | None = None,
    delivery_id: str = "",
) -> dict[str, str]:
    """Return the headers with which the provider would deliver this recording."""
    rules = manifest.webhooks
    headers = {"Content-Type": rules.content_types[0], **recording.headers}
    if rules.delivery_id_header:
        headers[rules.delivery_id_header] = delivery_id or id_of(manifest.provider, recording)
    if kind and rules.kind_header:
        headers[rules.kind_header] = kind
    chosen = rules.schemes.get(scheme) if scheme else next(iter(rules.schemes.values()))
    if chosen is None:
        raise click.UsageError(f"{manifest.title} has no scheme {scheme!r}; it has: {', '.join(rules.schemes)}")
    return {**headers, **sign(chosen, secret, recording.body, now=utc_now(), headers=headers)}


def id_of(provider: str, recording: Recording) -> str:
    """Return an id that is the same whenever this recording is sent."""
    digest = hashlib.sha256(recording.body).hexdigest()
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{provider}/{recording.name}/{digest}"))


def tampered(body: bytes) -> bytes:
    """Return the body with one bit flipped in its middle."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :] if body else b"{}"


def _secret(variable: str) -> Secret:
    value = os.environ.get(variable, "")
    if not value:
        raise ConfigurationError(
            f"the environment variable {variable} is empty",
            subject="send",
            remedy="export the webhook secret in it",
        )
    return Secret(value)
