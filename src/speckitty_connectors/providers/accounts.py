"""Who is on the provider's side: accounts, people, and the app we registered there."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from attrs import field, frozen


@frozen(kw_only=True)
class Account:
    """A provider-side boundary that a workspace connects to: organization, group, site or workspace.

    The identity is (provider, host, `id`); provider and host come from the app in whose name one asked.

    Attributes:
        id: the provider's immutable id, as text.
        name: what a person calls it today; a label, never an identity.
        kind: the provider's word for it, for example ``organization``.
        url: a page about it, or empty; deliveries without the id are told apart by it.

    >>> Account(id="6811672", name="octo-org", kind="organization").name
    'octo-org'
    """

    id: str
    name: str = ""
    kind: str = ""
    url: str = ""


@frozen(kw_only=True)
class ExternalIdentity:
    """A person (or bot) as the provider knows them.

    Attributes:
        id: the provider's immutable id, as text.
        name: the login or display name of today.
        kind: the provider's word, for example ``User`` or ``Bot``.

    >>> ExternalIdentity(id="1", name="octocat").id
    '1'
    """

    id: str
    name: str = ""
    kind: str = ""


@frozen(kw_only=True)
class BaseUrls:
    """Where one provider host is reached.

    Attributes:
        web: origin (and relative root) of pages and OAuth endpoints, without a trailing slash.
        api: root of the API, without a trailing slash.
        account_api: where each account has a root of its own, a template over ``{account}``, the account's id; else
            empty. Sessions of an installation start there, those of a fresh grant at `api`.

    >>> BaseUrls(web="https://github.com", api="https://api.github.com").api_of("42")
    'https://api.github.com'
    >>> BaseUrls(web="https://acme.example", api="https://api.acme.example",
    ...          account_api="https://api.acme.example/spaces/{account}").api_of("kitchen/1")
    'https://api.acme.example/spaces/kitchen%2F1'
    """

    web: str
    api: str
    account_api: str = ""

    def api_of(self, account_id: str) -> str:
        """Return the root of the API for an account."""
        return self.account_api.replace("{account}", quote(account_id, safe="")) or self.api

    def fill(self, template: str) -> str:
        """Return a URL from a template over ``{web}`` and ``{api}``.

        >>> BaseUrls(web="https://acme.example", api="https://api.acme.example").fill("{web}/oauth")
        'https://acme.example/oauth'
        """
        return template.replace("{web}", self.web).replace("{api}", self.api)


@frozen(kw_only=True)
class App:
    """What a plugin may know of the app that the operator registered with one provider host: nothing secret.

    Attributes:
        provider: provider key.
        host: the host's name, for example ``github.com``.
        client_id: the OAuth client id.
        urls: base URLs of that host.
        self_managed: whether the host is not the provider's own.
        settings: further public values of the registration, named by the manifest (GitHub: ``slug``).

    >>> app = App(provider="github", host="github.com", client_id="Iv1.x",
    ...           urls=BaseUrls(web="https://github.com", api="https://api.github.com"))
    >>> app.self_managed
    False
    """

    provider: str
    host: str
    client_id: str
    urls: BaseUrls
    self_managed: bool = False
    settings: Mapping[str, str] = field(factory=dict)
