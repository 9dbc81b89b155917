"""A captured body that is sent again under another kind, which no signature covers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from testbed.providers import Host

COMMENT = {
    "action": "deleted",
    "repository": {
        "id": 1296,
        "full_name": "octo/shop",
        "owner": {"id": 7, "login": "octo", "type": "Organization"},
    },
    "installation": {"id": 77},
    "sender": {"id": 3, "login": "mona", "type": "User"},
    "comment": {"id": 1},
    "issue": {"number": 4},
}


def test_a_captured_comment_removes_no_installation(host: Host) -> None:
    """Under another kind it is a suspected replay, under its own id a conflict; a person looks at both."""
    endpoint, body = host.endpoint("github"), json.dumps(COMMENT).encode()
    for kind, delivery_id, code in (
        ("issue_comment", "g-1", "accepted"),
        ("installation", "g-2", "accepted"),
        ("installation", "g-1", "conflict"),
    ):
        headers = {"X-GitHub-Event": kind, "X-GitHub-Delivery": delivery_id}
        assert host.post(endpoint, headers, body)[1] == code
    assert [each.reason for each in host.routed()][1:] == ["replay_suspect", "conflict"]


def test_a_captured_comment_that_nobody_saw_removes_no_installation(host: Host) -> None:
    """Where the original never arrived, the body itself shows that it tells of no installation."""
    headers = {"X-GitHub-Event": "installation", "X-GitHub-Delivery": "g-2"}
    assert host.post(host.endpoint("github"), headers, json.dumps(COMMENT).encode())[0] == 202
    (stored,) = host.routed()
    assert stored.outcome == "event"


def test_the_recorded_comment_under_another_kind(host: Host, delivery_cases: Mapping[str, Any]) -> None:
    """The recorded case."""
    first, second = delivery_cases["github-kind-header-changed"]["steps"]
    endpoint, body = host.endpoint("github"), json.dumps({**first["body"], "action": "deleted"}).encode()
    assert [host.post(endpoint, step["headers"], body)[0] for step in (first, second)] == [202, 202]
    assert [(each.kind, each.reason) for each in host.routed()][1] == ("installation", "replay_suspect")
