"""What the stand-in answers is what Linear's published schema says, or the tests against it would prove little."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import graphql_sync

from speckitty_connectors_linear.answers import IDENTITY, PROJECTS, TEAMS
from speckitty_connectors_linear.standin import documents
from testbed.schemas import description

INFO = {"hasNextPage": False, "endCursor": "25"}
ROOT: dict[str, Any] = {
    "viewer": documents.user(is_app=False),
    "organization": documents.organization(),
    "teams": {"nodes": [documents.team(0), {**documents.team(1), "parent": documents.team(0)}], "pageInfo": INFO},
    "projects": {"nodes": [documents.project(0)], "pageInfo": INFO},
}


@pytest.mark.parametrize("document", [IDENTITY, TEAMS, PROJECTS])
def test_an_answer_fits_the_schema(document: str) -> None:
    """Every field that is asked for exists, has the type that is read, and is there where it must be."""
    published = description("linear")
    if published is None or published.graphql is None:
        pytest.skip("the published descriptions aren't beside this project")
    variables = {"first": 50, "after": None} if "$first" in document else {}
    result = graphql_sync(published.graphql.schema, document, root_value=ROOT, variable_values=variables)
    assert result.errors is None
    assert result.data
    assert all(result.data[name] for name in result.data)
