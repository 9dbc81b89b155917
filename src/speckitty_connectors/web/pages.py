"""The plain pages of the application; a host shows its own by passing `present`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from http import HTTPStatus

from attrs import evolve, frozen

from ..conversations.steps import PickAccount, SendBrowser
from ..errors import ConnectorsError, StoreUnavailableError, TextRefusedError
from ..inbox.responses import RETRY_AFTER_SECONDS, DeliveryRefusedError
from ..installations.steps import Done, Step, Waiting
from ..links.types import LinkDone
from .forms import TOKEN_FIELD

SAFE_HEADERS = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))
"""A callback's URL carries one-time values: no cache may see them."""

NO_REFERRER = ("Referrer-Policy", "no-referrer")
"""Nor may the next site see them."""

OWN_REFERRER = ("Referrer-Policy", "same-origin")
"""For pages with a form: with `NO_REFERRER` the browser would call its origin ``null`` (Fetch, "Origin header")."""

POLICY = "Content-Security-Policy"

NOBODY = "'none'"
"""The source that no page has (Content Security Policy Level 3, "frame-ancestors")."""

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


def refusal(error: ConnectorsError) -> Page:
    """Return a page that says what happened and what to do next."""
    match error:
        case StoreUnavailableError():  # its own words are for the operator
            page = html(
                HTTPStatus.SERVICE_UNAVAILABLE, "This can't be done at the moment", "Try again in a minute."
            )
            return evolve(page, headers=(*page.headers, ("Retry-After", str(RETRY_AFTER_SECONDS))))
        case DeliveryRefusedError():
            return html(error.status, error.what)
        case TextRefusedError():
            return html(HTTPStatus.BAD_REQUEST, error.what, error.remedy)
    return html(HTTPStatus.FORBIDDEN, error.what, error.remedy)


def framing(ancestors: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Return the headers that say who may show a page in a frame, so that nobody is led to press its button unseen.

    They are Content Security Policy's, and X-Frame-Options for browsers that don't know it.

    >>> framing(["https://app.example"])
    [('Content-Security-Policy', 'frame-ancestors https://app.example')]

    Args:
        ancestors: the origins whose pages may; nobody's where it is empty.
    """
    policy = [(POLICY, f"frame-ancestors {' '.join(ancestors) or NOBODY}")]
    return policy if ancestors else [*policy, ("X-Frame-Options", "DENY")]


def redirect(url: str) -> Page:
    """Return a redirect after a GET or a form."""
    return Page(status=HTTPStatus.SEE_OTHER, headers=(("Location", url), *SAFE_HEADERS, NO_REFERRER), body=b"")


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


def beginning(purpose: str, hosts: Sequence[str], *, token: str) -> Page:
    """Ask whether to begin, and at which host where there are several."""
    title, button = BEGINNINGS[purpose]
    options = "".join(
        f'<p><label><input type="radio" name="host" value="{escape(host)}"> {escape(host)}</label></p>'
        for host in (hosts if len(hosts) > 1 else ())
    )
    if purpose == "link":
        options += TAKE_OVER
    return _form(title, options, button, {TOKEN_FIELD: token})


def claiming(parameters: Mapping[str, str], *, token: str) -> Page:
    """Ask somebody who comes from the provider's own pages whether to connect what they installed there."""
    question = "<p>You come from the provider. What is yours there is connected once you agreed there.</p>"
    title, button = BEGINNINGS["connect"]
    return _form(title, question, button, {**parameters, TOKEN_FIELD: token})


def _choice(step: PickAccount) -> Page:
    kind = "checkbox" if step.several else "radio"
    options = "".join(
        f'<p><label><input type="{kind}" name="account" value="{escape(account.id)}"> '
        f"{escape(account.name)}</label></p>"
        for account in step.accounts
    )
    return _form("Choose", options, "Connect", {"state": step.state})


def _form(title: str, content: str, button: str, hidden: Mapping[str, str]) -> Page:
    fields = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in hidden.items()
    )
    form = f'<form method="post">{content}{fields}<button>{button}</button></form>'
    return _page(HTTPStatus.OK, title, form, OWN_REFERRER)


def _page(status: int, title: str, content: str, referrer: tuple[str, str] = NO_REFERRER) -> Page:
    document = f"<!doctype html><meta charset=utf-8><title>{escape(title)}</title><h1>{escape(title)}</h1>{content}"
    headers = (("Content-Type", "text/html; charset=utf-8"), *SAFE_HEADERS, referrer)
    return Page(status=status, headers=headers, body=document.encode())
