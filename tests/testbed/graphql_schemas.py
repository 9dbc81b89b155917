"""Holds GraphQL requests against the schema that a provider publishes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import requests
from attrs import frozen
from graphql import (
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    get_operation_ast,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values


@frozen(kw_only=True)
class GraphQlDescription:
    """What one provider publishes about its GraphQL API."""

    schema: GraphQLSchema

    @classmethod
    def read(cls, file: Path) -> GraphQlDescription:
        """Read a schema in the schema definition language."""
        return cls(schema=build_schema(file.read_text("utf-8"), assume_valid_sdl=True))

    def objections(self, request: requests.PreparedRequest) -> Iterator[str]:
        """Yield what the schema has against a request: its document, its operation and its variables."""
        sent = json.loads(request.body or b"{}")
        try:
            document = parse(str(sent.get("query", "")))
        except GraphQLError as error:
            yield error.message
            return
        yield from (error.message for error in validate(self.schema, document))
        operation = get_operation_ast(document, sent.get("operationName"))
        if operation is None:
            yield f"no operation is named {sent.get('operationName')}"
        else:
            yield from self._variables(operation, sent.get("variables") or {})

    def _variables(self, operation: OperationDefinitionNode, given: dict[str, object]) -> Iterator[str]:
        definitions = operation.variable_definitions or ()
        known = {definition.variable.name.value for definition in definitions}
        yield from (f"the operation has no variable {name}" for name in sorted(given.keys() - known))
        errors = get_variable_values(self.schema, definitions, given)
        if isinstance(errors, list):
            yield from (error.message for error in errors)
