"""Requests that an operator makes by hand, to an address they typed: no credential, and no egress guard.

Only the command line uses this; everything that acts for a workspace goes through `http.session`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import requests
from attrs import frozen

from ..providers.api import ApiUnavailableError

TIMEOUT_SECONDS = 15.0


@frozen(kw_only=True)
class PlainAnswer:
    """An answer as a person would see it.

    >>> PlainAnswer(status=202, url="http://127.0.0.1:8000/", text="accepted").status
    202
    """

    status: int
    url: str
    text: str

    @property
    def code(self) -> str:
        """The `code` of a JSON answer, else the text itself."""
        try:
            return str(json.loads(self.text)["code"])
        except (ValueError, KeyError, TypeError):
            return self.text


def post(url: str, *, headers: Mapping[str, str], body: bytes) -> PlainAnswer:
    """Post a body and follow no redirect."""
    return _request("POST", url, headers=headers, data=body, allow_redirects=False)


def browse(url: str, *, cookies: Mapping[str, str]) -> PlainAnswer:
    """Open a page as a browser would, through every redirect."""
    return _request("GET", url, cookies=dict(cookies))


def _request(method: str, url: str, **given: Any) -> PlainAnswer:
    try:
        answer = requests.request(method, url, timeout=TIMEOUT_SECONDS, **given)
    except requests.RequestException as error:
        raise ApiUnavailableError(
            f"no answer ({type(error).__name__})",
            subject=url,
            remedy="check the address, and that something listens there",
        ) from None
    return PlainAnswer(status=answer.status_code, url=answer.url, text=answer.text)
