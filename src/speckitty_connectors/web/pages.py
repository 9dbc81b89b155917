"""The plain pages of the application; a host shows its own by passing `present`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from http import HTTPStatus

from attrs import frozen

from ..conversations.steps import PickAccount, SendBrowser
from ..errors import ConnectorsError
from ..installations.steps import Done, Step, Waiting
from ..links.types import LinkDone

SAFE_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
"""A callback's URL carries one-time values: neither caches nor the next site may see them."""


BEGINNINGS = {
    "connect": ("Connect an account", "Connect"),
    "reauthorise": ("Authorise the account again", "Authorise again"),
    "link": ("Link yourself", "Link"),
}
"""Title and button of the pages that begin something."""

TAKE_OVER = (
    '<p><label><input type="checkbox" name="take_over"> '
    "If another member is linked to who I am there, take it over: it is mine</label></p>"
)


@frozen(kw_only=True)
class Page:
    """An answer to a browser.

    Attributes:
        status: HTTP status.
        headers: names and values.
        body: the document.

    >>> Page(status=200, headers=(), body=b"").status
    200
    """

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


Present = Callable[[Step | LinkDone], Page]
"""Turns a step of a conversation into an answer."""


def html(status: int, title: str, *paragraphs: str) -> Page:
    """Return a page of text."""
    content = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    return _page(status, title, content)


def refusal(error: ConnectorsError, status: int = HTTPStatus.FORBIDDEN) -> Page:
    """Return a page that says what happened and what to do next."""
    return html(status, error.what, error.remedy)


def redirect(url: str) -> Page:
    """Return a redirect after a GET or a form."""
    return Page(status=HTTPStatus.SEE_OTHER, headers=(("Location", url), *SAFE_HEADERS), body=b"")


def present(step: Step | LinkDone) -> Page:
    """Show a step with the plainest page that does."""
    match step:
        case SendBrowser():
            return redirect(step.url)
        case PickAccount():
            return _choice(step)
        case Waiting():
            return html(HTTPStatus.OK, "Waiting for approval", step.reason, step.installation.next_step.text)
        case Done():
            names = ", ".join(installation.account_name for installation in step.installations)
            return html(HTTPStatus.OK, f"Connected: {names}", "You can close this page.")
        case LinkDone():
            return html(HTTPStatus.OK, f"You are {step.link.external_name}", "You can close this page.")


def beginning(purpose: str, hosts: Sequence[str]) -> Page:
    """Ask whether to begin, and at which host where there are several."""
    title, button = BEGINNINGS[purpose]
    options = "".join(
        f'<p><label><input type="radio" name="host" value="{escape(host)}"> {escape(host)}</label></p>'
        for host in (hosts if len(hosts) > 1 else ())
    )
    if purpose == "link":
        options += TAKE_OVER
    return _page(HTTPStatus.OK, title, f'<form method="post">{options}<button>{button}</button></form>')


def claiming(parameters: Mapping[str, str]) -> Page:
    """Ask somebody who comes from the provider's own pages whether to connect what they installed there."""
    kept = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in parameters.items()
    )
    question = "<p>You come from the provider. What is yours there is connected once you agreed there.</p>"
    title, button = BEGINNINGS["connect"]
    return _page(HTTPStatus.OK, title, f'<form method="post">{question}{kept}<button>{button}</button></form>')


def _choice(step: PickAccount) -> Page:
    kind = "checkbox" if step.several else "radio"
    options = "".join(
        f'<p><label><input type="{kind}" name="account" value="{escape(account.id)}"> '
        f"{escape(account.name)}</label></p>"
        for account in step.accounts
    )
    state = f'<input type="hidden" name="state" value="{escape(step.state)}">'
    return _page(HTTPStatus.OK, "Choose", f'<form method="post">{state}{options}<button>Connect</button></form>')


def _page(status: int, title: str, content: str) -> Page:
    document = f"<!doctype html><meta charset=utf-8><title>{escape(title)}</title><h1>{escape(title)}</h1>{content}"
    return Page(
        status=status, headers=(("Content-Type", "text/html; charset=utf-8"), *SAFE_HEADERS), body=document.encode()
    )
