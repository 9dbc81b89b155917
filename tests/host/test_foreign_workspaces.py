"""What a workspace asks of another one's installations and links is answered as if they weren't there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from speckitty_connectors import Callback, Connectors, ExternalIdentity, NotFoundError
from speckitty_connectors.links.types import LinkDone
from testbed.office import Office, open_office, who

EVE = who("eve", "w2")
Ask = Callable[[Connectors, str, str], object]

ASKED: dict[str, Ask] = {
    "installation": lambda ours, made, _: ours.installation("w2", made),
    "reauthorise": lambda ours, made, _: ours.onboarding.reauthorise(visitor=EVE, installation_id=made),
    "check_now": lambda ours, made, _: ours.onboarding.check_now(visitor=EVE, installation_id=made),
    "remove": lambda ours, made, _: ours.onboarding.remove(
        workspace="w2", installation_id=made, actor="member:eve"
    ),
    "sync": lambda ours, made, _: ours.inventory.sync("w2", made),
    "resources": lambda ours, made, _: ours.inventory.resources("w2", made),
    "begin": lambda ours, made, _: ours.links.begin(visitor=EVE, installation_id=made),
    "suggest": lambda ours, made, _: ours.links.suggest(
        workspace="w2", installation_id=made, member="eve", identity=ExternalIdentity(id="u1"), actor="member:eve"
    ),
    "confirm": lambda ours, made, _: ours.links.confirm(
        workspace="w2", installation_id=made, member="eve", identity=ExternalIdentity(id="u1"), actor="member:eve"
    ),
    "act_as": lambda ours, made, _: ours.links.act_as(workspace="w2", installation_id=made, member="eve"),
    "revoke": lambda ours, _, link: ours.links.revoke(workspace="w2", link_id=link, actor="member:eve"),
}
"""What can be asked of a thing by its id."""


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    """A host that mona of w1 connected."""
    with open_office(database_url) as opened:
        yield opened


@pytest.mark.parametrize("asked", ASKED)
def test_a_foreign_id_is_as_good_as_a_missing_one(office: Office, asked: str) -> None:
    """The same error, letter by letter but for the id, and nothing changes for whom it belongs to."""
    made = office.connect()
    sent = office.connectors.links.begin(visitor=who(), installation_id=made.id)
    done = office.connectors.links.complete(
        visitor=who(),
        callback=Callback(provider="fake", host=office.host, parameters=office.server.approve(sent.url)),
    )
    assert isinstance(done, LinkDone)
    before = (office.now(made), office.connectors.links.list(workspace="w1"), office.verbs())
    texts = []
    for installation_id, link_id in ((made.id, done.link.id), ("missing", "missing")):
        with pytest.raises(NotFoundError) as caught:
            ASKED[asked](office.connectors, installation_id, link_id)
        texts.append(str(caught.value).replace(installation_id, "…").replace(link_id, "…"))
    assert texts[0] == texts[1]
    assert (office.now(made), office.connectors.links.list(workspace="w1"), office.verbs()) == before


def test_lists_of_another_workspace_are_empty(office: Office) -> None:
    """Neither installations nor links nor differences nor the audit; and offboarding touches nobody there."""
    made = office.connect()
    ours = office.connectors
    assert ours.installations("w2") == []
    assert ours.links.list(workspace="w2", installation_id=made.id) == ()
    assert ours.upkeep.check("w2") == ()
    assert ours.members.offboard(workspace="w2", member="mona", actor="member:eve").hand_over == ()
    assert [entry.verb for entry in ours.audit.find("w2")] == ["member.offboarded"]
    assert office.now(made) == made
