"""T: trouble that passes leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import responses

from ...credentials.secret import Secret
from ...http.session import Transport
from ...providers.manifest import Capability
from ...providers.oauth import OAuthRules
from ...tokens.oauth import OAuthFlow, TokenAnswer
from ..receiver import NOW
from ..rules import NotApplicableError, Over, require, rule
from ..scenario_player import PlayedScenario, always, as_recorded, once
from ..scenarios import GivenAnswer, Scenario
from .base import Rules

ODD_SIDE_FIELDS: tuple[Mapping[str, object], ...] = (
    {"expires_in": "7200.0", "scope": None},
    {"expires_in": None},
    {"expires_in": "soon", "scope": 7},
    {"expires_in": -1, "scope": ""},
    {},
)
"""What stands beside a pair of tokens where it is odd, or left out, as `scope` may be (RFC 6749, section 5.1)."""

PAIR: Mapping[str, str] = {"access_token": "the-new-access", "refresh_token": "the-new-refresh"}
"""Tokens that are valid nowhere."""


class TroubleRules(Rules):
    """A provider's single answer is a suspicion, not a verdict."""

    @rule("T01", over=Over.EXCHANGES)
    def test_t01_refused_once_is_nothing(self, exchange: Scenario) -> None:
        """A credential that is refused once, anywhere, changes nothing.

        Each request is refused once in the manifest's words (401, and a code that its `failures` take for 401), as
        when a token ends or isn't known everywhere yet; a fresh credential is at hand. Then it is refused for a
        whole call, and the hook called again when all is well. Both times the outcome is as if nothing had been.
        Why: one refusal that is remembered, or told in words that core doesn't know, costs a customer their grant.
        Fix: name the codes of refused tokens in `Manifest.failures` as 401, and keep nothing between calls.
        """
        expected = _told(self.outcome(exchange, as_recorded))
        for index in range(len(exchange.exchanges)):
            for refusal in self._refusals():
                passed = _told(self.outcome(exchange, once(refusal, at=index)))
                require(passed == expected, f"ended otherwise when request {index + 1} was refused once")
                self.outcome(exchange, always(refusal, at=index))
                after = _told(self.outcome(exchange, as_recorded))
                require(after == expected, f"ended otherwise after a call whose request {index + 1} was refused")

    @rule("T02", over=Over.EXCHANGES)
    def test_t02_a_limit_in_a_body_is_waited_out(self, exchange: Scenario) -> None:
        """A limit that only the body of a refusal names is waited out.

        Each request is refused once by each phrase and code that the manifest's dialects state for limits, without
        any header. It waits for `fallback_seconds`, and ends as if nothing had been.
        Why: read as a missing permission, a limit tells an owner that they aren't one.
        Fix: write phrases in lower case, as `RateLimitDialect.phrases` with their status, and codes as they are.
        """
        limits = list(self._limits())
        if not limits:
            raise NotApplicableError("the manifest's dialects state no limit in a body")
        expected = _told(self.outcome(exchange, as_recorded))
        seconds = self.subject.manifest.rate_limits.fallback_seconds
        for index in range(len(exchange.exchanges)):
            for limit in limits:
                ended, played = self.attempt(exchange, once(limit, at=index))
                require(_told(ended) == expected, f"ended otherwise when request {index + 1} met a limit in a body")
                waits = seconds in played.slept or index in played.unasked
                require(waits, f"waited {played.slept} seconds at a limit that only a body names, not {seconds}")

    @rule("T03")
    def test_t03_a_pair_of_tokens_is_kept(self) -> None:
        """A pair of tokens is kept, whatever stands beside it.

        In each flow a code is exchanged, and a refresh token presented, where `expires_in` is ``"7200.0"``, null,
        no number or missing, and `scope` null, empty or missing.
        Why: the old refresh token is dead by then; a new one that is thrown away loses the grant.
        Fix: leave side fields to core, and let neither `required_scopes` nor `kept_fields` depend on them.
        """
        flows = list(self.flows())
        if not flows:
            raise NotApplicableError("the manifest has no flow")
        for name, flow in flows:
            for beside in ODD_SIDE_FIELDS:
                for kept in self._exchanged(flow, {**PAIR, "token_type": "bearer", **beside}):
                    require(kept == PAIR, f"lost tokens in {name} that came with {dict(beside)}")

    def _refusals(self) -> Iterator[GivenAnswer]:
        """Yield how a credential may be refused."""
        yield GivenAnswer(status=HTTPStatus.UNAUTHORIZED, body={"message": "no"})
        dialect = self.subject.manifest.failures
        if dialect is not None:
            refused = sorted(code for code, status in dialect.statuses.items() if status == HTTPStatus.UNAUTHORIZED)
            require(refused, "has no word for a refused credential among its failures")
            yield self._failure(refused[0])

    def _limits(self) -> Iterator[GivenAnswer]:
        """Yield the limits that only a body names."""
        manifest = self.subject.manifest
        dialect = manifest.rate_limits
        for phrase in dialect.phrases:
            for status in sorted(dialect.conditional_statuses):
                yield GivenAnswer(status=status, body={"message": f"You have exceeded a {phrase}. Wait a while."})
        told = manifest.failures.statuses.items() if manifest.failures else ()
        for code in sorted({code for code, status in told if status in dialect.statuses} | {dialect.error_code}):
            if code:
                yield self._failure(code)

    def _failure(self, code: str) -> GivenAnswer:
        """Return a failure in the manifest's own form."""
        dialect = self.subject.manifest.failures
        body: dict[str, Any] = {"error": code}
        if dialect is not None and dialect.errors_field:
            body = {dialect.errors_field: [{"extensions": {"code": code}}]}
        elif dialect is not None:
            body = {dialect.success_field: False, dialect.error_field: code}
        return GivenAnswer(status=HTTPStatus.OK if dialect else HTTPStatus.BAD_REQUEST, body=body)

    def _exchanged(self, rules: OAuthRules, answer: Mapping[str, object]) -> Iterator[Mapping[str, str]]:
        """Yield the tokens that are kept of an answer to a code, and to a refresh token."""
        scenario = Scenario(name="an exchange of tokens", hook=Capability.INSTALL)
        app = PlayedScenario(manifest=self.subject.manifest, scenario=scenario).app
        flow = OAuthFlow(rules, app, Secret("the-client-secret"), Transport(clock=lambda: NOW))
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            mock.post(app.urls.fill(rules.token_url), json=answer)
            yield _pair(flow.exchange(code="a-code", redirect_uri="https://saas.example/back", verifier="v" * 64))
            if rules.refresh is not None:
                yield _pair(
                    flow.renew(
                        refresh_token=Secret("the-old-refresh"),
                        redirect_uri="https://saas.example/back",
                        may_leave=lambda: True,
                    )
                )


def _pair(answer: TokenAnswer) -> Mapping[str, str]:
    return {name: secret.reveal() for name, secret in answer.values.items() if name in PAIR}


def _told(outcome: object) -> object:
    """Return an outcome so that it compares: an error by its kind and words."""
    return (type(outcome), str(outcome)) if isinstance(outcome, Exception) else outcome
