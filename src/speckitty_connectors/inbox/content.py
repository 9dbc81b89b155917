"""The body of a delivery: a JSON document, or a form that may hold one."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec
from attrs import field, frozen

from .refusals import DocumentRefusedError

FORM = "application/x-www-form-urlencoded"

MAXIMUM_FORM_FIELDS = 1000
"""Far more than any provider sends; without a limit, 200 000 empty fields cost a quarter of a second."""

Members = Mapping[str, msgspec.Raw]
"""The members of a JSON object, their values not decoded."""

_read_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_text = msgspec.json.Decoder(str).decode


@frozen(kw_only=True)
class Content:
    """What a verified body holds.

    Attributes:
        document: the JSON document as bytes; empty for a form without one.
        fields: the other fields of a form.

    >>> read_content(FORM, b"command=%2Fdeploy&text=now", form_field="payload").fields["text"]
    'now'
    """

    document: bytes = b""
    fields: Mapping[str, str] = field(factory=dict)


def read_content(media_type: str, body: bytes, *, form_field: str) -> Content:
    """Return what the body holds; the JSON document itself isn't looked at.

    Args:
        media_type: ``application/x-www-form-urlencoded`` for a form, anything else for JSON.
        body: the raw body, already verified.
        form_field: field of a form that holds the document, or empty where forms have only fields.

    Raises:
        DocumentRefusedError: a form with a field twice, too many fields, or bytes that aren't a form.
    """
    if media_type != FORM:
        return Content(document=body)
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MAXIMUM_FORM_FIELDS,
        )
    except ValueError:
        raise DocumentRefusedError("the body isn't a form, or has too many fields") from None
    fields = dict(pairs)
    if not fields or len(fields) != len(pairs) or fields.get(form_field) == "":
        raise DocumentRefusedError("the form is empty, or has a field twice")
    return Content(document=fields.pop(form_field, "").encode(), fields=fields)


def read_members(document: bytes) -> Members:
    """Return the members of a JSON object; every byte of it is checked, no value is decoded.

    Raises:
        DocumentRefusedError: it isn't a JSON object in UTF-8, or nests too deep to be decoded here.
    """
    try:
        document.decode()
        return _read_members(document)
    except (UnicodeDecodeError, msgspec.MsgspecError):
        raise DocumentRefusedError("the body isn't a JSON object in UTF-8") from None
    except RecursionError:
        raise DocumentRefusedError("the JSON document nests too deep") from None


def text_of(members: Members, name: str) -> str:
    """Return a member that is a string, else an empty one.

    >>> text_of(read_members(b'{"event_id": "Ev1", "attempt": 2}'), "attempt")
    ''
    """
    if name not in members:
        return ""
    try:
        return _read_text(members[name])
    except msgspec.MsgspecError:
        return ""
