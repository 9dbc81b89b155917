"""R: what a manifest says about tokens holds together."""

from __future__ import annotations

import re

from ...providers.manifest import Capability
from ...providers.oauth import AppTokenRules
from ..rules import NotApplicableError, require, rule
from .base import Rules, placeholders
from .calling import OF_CORE

LONGEST_GRACE_SECONDS = 24 * 3600
LONGEST_JWT_SECONDS = 600
"""What providers allow at most (GitHub: "Generating a JSON Web Token (JWT) for a GitHub App", ten minutes)."""

TOKEN_FIELDS = re.compile(r"(access|refresh|id|bot|user)?_?token|secret|password|authorization", re.IGNORECASE)
SIGNED_BY_THE_APP = ("RS256", "RS384", "RS512", "ES256", "PS256")


class RefreshingRules(Rules):
    """Refresh parameters."""

    @rule("R01")
    def test_r01_refreshing_makes_sense(self) -> None:
        """A used refresh token lives on for at most a day, and only where it is replaced.

        The refresh rules of each flow are read.
        Why: the grace decides when a refresh may be tried again after a crash; a wrong one loses the grant.
        Fix: write down what the provider's page on refreshing says; 0 where it says nothing.
        """
        for name, flow in self.flows():
            refresh = flow.refresh
            if refresh is not None:
                grace = refresh.grace_seconds
                require(refresh.rotates or not grace, f"gives {name} a grace although nothing is replaced")
                require(grace <= LONGEST_GRACE_SECONDS, f"gives {name} a grace of {grace} s")

    @rule("R02")
    def test_r02_app_tokens_are_short(self) -> None:
        """Tokens by which the app speaks are signed with a key pair, and short.

        Algorithm and times of the app's JWT are read.
        Why: a long token is a password; a shared secret signs for both sides.
        Fix: RS256, at most ten minutes with the drift that is allowed for.
        """
        rules = self._app_tokens()
        require(rules.algorithm in SIGNED_BY_THE_APP, f"signs app tokens with {rules.algorithm}")
        lives = rules.lifetime_seconds + rules.backdate_seconds
        require(lives <= LONGEST_JWT_SECONDS, f"has app tokens live {lives} seconds")

    @rule("R03")
    def test_r03_tokens_are_minted_at_the_api(self) -> None:
        """Installation tokens are minted at the provider's API.

        The URL is filled in and compared with the base URL.
        Why: the app's own proof is sent there.
        Fix: start it with {api}, and use {installation} where the provider wants the id.
        """
        rules = self._app_tokens()
        unknown = placeholders(rules.mint_url) - {"api", "installation"}
        require(not unknown, f"has {', '.join(sorted(unknown))} in the URL of tokens")
        require(rules.mint_url.startswith("{api}/"), f"mints tokens at {rules.mint_url!r}")

    @rule("R04")
    def test_r04_plugins_see_no_token(self) -> None:
        """No token is among the fields that the plugin is shown.

        The kept fields of each flow are compared with words for tokens.
        Why: what a plugin sees may end in a log, and then it is everybody's.
        Fix: take it out; the grant's session carries the token.
        """
        for name, flow in self.flows():
            shown = [kept for kept in flow.kept_fields if TOKEN_FIELDS.fullmatch(kept)]
            require(not shown, f"is shown {', '.join(shown)} by {name}")

    @rule("R05")
    def test_r05_a_listing_has_a_credential(self) -> None:
        """Where something is listed, there is a credential to list it with.

        The manifest needs app tokens or a flow of installations.
        Why: core couldn't open a session.
        Fix: declare app_tokens or install_oauth.
        """
        manifest = self.subject.manifest
        lists = self.subject.supports(Capability.LIST_RESOURCES)
        has_credential = manifest.app_tokens or manifest.install_oauth
        require(not lists or has_credential, "declares listings, but no credential for them")

    @rule("R06")
    def test_r06_fixed_parameters_are_the_providers(self) -> None:
        """Fixed parameters of an authorisation request leave core's alone.

        Their names are compared with those that core writes.
        Why: a fixed state or challenge is one that a stranger knows.
        Fix: take them out.
        """
        for name, flow in self.flows():
            fixed = sorted(OF_CORE & set(flow.authorize_parameters))
            require(not fixed, f"fixes {', '.join(fixed)} in {name}")

    def _app_tokens(self) -> AppTokenRules:
        rules = self.subject.manifest.app_tokens
        if rules is None:
            raise NotApplicableError("the app mints no tokens")
        return rules
