"""Misbehaviours of manifests: what is declared doesn't hold together."""

from __future__ import annotations

import itertools
from typing import Any

from attrs import evolve

from speckitty_connectors import BaseUrls, Capability, Manifest, ResourceKind, Suggestion, Support
from speckitty_connectors.loading.discovery import PluginEntryPoint
from speckitty_connectors.plugin import (
    AppTokenRules,
    RateLimitDialect,
    RefreshRules,
    RevocationReach,
    SuggestionRequest,
)

from .boards import MANIFEST, OAUTH
from .switches import Hostile, switch

WEBHOOKS = MANIFEST.webhooks


@switch("M01")
class HasNoManifest(Hostile):
    """Has no manifest."""

    manifest: Any = None


@switch("M02")
class SharesItsKey(Hostile):
    """Another distribution claims its key."""

    core = {
        "contract.subject:_installed": lambda _: (
            lambda: (
                PluginEntryPoint(
                    provider="hostile",
                    value="speckitty_connectors.contract.fake:FakeProvider",
                    distribution="impostor",
                ),
            )
        )
    }


@switch("M03")
class GivesNoReason(Hostile):
    """Declares a gap without a reason."""

    manifest = evolve(MANIFEST, capabilities={**MANIFEST.capabilities, Capability.LINK_USER: Support.partial("")})


@switch("M04")
class DoesMoreThanItDeclares(Hostile):
    """Suggests although it declares that it doesn't."""

    manifest = evolve(
        MANIFEST,
        capabilities={
            **MANIFEST.capabilities,
            Capability.SUGGEST_MAPPINGS: Support.unsupported("boards are no code"),
        },
    )

    def suggest_mappings(self, request: SuggestionRequest) -> list[Suggestion]:
        """Suggest without the mark of a hook."""
        return []


@switch("M05")
class HasAnUntitledKind(Hostile):
    """Has a kind of resource that can't be shown."""

    manifest = evolve(MANIFEST, resource_kinds=(ResourceKind(name="board", git=True), ResourceKind(name="space")))


@switch("M06")
class EndsInASlash(Hostile):
    """Has a base URL that ends in a slash."""

    manifest = evolve(
        MANIFEST, hosts=evolve(MANIFEST.hosts, self_managed=BaseUrls(web="{base}/", api="{base}/api"))
    )


@switch("M07")
class RevokesElsewhere(Hostile):
    """Has an OAuth URL that core can't fill in."""

    manifest = evolve(
        MANIFEST, link_oauth=evolve(OAUTH, revoke_url="https://{host}/revoke", revokes=RevocationReach.TOKEN)
    )


@switch("M08")
class RequiresWhatItDoesNotAskFor(Hostile):
    """Requires a scope that it doesn't ask for."""

    manifest = evolve(MANIFEST, link_oauth=evolve(OAUTH, required_scopes=("boards:write",)))


@switch("M09")
class KeepsCookies(Hostile):
    """Keeps a header that carries a credential."""

    manifest = evolve(MANIFEST, webhooks=evolve(WEBHOOKS, kept_headers=("Cookie",)))


@switch("M10")
class TakesHugeBodies(Hostile):
    """Accepts bodies that no provider sends."""

    manifest = evolve(MANIFEST, webhooks=evolve(WEBHOOKS, body_limit=26 * 1024 * 1024))


@switch("M11")
class ReadsAnEndWithoutARest(Hostile):
    """Reads when a window ends, but not whether anything remains."""

    manifest = evolve(MANIFEST, rate_limits=RateLimitDialect(reset="x-reset"))


@switch("M12")
class AsksForASecretInPublic(Hostile):
    """Asks for a secret among the public settings."""

    manifest = evolve(MANIFEST, app_settings={"signing_secret": "what the provider signs with"})


