"""M: what a plugin declares about itself holds together."""

from __future__ import annotations

import re

from ...inbox.accept import NEVER_KEPT
from ...inbox.request import FORM
from ...inbox.signatures import headers_read
from ...loading.registry import Registry
from ...providers.accounts import BaseUrls
from ...providers.manifest import Capability
from ...providers.signatures import BearerJwt, PlainToken, SignatureScheme
from ..rules import NotApplicableError, require, rule
from ..subject import claims
from .base import Rules, placeholders

HTTPS = re.compile(r"https://[a-z0-9.-]+(:\d+)?(/[^\s?#]*)?")
"""A URL without credentials, query or fragment."""

LARGEST_BODY = 25 * 1024 * 1024
"""The largest payload that any provider delivers (GitHub and GitLab: 25 MB)."""

SECRET_NAMES = re.compile(r"secret|token|password|private|credential", re.IGNORECASE)


class ManifestRules(Rules):
    """The manifest."""

    @rule("M01", waivable=False)
    def test_m01_core_takes_the_plugin(self) -> None:
        """Core takes the plugin.

        The plugin is registered as a host would register it: its manifest is read, its hooks are compared with the
        specs and with the capabilities that it declares.
        Why: a plugin that core doesn't take does nothing, and no other rule can be judged.
        Fix: do what the error says; it names the hook or the field.
        """
        fault = self.subject.fault
        require(not fault, f"was refused: {fault}")

    @rule("M02")
    def test_m02_nobody_else_claims_the_key(self) -> None:
        """No other installed distribution claims the provider key.

        Every entry point of the provider key in the group of this contract has to load this very plugin.
        Why: two distributions that claim one key are both refused, so that neither works for anybody.
        Fix: choose a key of your own, or uninstall the other distribution.
        """
        others = [
            found.label
            for found in claims(self.subject.manifest.provider)
            if found.load() is not self.subject.plugin
        ]
        require(not others, f"shares its key {self.subject.manifest.provider!r} with {', '.join(others)}")

    @rule("M03")
    def test_m03_gaps_have_reasons(self) -> None:
        """A capability that is partial or unsupported says why.

        Each support below full has to carry a reason.
        Why: hosts show the reason where a button is missing, and people ask for it.
        Fix: write Support.partial("…") or Support.unsupported("…") with one line for a person.
        """
        bare = [
            capability.value
            for capability, support in self.subject.manifest.capabilities.items()
            if support.level != "full" and not support.reason.strip()
        ]
        require(not bare, f"gives no reason for {', '.join(bare)}")

    @rule("M04")
    def test_m04_undeclared_is_not_done(self) -> None:
        """What isn't declared isn't done.

        A plugin has nothing named like a capability that its manifest calls unsupported, and core refuses a call.
        Why: hosts and this suite trust the manifest; what is there but not declared is never tested.
        Fix: declare the capability, or take the hook out.
        """
        manifest, plugin = self.subject.manifest, self.subject.plugin
        hidden = [
            capability.value
            for capability in Capability
            if manifest.capabilities[capability].level == "unsupported" and hasattr(plugin, capability)
        ]
        require(not hidden, f"has {', '.join(hidden)} although its manifest calls it unsupported")

    @rule("M05")
    def test_m05_resource_kinds(self) -> None:
        """Resource kinds are named once, have titles, and are there where events or listings are.

        Names are compared, titles looked for.
        Why: the order of the kinds decides which mapping wins, and people choose by title.
        Fix: list each kind once, most specific first, with a title.
        """
        kinds = self.subject.manifest.resource_kinds
        names = [kind.name for kind in kinds]
        untitled = [kind.name for kind in kinds if not kind.title.strip()]
        require(len(set(names)) == len(names), f"names a resource kind twice: {', '.join(names)}")
        require(not untitled, f"has no title for {', '.join(untitled)}")
        needed = self.subject.supports(Capability.ROUTE_EVENT) or self.subject.supports(Capability.LIST_RESOURCES)
        require(kinds or not needed, "declares events or listings, but no kind of resource")

    @rule("M06")
    def test_m06_hosts(self) -> None:
        """Hosts are reached over https, and self-managed ones below the operator's own URL.

        Base URLs have no credentials, query, fragment or slash at the end; templates start with ``{base}``.
        Why: core joins paths to them and sends credentials there.
        Fix: write https://host or https://host/path, and {base} or {base}/path.
        """
        hosts = self.subject.manifest.hosts
        for url in _both(hosts.urls):
            require(HTTPS.fullmatch(url) and not url.endswith("/"), f"has the base URL {url!r}")
        for template in _both(hosts.self_managed) if hosts.self_managed else ():
            is_below = template == "{base}" or (template.startswith("{base}/") and not template.endswith("/"))
            require(is_below, f"has the self-managed template {template!r}")
        require(re.fullmatch(r"[a-z0-9.-]+", hosts.default), f"calls its host {hosts.default!r}")

    @rule("M07")
    def test_m07_oauth_urls(self) -> None:
        """OAuth endpoints are templates that give https URLs.

        Each URL of each flow is filled with the base URLs of the default host.
        Why: codes and client secrets are sent there.
        Fix: use {web} and {api} only, and no query: fixed parameters go into authorize_parameters.
        """
        manifest = self.subject.manifest
        for _, flow in self.flows():
            revoke_url = flow.revoke_url.replace("{client_id}", "client")
            for template in filter(None, (flow.authorize_url, flow.token_url, revoke_url)):
                unknown = placeholders(template) - {"web", "api"}
                require(not unknown, f"has {', '.join(sorted(unknown))} in the URL {template!r}")
                urls = manifest.hosts.urls
                url = template.format(web=urls.web, api=urls.api)
                require(HTTPS.fullmatch(url), f"has an OAuth URL that becomes {url!r}")

    @rule("M08")
    def test_m08_required_scopes_are_asked_for(self) -> None:
        """Scopes that are required are asked for.

        Each flow's required scopes have to be among its scopes.
        Why: core refuses a grant without them, so nobody could ever connect.
        Fix: add them to scopes.
        """
        for _, flow in self.flows():
            missing = set(flow.required_scopes) - set(flow.scopes)
            require(not missing, f"requires the scopes {', '.join(sorted(missing))} without asking for them")

    @rule("M09")
    def test_m09_headers_hold_no_secret(self) -> None:
        """Headers that are kept or that route carry no secret.

        The kind header, the delivery id header and the kept headers are compared with those that carry a proof or a
        credential.
        Why: they are stored beside the delivery and shown to people.
        Fix: name other headers; what proves a request is core's to read.
        """
        rules = self.subject.manifest.webhooks
        proofs = {headers_read(scheme)[0] for scheme in rules.schemes.values()} | (NEVER_KEPT - {""})
        named = {
            name.lower() for name in (rules.kind_header, rules.delivery_id_header, *rules.kept_headers) if name
        }
        both = sorted(named & proofs)
        require(not both, f"keeps {', '.join(both)}, which carries a secret")

    @rule("M10")
    def test_m10_bodies(self) -> None:
        """Bodies are JSON or forms, and no larger than any provider sends.

        The content types have to be known, the limit at most 25 MiB, and a field of forms is named only where forms
        come.
        Why: each further type is another parser for strangers to try, and each byte is read before the proof.
        Fix: list application/json, application/x-www-form-urlencoded or both, and set body_limit to what the
        provider documents.
        """
        rules = self.subject.manifest.webhooks
        odd = [
            name
            for name in rules.content_types
            if name.lower() != FORM and not re.fullmatch(r"application/([\w.-]+\+)?json", name)
        ]
        require(
            rules.content_types and not odd, f"accepts the content types {', '.join(rules.content_types) or 'none'}"
        )
        require(rules.body_limit <= LARGEST_BODY, f"accepts bodies of {rules.body_limit} bytes")
        require(not rules.form_field or FORM in rules.content_types, "names a field of forms, but accepts no forms")

    @rule("M11")
    def test_m11_throttling_is_readable(self) -> None:
        """The rate-limit dialect can be understood.

        Statuses are errors, something says "too fast", and an end of the window comes with what remains.
        Why: a dialect that never matches turns throttling into failures; one that always does waits for nothing.
        Fix: write down what the provider's page on rate limits says.
        """
        dialect = self.subject.manifest.rate_limits
        statuses = dialect.statuses | dialect.conditional_statuses
        odd = sorted(status for status in statuses if not 400 <= status < 600)
        require(not odd, f"calls the statuses {', '.join(map(str, odd))} throttling")
        require(statuses or dialect.error_code, "has no sign of throttling")
        require(dialect.remaining or not dialect.reset, "reads the end of a window, but not what remains in it")

    @rule("M12")
    def test_m12_no_secret_in_the_manifest(self) -> None:
        """No header and no public setting is a credential.

        API headers are compared with those that carry credentials, app settings with words for secrets.
        Why: the manifest is shown to everybody, and public settings are stored unsealed.
        Fix: leave the credential to core: the session carries it. Secrets of an app have places of their own.
        """
        manifest = self.subject.manifest
        headers = [name for name in manifest.api_headers if name.lower() in NEVER_KEPT]
        settings = [name for name in manifest.app_settings if SECRET_NAMES.search(name)]
        require(not headers, f"sends the header {', '.join(headers)} itself")
        require(not settings, f"asks for the secret {', '.join(settings)} as a public setting")

    @rule("M13")
    def test_m13_the_manifest_stays(self) -> None:
        """The manifest is the same whenever it is read.

        It is read twice and compared.
        Why: core reads it once, the host and this suite read it later; all three have to see one truth.
        Fix: make it a constant.
        """
        first, second = (getattr(self.subject.plugin, "manifest", None) for _ in range(2))
        require(first == second, "shows another manifest each time")

    @rule("M14")
    def test_m14_strongest_scheme_first(self) -> None:
        """Schemes that prove the body come before those that don't.

        The order of the schemes is compared with what each proves.
        Why: the first scheme that an endpoint has a secret for is the only one it accepts.
        Fix: list HexHmac, TimestampedHmac and StandardWebhooks before BearerJwt, and PlainToken last.
        """
        schemes = self.subject.manifest.webhooks.schemes
        strengths = [strength_of(scheme) for scheme in schemes.values()]
        require(strengths == sorted(strengths, reverse=True), f"lists its schemes as {', '.join(schemes)}")

    @rule("M15")
    def test_m15_any_host_can_load_it(self) -> None:
        """A second registry takes the plugin too.

        The plugin is registered again, in a registry of its own.
        Why: a host's tests, its workers and its web processes each have a registry.
        Fix: keep no state of registries in the plugin.
        """
        if self.subject.fault:
            raise NotApplicableError("see M01")
        again = Registry(entry_points=()).register(self.subject.plugin)
        require(again.manifest == self.subject.manifest, "showed another manifest to a second registry")

    @rule("M16")
    def test_m16_what_a_revocation_ends_is_stated(self) -> None:
        """A flow whose tokens can be revoked states what that ends.

        Each flow with a revoke_url has to have `revokes`.
        Why: where one token serves a whole account, one customer who leaves would disconnect all others.
        Fix: try it with two authorisations of one account, by one person and by two, and state what was left.
        """
        for name, flow in self.flows():
            require(
                not flow.revoke_url or flow.revokes is not None, f"doesn't state what {name} ends by a revocation"
            )


def strength_of(scheme: SignatureScheme) -> int:
    """Return how much a scheme proves: 2 for sender and body, 1 for sender and time, 0 for a shared word."""
    return 0 if isinstance(scheme, PlainToken) else 1 if isinstance(scheme, BearerJwt) else 2


def _both(urls: BaseUrls) -> tuple[str, str]:
    return urls.web, urls.api
