"""Misbehaviours in trouble that passes."""

from __future__ import annotations

import json
from collections.abc import Iterator

import requests
from attrs import evolve

from speckitty_connectors import ApiUnauthorizedError
from speckitty_connectors.plugin import FailureDialect, Listing, RateLimitDialect, ResourcePage, hookimpl

from .boards import MANIFEST
from .switches import Hostile, switch


@switch("T01")
class HasNoWordForARefusal(Hostile):
    """Tells failures in its documents, and leaves out the code of a token that is refused."""

    manifest = evolve(MANIFEST, failures=FailureDialect(success_field="ok", statuses={"no_boards": 404}))


@switch("T01")
class Sulks(Hostile):
    """Remembers that it was refused, and lists less the next time."""

    _refused = False

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        """List, but for the last page where the call before was refused."""
        was_refused, Sulks._refused = Sulks._refused, False
        try:
            for page in super().list_resources(listing):
                yield page if page.cursor or not was_refused else evolve(page, resources=())
        except ApiUnauthorizedError:
            Sulks._refused = True
            raise


@switch("T02")
class WritesPhrasesInCapitals(Hostile):
    """Writes what a limit says in letters that core doesn't look for."""

    manifest = evolve(
        MANIFEST,
        rate_limits=RateLimitDialect(conditional_statuses=frozenset({403}), phrases=("Too Many Cards",)),
    )


@switch("T03")
class WantsEverySideField(Hostile):
    """Meets a core that takes no token without a scope beside it."""

    @staticmethod
    def _strictly(answer: requests.Response) -> dict[str, object] | None:
        document = json.loads(answer.content)
        return document if isinstance(document.get("scope"), str) else {"error": "no_scope"}

    core = {"tokens.oauth_session:_document": lambda _: WantsEverySideField._strictly}
