"""The model notices the faults that were there before: each one is put back, and the model fails.

The letters are those of the faults: A, one refusal is a verdict; D, leaving takes others along; E, what was found
isn't mended; F, absence from one listing is believed; G, a refused part ends a listing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import speckitty_connectors_gitlab.listing as gitlab_listing
from speckitty_connectors.errors import ConnectorsError
from speckitty_connectors.installations import inventory
from speckitty_connectors.installations.removal import Removal
from speckitty_connectors.installations.statuses import InstallationStatus, StatusReason
from speckitty_connectors.installations.upkeep import Upkeep
from speckitty_connectors.resources.repository import mark_unseen
from speckitty_connectors.resources.types import Belief
from speckitty_connectors.standin import StandInRequest, StandInResponse
from testbed.played import PROVIDERS, Answer

from .test_passing_trouble import HOUR, Model, opened, try_out
from .weather import TOKENS, Trouble, Weather

pytestmark = pytest.mark.soak

SINCE = "2026-01-02T00:00:00Z"

Story = Callable[[Model], None]
PutBack = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture
def model_of(tmp_path: Path) -> Iterator[Callable[[str], Model]]:
    """Connects an installation of a provider, lists and maps it."""
    with ExitStack() as stack:
        yield lambda key: opened(stack, key, f"sqlite:///{tmp_path}/one.db")


def refused_for_an_hour(model: Model) -> None:
    """Refuse every request but those for tokens, as where the API doesn't know the tokens."""
    model.played.provider.answer = _behind_good_tokens(model, Trouble.UNAUTHORIZED)
    model.hour()
    try_out(model, [])


def shown_less(model: Model) -> None:
    """Show nothing for an hour, and less than there is for another one; each time all is well afterwards."""
    for trouble in (Trouble.EMPTY, Trouble.RIGHT, Trouble.SHORT, Trouble.RIGHT):
        model.played.provider.answer = _behind_good_tokens(model, trouble)
        model.hour()
        assert model.state()["mappings"] == model.before["mappings"]
    try_out(model, [])


def _behind_good_tokens(model: Model, trouble: Trouble) -> Answer:
    weather = Weather(troubles=[trouble], slack=model.played.key == "slack")
    return lambda request, well: well() if request.path.endswith(TOKENS) else weather(request, well)


def another_leaves(model: Model) -> None:
    """Let another workspace connect the same account, and leave."""
    model.played.remove(model.played.connect("w2"))
    try_out(model, [])


def suspended_in_silence(model: Model) -> None:
    """Let the app be suspended, and resumed later, without a delivery that tells so."""
    for suspended_at, status in ((SINCE, InstallationStatus.SUSPENDED), (None, InstallationStatus.ACTIVE)):
        model.played.provider.answer = _listing_app(model, suspended_at)
        model.played.advance(25 * HOUR)
        model.played.connectors.upkeep.run()
        assert model.played.installation(model.installation).status is status
    try_out(model, [])


def _listing_app(model: Model, suspended_at: str | None) -> Answer:
    """Answer as GitHub does where the app is installed once, suspended or not."""
    known = model.installation
    account = {"id": int(known.account_id), "login": known.account.name, "type": "Organization"}
    entry = {"id": int(known.provider_installation_id), "account": account, "suspended_at": suspended_at}

    def answer(request: StandInRequest, stand_in: Callable[[], StandInResponse]) -> StandInResponse:
        if suspended_at and request.path.endswith("/access_tokens"):
            return StandInResponse(status=403, document={"message": "This installation has been suspended"})
        is_list = request.path.endswith("/app/installations")
        return StandInResponse(document=[entry]) if is_list else stand_in()

    return answer


def a_part_refuses(model: Model) -> None:
    """Let a group in the group refuse to show what is in it; all else is listed."""

    def answer(request: StandInRequest, stand_in: Callable[[], StandInResponse]) -> StandInResponse:
        group, _, what = request.path.rpartition("/")
        is_inside = what == "subgroups" and not group.endswith(f"/{model.installation.account_id}")
        return StandInResponse(status=403, document={"message": "403 Forbidden"}) if is_inside else stand_in()

    model.played.provider.answer = answer
    found = model.played.sync(model.installation)
    assert found.listed == len(model.before["resources"])
    assert found.skipped
    try_out(model, [])


def a_refusal_is_a_verdict(patch: pytest.MonkeyPatch) -> None:
    """A: a refused listing asks for a person, for good."""
    set_status = inventory._set_status  # noqa: SLF001 - where the fault was

    def judge(connection: Any, known: Any, status: Any, reason: str, *rest: Any) -> None:
        refused = reason == StatusReason.ACCESS_REFUSED
        set_status(
            connection, known, InstallationStatus.NEEDS_REAUTHORISATION if refused else status, reason, *rest
        )

    patch.setattr(inventory, "_set_status", judge)


def leaving_takes_others_along(patch: pytest.MonkeyPatch) -> None:
    """D: what leaves looks at no other workspace."""
    plan = Removal._plan  # noqa: SLF001 - where the fault was
    patch.setattr(Removal, "_plan", lambda self, con, app, known, _, **how: plan(self, con, app, known, [], **how))


def found_but_not_mended(patch: pytest.MonkeyPatch) -> None:
    """E: upkeep doesn't follow a refused mint with a look at the installation."""
    patch.setattr(Upkeep, "_follow_lists", lambda *_: [])


def absence_is_believed(patch: pytest.MonkeyPatch) -> None:
    """F: what one listing doesn't show is missing, however much it is, and whatever is counted."""
    believing = Belief(interval=timedelta(0), share=1.0)
    patch.setattr(inventory, "mark_unseen", lambda *args, **how: mark_unseen(*args, **{**how, "belief": believing}))
    patch.setattr(inventory._Progress, "check_total", lambda _: None)  # noqa: SLF001 - the same


def a_part_ends_the_listing(patch: pytest.MonkeyPatch) -> None:
    """G: a part that refuses ends the listing."""
    patch.setattr(gitlab_listing, "_group_inside", lambda *_: "")


FAULTS: list[tuple[str, Story, PutBack]] = [
    *((key, refused_for_an_hour, a_refusal_is_a_verdict) for key in PROVIDERS),
    ("slack", another_leaves, leaving_takes_others_along),
    ("github", suspended_in_silence, found_but_not_mended),
    # Jira lists the site first; where that isn't shown, no listing is complete.
    *((key, shown_less, absence_is_believed) for key in PROVIDERS if key != "jira"),
    ("gitlab", a_part_refuses, a_part_ends_the_listing),
]


def _name(each: object) -> str:
    return getattr(each, "__name__", str(each))


@pytest.mark.parametrize(("key", "story"), list(dict.fromkeys((key, story) for key, story, _ in FAULTS)), ids=_name)
def test_a_story_ends_well(model_of: Callable[[str], Model], key: str, story: Story) -> None:
    """Without a fault put back, every story ends as it began."""
    story(model_of(key))


@pytest.mark.parametrize(("key", "story", "put_back"), FAULTS, ids=_name)
def test_a_fault_is_noticed(
    model_of: Callable[[str], Model],
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    story: Story,
    put_back: PutBack,
) -> None:
    """With the fault put back, the same story doesn't."""
    model = model_of(key)
    put_back(monkeypatch)
    with pytest.raises((AssertionError, ConnectorsError)):
        story(model)
