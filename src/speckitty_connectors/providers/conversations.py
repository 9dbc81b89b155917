"""The conversation in which an account is connected or a person linked: what is asked, what is answered.

A plugin answers one step at a time and keeps nothing. Core makes and consumes the state, speaks OAuth, seals
tokens and calls the plugin again with what came back.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from .accounts import Account, App, ExternalIdentity
from .api import ApiSession


@frozen(kw_only=True)
class Grant:
    """What a person just granted, without its tokens.

    Attributes:
        scopes: granted scopes as the provider listed them.
        details: the token response's fields that the manifest asked to keep (Slack: ``team``, ``enterprise``).
        claims: what the identity token says, proved by core; empty where the manifest has no rules for one.
        session: speaks to the API in the name of this grant.

    >>> Grant(scopes=("read:user",), session=None).details
    {}
    """

    scopes: tuple[str, ...]
    session: ApiSession | None
    details: Mapping[str, object] = field(factory=dict)
    claims: Mapping[str, object] = field(factory=dict)


@frozen(kw_only=True)
class PendingApproval:
    """A request that waits for an owner on the provider's side, while core asks how it stands there.

    Attributes:
        session: speaks as the app where it can, else with the requester's grant.
        requester: who asked, proven by a grant at the time, or None.
        account: what was asked for, or None where unknown.

    >>> PendingApproval(session=None, requester=ExternalIdentity(id="1")).account is None
    True
    """

    session: ApiSession | None
    requester: ExternalIdentity | None = None
    account: Account | None = None


@frozen(kw_only=True)
class Conversation:
    """One step of connecting an account (`install`) or a person (`link_user`).

    Attributes:
        app: the app registered with the host.
        state: opaque value that a `Redirect` must carry in its URL, so that the landing finds its way back.
        parameters: what the browser brought back, each parameter at most once; empty at the first step.
        remembered: what the plugin's previous answer asked to keep.
        grant: the grant, once core exchanged a code; else None.
        choice: ids picked from the previous `ChooseAccount`; else empty.
        pending: the request that core asks about, with nobody at a browser; else None.
        account: the account that a person is linked under, or that is authorised again; None where any may come.

    >>> from speckitty_connectors.providers.accounts import App, BaseUrls
    >>> app = App(provider="acme", host="acme.example", client_id="c",
    ...           urls=BaseUrls(web="https://acme.example", api="https://api.acme.example"))
    >>> Conversation(app=app, state="s").parameters
    {}
    """

    app: App
    state: str
    parameters: Mapping[str, str] = field(factory=dict)
    remembered: Mapping[str, str] = field(factory=dict)
    grant: Grant | None = None
    choice: tuple[str, ...] = ()
    pending: PendingApproval | None = None
    account: Account | None = None


@frozen(kw_only=True)
class Redirect:
    """Send the browser to a page of the provider; it comes back with `Conversation.state`.

    >>> Redirect(url="https://github.com/apps/kitty/installations/new?state=s").remember
    {}
    """

    url: str
    remember: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class Authorize:
    """Run the manifest's OAuth flow, then ask again with the grant.

    Attributes:
        remember: what the plugin wants to see again in `Conversation.remembered`.
        parameters: further parameters of the authorisation request.

    >>> Authorize(remember={"installation_id": "42"}).parameters
    {}
    """

    remember: Mapping[str, str] = field(factory=dict)
    parameters: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class ChooseAccount:
    """The grant reaches several accounts: a person picks among them.

    Attributes:
        accounts: what there is to choose from.
        several: whether more than one may be picked, each becoming an installation.

    >>> ChooseAccount(accounts=(Account(id="1", name="site"),)).several
    False
    """

    accounts: tuple[Account, ...]
    several: bool = False
    remember: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class AwaitApproval:
    """An owner on the provider's side must agree first.

    Attributes:
        requester: who asked, proven by a grant, or None where the provider didn't let us know.
        account: the account asked for, or None where unknown.

    >>> AwaitApproval(requester=ExternalIdentity(id="1", name="octocat")).account is None
    True
    """

    requester: ExternalIdentity | None = None
    account: Account | None = None


@frozen(kw_only=True)
class Connected:
    """Control over these accounts is proven; each becomes an installation.

    Attributes:
        accounts: the accounts.
        installation: the provider's own id of the installation, or empty where it has none.
        scopes: what is granted, as the provider names it.
        connected_by: who proved control.

    >>> Connected(accounts=(Account(id="6811672", name="octo-org"),), installation="42").scopes
    ()
    """

    accounts: tuple[Account, ...]
    installation: str = ""
    scopes: tuple[str, ...] = ()
    connected_by: ExternalIdentity | None = None


@frozen(kw_only=True)
class Linked:
    """The person is known.

    >>> Linked(identity=ExternalIdentity(id="1", name="octocat")).identity.id
    '1'
    """

    identity: ExternalIdentity


@frozen(kw_only=True)
class Refused:
    """It can't be done, and why.

    Attributes:
        code: stable word, for example ``not_an_owner``.
        reason: one sentence for the person.
        remedy: what they can do next.

    >>> Refused(code="denied", reason="You declined.", remedy="Start again and accept.").code
    'denied'
    """

    code: str
    reason: str
    remedy: str


InstallAnswer = Redirect | Authorize | ChooseAccount | AwaitApproval | Connected | Refused
"""What `install` may answer."""

LinkAnswer = Redirect | Authorize | Linked | Refused
"""What `link_user` may answer."""


def refused_by_landing(parameters: Mapping[str, str], *, title: str) -> Refused | None:
    """Return the refusal that the browser brought back from an authorisation page, or None.

    It is the parameter ``error``, ``access_denied`` where the person declined (RFC 6749, section 4.1.2.1).

    >>> refused_by_landing({"error": "access_denied"}, title="Acme").reason
    'You declined on Acme.'
    """
    error = parameters.get("error", "")
    if not error:
        return None
    if error == "access_denied":
        return Refused(
            code="denied", reason=f"You declined on {title}.", remedy="Start again and authorise the app."
        )
    return Refused(
        code="authorization_failed",
        reason=f"{title} didn't authorise the app.",
        remedy=f"Start again; if it happens again, an operator should check the app's callback URL on {title}.",
    )
