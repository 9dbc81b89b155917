"""The JSON documents of requests, in which secrets are written on the wire and nowhere else."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec


@runtime_checkable
class Hidden(Protocol):
    """A secret that shows itself nowhere; in a document it is written on the wire, and only there."""

    def reveal(self) -> str:
        """Return the text."""
        ...


def _on_the_wire(value: object) -> str:
    if isinstance(value, Hidden):
        return value.reveal()
    raise TypeError(f"a document can't hold a {type(value).__name__}")


_encode = msgspec.json.Encoder(enc_hook=_on_the_wire).encode


def write_document(document: object) -> bytes:
    """Return a document as it is sent.

    >>> write_document({"id": 7})
    b'{"id":7}'

    Raises:
        TypeError: it holds something that JSON can't.
    """
    return _encode(document)