@switch("M13", and_so=("M15",))
class ChangesItsManifest(Hostile):
    """Shows another manifest each time."""

    _numbers = itertools.count(1)

    @property
    def manifest(self) -> Manifest:  # type: ignore[override]  # that is the misbehaviour
        """Return another manifest each time."""
        return evolve(MANIFEST, summary=f"Boards, shown {next(self._numbers)} times.")


@switch("M14")
class PutsTheWeakestFirst(Hostile):
    """Lists the scheme that proves least first."""

    manifest = evolve(MANIFEST, webhooks=evolve(WEBHOOKS, schemes=dict(reversed(list(WEBHOOKS.schemes.items())))))


@switch("M15")
class HidesAfterTheFirstTime(Hostile):
    """Shows its hooks to the first registry only."""

    _looks = 0

    def __init__(self) -> None:
        super().__init__()
        type(self)._looks = 0

    def __dir__(self) -> list[str]:
        # A registry looks twice: when it checks the hooks, and when it binds them.
        type(self)._looks += 1
        return list(super().__dir__()) if self._looks <= 2 else []


@switch("E11")
class LeavesItsEventsUnrouted(Hostile):
    """Leaves a kind unrouted that it makes events of."""

    manifest = evolve(MANIFEST, webhooks=evolve(WEBHOOKS, unrouted_kinds=frozenset({"card"})))


@switch("E12")
class NamesAFieldThatIsNotThere(Hostile):
    """Names a field for delivery ids that no delivery has."""

    manifest = evolve(MANIFEST, webhooks=evolve(WEBHOOKS, delivery_id_field="delivery"))


@switch("R01")
class GivesALongGrace(Hostile):
    """Says that a used refresh token lives on for days."""

    manifest = evolve(MANIFEST, link_oauth=evolve(OAUTH, refresh=RefreshRules(grace_seconds=7 * 24 * 3600)))


@switch("R02")
class SignsLongTokens(Hostile):
    """Signs app tokens that live an hour."""

    manifest = evolve(
        MANIFEST, app_tokens=AppTokenRules(mint_url="{api}/{installation}/tokens", lifetime_seconds=3600)
    )


@switch("R03")
class MintsElsewhere(Hostile):
    """Mints tokens somewhere else than at the API."""

    manifest = evolve(MANIFEST, app_tokens=AppTokenRules(mint_url="https://mint.example/{installation}"))


@switch("R04")
class WantsToSeeTokens(Hostile):
    """Has core show it the access token."""

    manifest = evolve(MANIFEST, link_oauth=evolve(OAUTH, kept_fields=("team", "access_token")))


@switch("R05", and_so=("I04",))
class ListsWithoutACredential(Hostile):
    """Lists without anything to list with; its Authorize has no flow either."""

    manifest = evolve(MANIFEST, app_tokens=None, install_oauth=None)


@switch("R06")
class FixesTheState(Hostile):
    """Fixes the state of every authorisation."""

    manifest = evolve(MANIFEST, link_oauth=evolve(OAUTH, authorize_parameters={"state": "mine"}))


@switch("D01")
class CallsItselfAConnector(Hostile):
    """Has the title of a plugin instead of a provider."""

    manifest = evolve(MANIFEST, title="Hostile Boards Connector")


@switch("D02")
class SumsUpInNoSentence(Hostile):
    """Has a summary that is no sentence."""

    manifest = evolve(MANIFEST, summary="boards and so on")


@switch("D03")
class HasNoPage(Hostile):
    """Has no page on the web."""

    manifest = evolve(MANIFEST, documentation="see the README")


@switch("D05")
class ExplainsNoSetting(Hostile):
    """Asks for a setting without saying what it is."""

    manifest = evolve(MANIFEST, app_settings={"slug": ""})


@switch("M16")
class RevokesWithoutSayingWhat(Hostile):
    """Has an address for revocations, and doesn't say what else ends there."""

    manifest = evolve(MANIFEST, link_oauth=evolve(OAUTH, revoke_url="{web}/revoke"))
