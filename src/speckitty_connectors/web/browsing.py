"""One request of a browser in which somebody is signed in: a page with a button, or a step of a conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from attrs import frozen

from ..conversations.visitors import Callback, Visitor
from ..installations.steps import Step
from . import forms, pages
from .forms import Environ
from .pages import Page, Present

if TYPE_CHECKING:
    from ..connectors import Connectors

ANOTHER_SITE = ("Another site sent this", "Begin from your workspace.")


@frozen(kw_only=True)
class Browsing:
    """Answers one request of a visitor.

    Attributes:
        connectors: what the pages are for.
        present: shows a step of a conversation.
        environ: the request.
        visitor: who sent it.
    """

    connectors: Connectors
    present: Present
    environ: Environ
    visitor: Visitor

    def answer(self, parts: Sequence[str]) -> Page:
        """Return the page at a path, given by its parts.

        Raises:
            ConnectorsError: what was asked is refused, or can't be done now.
        """
        if self.environ["REQUEST_METHOD"] == "POST":
            if forms.is_from_another_site(self.environ, self.connectors.settings.public_url):
                return pages.html(HTTPStatus.FORBIDDEN, *ANOTHER_SITE)
            return self._act(parts, forms.read_form(self.environ))
        if parts[0] != "callback":
            return self._ask(parts[0], parts[1])
        pairs = forms.read_pairs(str(self.environ.get("QUERY_STRING", "")))
        if len(dict(pairs)) != len(pairs):
            return pages.html(
                HTTPStatus.BAD_REQUEST, "A parameter appears twice", "Start again from your workspace."
            )
        return self._come_back(parts[1], parts[2], dict(pairs))

    def _ask(self, purpose: str, subject: str) -> Page:
        """Let a person begin by a button of their own: a link on another site must not begin it for them."""
        hosts: tuple[str, ...] = ()
        if purpose == "connect":
            hosts = self.connectors.onboarding.hosts(workspace=self.visitor.workspace, provider=subject)
            if not hosts:
                return pages.html(HTTPStatus.NOT_FOUND, "This provider can't be connected here")
        return pages.beginning(purpose, hosts, token=forms.form_token(self.visitor))

    def _come_back(self, provider: str, host: str, parameters: Mapping[str, str]) -> Page:
        """Continue the conversation that a browser comes back with; who comes without one is asked first."""
        if parameters and "state" not in parameters:
            return pages.claiming(parameters, token=forms.form_token(self.visitor))
        address = f"{self.connectors.settings.public_url}{quote(str(self.environ.get('PATH_INFO', '')))}"
        callback = Callback(provider=provider, host=host, parameters=parameters, address=address)
        links = self.connectors.links
        service = links if links.owns(parameters.get("state", "")) else self.connectors.onboarding
        return self.present(service.complete(visitor=self.visitor, callback=callback))

    def _act(self, parts: Sequence[str], pairs: forms.Pairs) -> Page:
        """Do what a button was for; only one of our own pages can begin something."""
        self.connectors.store.check_writing()
        form = dict(pairs)
        if parts[0] == "callback" and "state" in form:  # it is as secret as the token, and good for one use
            accounts = tuple(value for name, value in pairs if name == "account")
            choose = self.connectors.onboarding.choose
            return self.present(choose(visitor=self.visitor, state=form["state"], account_ids=accounts))
        if not forms.has_token(form, self.visitor):
            return pages.html(HTTPStatus.FORBIDDEN, *ANOTHER_SITE)
        del form[forms.TOKEN_FIELD]
        return self.present(self._begun(parts, form))

    def _begun(self, parts: Sequence[str], form: Mapping[str, str]) -> Step:
        onboarding, visitor = self.connectors.onboarding, self.visitor
        match parts:
            case ["callback", provider, host]:
                callback = Callback(provider=provider, host=host, parameters=form)
                return onboarding.claim(visitor=visitor, callback=callback)
            case ["connect", provider]:
                return onboarding.begin(visitor=visitor, provider=provider, host=form.get("host") or None)
            case ["reauthorise", installation]:
                return onboarding.reauthorise(visitor=visitor, installation_id=installation)
        take_over = "take_over" in form
        return self.connectors.links.begin(visitor=visitor, installation_id=parts[1], take_over=take_over)
