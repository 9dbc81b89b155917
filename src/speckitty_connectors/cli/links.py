"""`links` and `members`: who members are on the provider's side."""

from __future__ import annotations

import click

from ..links.types import UserLink
from ..providers.accounts import ExternalIdentity
from .installations import OPERATOR_ACTOR
from .operator import Operator, as_json, show

COLUMNS = ("id", "installation", "member", "identity", "status", "reason", "has_token")


@click.group()
def links() -> None:
    """Look after members' own identities."""


@links.command(name="list")
@click.argument("workspace")
@click.option("--installation", default=None, help="Only those under this installation.")
@click.option("--member", default=None, help="Only those of this member.")
@as_json
@click.pass_obj
def list_links(
    operator: Operator, *, workspace: str, installation: str | None, member: str | None, as_json: bool
) -> None:
    """List the links of a workspace."""
    with operator.connectors() as connectors:
        found = connectors.links.list(workspace=workspace, installation_id=installation, member=member)
    rows = [_row(each) for each in found]
    show(rows, COLUMNS, as_json=as_json, nothing=f"nobody is linked in the workspace {workspace}")


@links.command()
@click.argument("workspace")
@click.argument("link")
@click.option("--reason", default="", help="Why, for the audit and for the member.")
@as_json
@click.pass_obj
def revoke(operator: Operator, *, workspace: str, link: str, reason: str, as_json: bool) -> None:
    """End LINK: forget its grant, and ask the provider to take the grant back."""
    with operator.connectors() as connectors:
        ended = connectors.links.revoke(workspace=workspace, link_id=link, actor=OPERATOR_ACTOR, reason=reason)
    row = {**_row(ended.link), "grant_at_provider": ended.revocation.value}
    show([row], (*COLUMNS, "grant_at_provider"), as_json=as_json, nothing="")


@links.command()
@click.argument("workspace")
@click.argument("installation")
@click.argument("member")
@click.option("--identity", default="", help="The provider's immutable id of the person; else what was suggested.")
@click.option("--name", default="", help="What the provider calls them; a label.")
@as_json
@click.pass_obj
def confirm(
    operator: Operator,
    *,
    workspace: str,
    installation: str,
    member: str,
    identity: str,
    name: str,
    as_json: bool,
) -> None:
    """Say who MEMBER is under INSTALLATION, without a token of theirs."""
    with operator.connectors() as connectors:
        made = connectors.links.confirm(
            workspace=workspace,
            installation_id=installation,
            member=member,
            identity=ExternalIdentity(id=identity, name=name) if identity else None,
            actor=OPERATOR_ACTOR,
        )
    show([_row(made)], COLUMNS, as_json=as_json, nothing="")


@click.group()
def members() -> None:
    """Look after members who leave."""


@members.command()
@click.argument("workspace")
@click.argument("member")
@click.option("--reason", default="left", show_default=True, help="Why, for the audit.")
@as_json
@click.pass_obj
def offboard(operator: Operator, *, workspace: str, member: str, reason: str, as_json: bool) -> None:
    """End all links of MEMBER, and list the installations to hand over."""
    with operator.connectors() as connectors:
        left = connectors.members.offboard(workspace=workspace, member=member, actor=OPERATOR_ACTOR, reason=reason)
        rows = [{"what": "link", "id": each.link.id, "became": each.revocation.value} for each in left.links]
        rows += [
            {"what": "installation", "id": each.id, "became": f"hand over at {connectors.reauthorise_url(each)}"}
            for each in left.hand_over
        ]
    show(rows, ("what", "id", "became"), as_json=as_json, nothing=f"nothing hangs on {member}")


def _row(link: UserLink) -> dict[str, object]:
    return {
        "id": link.id,
        "installation": link.installation_id,
        "member": link.member,
        "identity": link.external_name or link.external_id,
        "status": link.status.value,
        "reason": link.status_reason,
        "has_token": bool(link.credential_id),
    }
