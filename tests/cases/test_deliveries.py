"""The recorded deliveries: what providers were seen to send, and what has to become of it, over real HTTP.

Those of damaged documents, of kinds in unsigned headers, of Linear's retries and of direct messages in Slack are
tests beside what they are about. Each test holds the expected words, so that a case that changes fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from speckitty_connectors import Installation, ResourceReference, Selector, Signal, Target
from testbed.played import Played

Play = Callable[..., Played]

APOLLO, LUNA = (Target(kind="project", id=name) for name in ("apollo", "luna"))
MOVED = {1296: 7001, 77: 4242, 7: 2001}
"""The ids of the recorded repository, installation and owner → those of the stand-in."""


def moved(value: Any) -> Any:
    """Return a recorded document about the stand-in's account and repository."""
    if isinstance(value, dict):
        return {name: MOVED.get(each, each) if name == "id" else moved(each) for name, each in value.items()}
    return [moved(each) for each in value] if isinstance(value, list) else value


def deliver(played: Played, step: Mapping[str, Any], delivery_id: str, **changes: Any) -> None:
    """Deliver a recorded document, and let it be routed."""
    headers = {"X-GitHub-Delivery": delivery_id, **step["headers"]}
    assert played.post({**moved(step["body"]), **changes}, headers) == (202, "accepted")
    played.work()


def listed(played: Played) -> Installation:
    """Connect, and list."""
    installation = played.connect()
    played.sync(installation)
    return installation


def mapped_by_paths(played: Played) -> Installation:
    """Map the first repository by one folder to apollo, and by another to luna."""
    installation = listed(played)
    for target, folder in ((APOLLO, "web"), (LUNA, "api")):
        played.map(installation, target=target, selector=Selector(paths=(f"{folder}/**",)))
    return installation


def test_a_title_that_ends_in_half_a_pair_is_handed_over(play: Play, delivery_cases: Mapping[str, Any]) -> None:
    """What can't be text is no reason to refuse, or to keep, what a provider signed."""
    case = delivery_cases["lone-surrogate"]
    assert case["expected"].startswith("202 and handed over; the title reads with a replacement character")
    played = play("github")
    played.map(listed(played))
    body = json.dumps(moved(json.loads(case["steps"][0]["raw_body"])))
    assert r"\ud83d" in body
    headers = {"X-GitHub-Delivery": "d-1", **case["steps"][0]["headers"]}
    assert played.post(body.encode(), headers) == (202, "accepted")
    played.work()
    assert [(each.event.kind, each.event.subject) for each in played.dispatched] == [("issues", "#5")]


@pytest.mark.xfail(strict=True, reason="issue 11, J: the rest of it follows")
def test_a_branch_that_is_forced_back(play: Play, delivery_cases: Mapping[str, Any]) -> None:
    """Its push has no list of files, so no selector of paths may ignore it."""
    case = delivery_cases["github-forced-back"]
    assert case["expected"].startswith("never ignored: by the provider's comparison, by inference among the two")
    played = play("github")
    mapped_by_paths(played)
    deliver(played, case["steps"][0], "d-1")
    (item,) = played.connectors.review.list(workspace="w1")
    assert (played.dispatched, item.reason) == ([], "paths_unknown")
    assert [str(each.target) for each in item.candidates] == ["project:apollo", "project:luna"]


@pytest.mark.xfail(strict=True, reason="issue 11, J: the rest of it follows")
def test_a_pull_request_on_a_path_mapping(play: Play, delivery_cases: Mapping[str, Any]) -> None:
    """It names no paths: its branch tells whose it is, else a person does."""
    case = delivery_cases["github-pull-request-on-a-path-mapping"]
    assert case["expected"] == "to apollo, with the evidence; without the signal to review"
    played = play("github")
    mapped_by_paths(played)
    (step,) = case["steps"]
    deliver(played, step, "d-1")
    assert (played.dispatched, len(played.connectors.review.list(workspace="w1"))) == ([], 1)
    signal = Signal(project_id="apollo", branches=("kitty/mission-checkout-01HXABCD",))
    played.connectors.signals.report(workspace="w1", signals=[signal])
    deliver(played, step, "d-2", number=10)
    assert [str(each.target) for each in played.dispatched] == ["project:apollo"]
    (decision,) = played.connectors.explain(workspace="w1", event_id="d-2").decisions
    assert any("01HXABCD" in each.text for each in decision.decision.evidence)


def test_a_late_delivery_with_an_old_name(play: Play, delivery_cases: Mapping[str, Any]) -> None:
    """It is routed by the id, the label stays, and another repository may bear the old name."""
    case = delivery_cases["github-late-delivery-with-an-old-name"]
    assert case["expected"].startswith("routed by id; the label stays octo/shop; another repository")
    (step,) = case["steps"]
    played = play("github")
    installation = listed(played)
    played.map(installation)
    now = played.clock().replace(microsecond=0)
    times: dict[str, str] = {
        old: (now + timedelta(minutes=minutes)).isoformat() for old, minutes in (("09:00", 1), ("10:00", 60))
    }

    def at(hour: str, name: str, **changes: Any) -> dict[str, Any]:
        repository = {**moved(step["body"])["repository"], "full_name": f"octo/{name}", "updated_at": times[hour]}
        return {"repository": repository, **changes}

    deliver(played, step, "d-1", **at("10:00", "shop", issue={"number": 3, "updated_at": times["10:00"]}))
    played.advance(7200)
    # The late delivery may also be of something that states no time of its own.
    late: list[dict[str, Any]] = [{"issue": {"number": 4, "updated_at": times["09:00"]}}, {"issue": None}]
    for number, changes in enumerate(late):
        deliver(played, step, f"late-{number}", **at("09:00", "store", **changes))
    assert [each.resource_key for each in played.connectors.mappings.list(workspace="w1")] == ["octo/shop"]
    assert len(played.dispatched) == 3
    other = {**at("10:00", "store")["repository"], "id": 7002}
    deliver(played, step, "other", repository=other, issue={"number": 1, "updated_at": times["10:00"]})
    named = ResourceReference(kind="repository", id="", key="octo/store")
    mapping = played.connectors.mappings.create(
        workspace="w1", installation_id=installation.id, resource=named, target=LUNA, actor="member:mona"
    )
    assert mapping.resource_external_id == "7002"


PUSH = {"X-Gitlab-Event": "Push Hook"}


@pytest.mark.xfail(strict=True, reason="issue 11, J: the rest of it follows")
def test_a_state_that_comes_back(play: Play, delivery_cases: Mapping[str, Any]) -> None:
    """A branch that is forced back and forth was moved three times, however many webhooks tell of each."""
    case = delivery_cases["gitlab-state-that-comes-back"]
    assert case["expected"] == (
        "all three are handed over; the same three through a second webhook (a group's) add none"
    )
    raise NotImplementedError(play)
