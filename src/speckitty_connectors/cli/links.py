"""`links`: who members are on the provider's side."""

from __future__ import annotations

import click

from ..connectors import Connectors
from ..links.types import UserLink
from ..providers.accounts import ExternalIdentity
from .arguments import actor, in_workspace, reason
from .printing import Row, prints_rows, row


@click.group()
def links() -> None:
    """Manage the identities of members at providers."""


@links.command(name="list")
@in_workspace()
@click.option("--installation", "installation_id", default=None, help="Only those under this installation.")
@click.option("--member", default=None, help="Only those of this member.")
@prints_rows("nobody is linked in the workspace {workspace}")
def list_links(
    connectors: Connectors, /, *, workspace: str, installation_id: str | None, member: str | None
) -> list[Row]:
    """List the links of a workspace."""
    found = connectors.links.list(workspace=workspace, installation_id=installation_id, member=member)
    return [_row(each) for each in found]


@links.command()
@in_workspace("link")
@reason
@actor
@prints_rows("")
def revoke(connectors: Connectors, /, **given: str) -> list[Row]:
    """Revoke LINK and its grant. The provider is asked to revoke the grant, too, where it can."""
    ended = connectors.links.revoke(**given)
    return [{**_row(ended.link), "grant_at_provider": ended.revocation.value}]


@links.command()
@in_workspace("installation")
@click.argument("member")
@click.option("--identity", default="", help="The provider's immutable id of the person; else what was suggested.")
@click.option("--name", default="", help="What the provider calls them; a label.")
@actor
@prints_rows("")
def confirm(connectors: Connectors, /, *, identity: str, name: str, **given: str) -> list[Row]:
    """Confirm who MEMBER is, without a token of theirs."""
    known = ExternalIdentity(id=identity, name=name) if identity else None
    return [_row(connectors.links.confirm(identity=known, **given))]


def _row(link: UserLink) -> Row:
    return row(
        link,
        "id installation member identity status reason has_token",
        installation=link.installation_id,
        identity=link.external_name or link.external_id,
        reason=link.status_reason,
        has_token=bool(link.credential_id),
    )
