"""Every recorded case is a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest


def test_every_recorded_case_is_a_test(
    request: pytest.FixtureRequest, delivery_cases: Mapping[str, Any], conversation_cases: Mapping[str, Any]
) -> None:
    """The name of each case is in a test, which has what is expected of it."""
    texts = [path.read_text() for path in (request.config.rootpath / "tests").rglob("test_*.py")]
    names = {*delivery_cases, *conversation_cases}
    assert [name for name in sorted(names) if not any(f'"{name}"' in text for text in texts)] == []
