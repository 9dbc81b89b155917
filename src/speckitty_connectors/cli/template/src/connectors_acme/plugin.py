"""The plugin: connects accounts, lists boards, and says what happens on them."""

from collections.abc import Iterator

import msgspec
from speckitty_connectors.plugin import (
    Account,
    Authorize,
    Connected,
    Conversation,
    Delivery,
    Event,
    Ignored,
    InstallAnswer,
    Listing,
    Outcome,
    Refused,
    Resource,
    ResourcePage,
    ResourceReference,
    hookimpl,
    read_answer,
    read_identifier,
    read_text,
)

from .manifest import BOARD, MANIFEST

manifest = MANIFEST


class Board(msgspec.Struct):
    """A board as the API lists it."""

    id: int
    name: str


class Document(msgspec.Struct):
    """The body of a delivery; a field that isn't what it should be counts as absent."""

    action: object = None
    board: object = None


@hookimpl
def install(conversation: Conversation) -> InstallAnswer:
    """Connect the account that the token answer names."""
    if conversation.grant is None:
        return Authorize()
    account = conversation.grant.details.get("account")
    named = account if isinstance(account, dict) else {}
    identifier = read_identifier(named.get("id"))
    if not identifier:
        return Refused(
            code="no_account",
            reason="The sign-in names no account.",
            remedy="Sign in to an account that has boards, and try again.",
        )
    return Connected(
        accounts=(Account(id=identifier, name=read_text(named.get("name"))),),
        scopes=conversation.grant.scopes,
    )


@hookimpl
def list_resources(listing: Listing) -> Iterator[ResourcePage]:
    """Yield the pages of boards; the cursor is the link to the next one."""
    url, parameters = "/boards", {"limit": str(listing.page_size)}
    if listing.cursor:
        url, parameters = listing.cursor, {}
    while url:
        answer = listing.session.get(url, parameters=parameters)
        boards = read_answer(answer, list[Board])
        url, parameters = answer.next_link, {}
        yield ResourcePage(
            resources=tuple(Resource(kind=BOARD, id=str(board.id), key=board.name) for board in boards),
            cursor=url,
        )


@hookimpl
def route_event(delivery: Delivery) -> Outcome:
    """Say what happened on which board; whatever names no board is ignored."""
    try:
        document = msgspec.json.decode(delivery.content, type=Document)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return Ignored(reason="it isn't a JSON object")
    board = document.board if isinstance(document.board, dict) else {}
    identifier = read_identifier(board.get("id"))
    if not identifier:
        return Ignored(reason="it names no board")
    return Event(
        kind=delivery.kind,
        action=read_text(document.action),
        resources=(ResourceReference(kind=BOARD, id=identifier, key=read_text(board.get("name"))),),
    )
