"""Webhooks that are made through a provider's API: registered, read back, renewed, replaced and removed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from speckitty_connectors import ApiUnavailableError, ConfigurationError, ConflictError, NotFoundError, Secret
from speckitty_connectors.apps.endpoints import Endpoint, find_endpoint, open_secret
from speckitty_connectors.installations import repository
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors.installations.steps import Done
from speckitty_connectors.plugin import SubscriptionScope, SubscriptionStep
from speckitty_connectors.subscriptions.types import Webhook
from testbed.desk import open_desk
from testbed.layers import audited, installation_of
from testbed.subscribing import DAY, LIFETIME, Connected, Provider

ACCOUNT, RESOURCES, RESOURCE = SubscriptionScope.ACCOUNT, SubscriptionScope.RESOURCES, SubscriptionScope.RESOURCE


@pytest.fixture
def plugin(request: pytest.FixtureRequest) -> Provider:
    """A provider with one webhook for an account, or else one for each resource; a test may choose others."""
    return Provider(*getattr(request, "param", (ACCOUNT, RESOURCE)))


@pytest.fixture
def connected(database_url: str, plugin: Provider) -> Iterator[Connected]:
    """An account that is connected, on both databases."""
    with open_desk(database_url, plugin=plugin) as desk:
        step = desk.connect({"installation": "42"})
        assert isinstance(step, Done)
        yield Connected(desk=desk, plugin=plugin, installation=step.installations[0])


def endpoint_of(connected: Connected, webhook: Webhook) -> Endpoint | None:
    """Return the end point that a webhook posts to, as the inbox would find it."""
    with connected.desk.store.reading() as connection:
        return find_endpoint(connection, "fake", webhook.endpoint_id)


def status(connected: Connected) -> tuple[InstallationStatus, str]:
    """Return where the installation stands, and why."""
    known = installation_of(connected.desk.store, connected.installation)
    return known.status, known.status_reason


def test_a_webhook_has_an_address_and_a_secret_of_its_own(connected: Connected) -> None:
    """The plugin is handed both; the end point belongs to the installation and accepts that secret alone."""
    result = connected.sync()
    (webhook,) = result.webhooks
    (asked,) = connected.plugin.asked
    endpoint = endpoint_of(connected, webhook)
    assert endpoint is not None
    assert (endpoint.workspace, endpoint.installation_id) == ("w1", connected.installation.id)
    assert asked.url.endswith(f"/webhooks/fake/{endpoint.id}")
    (secret,) = endpoint.secrets
    with connected.desk.store.reading() as connection:
        opened = open_secret(connection, connected.desk.vault, endpoint, secret.credential_id)
    assert (opened, secret.scheme, asked.scheme) == (asked.secret, "signed", "signed")
    assert (result.registered, webhook.registration, webhook.resources) == (1, "hook-1", ())


def test_syncing_again_reads_back_and_changes_nothing(connected: Connected) -> None:
    """One question about each webhook, and the same webhooks after it."""
    first = connected.sync()
    connected.plugin.steps()
    again = connected.sync()
    assert (connected.plugin.steps(), again.registered, again.removed) == (["check"], 0, 0)
    assert [webhook.id for webhook in again.webhooks] == [webhook.id for webhook in first.webhooks]
    assert audited(connected.desk.store).count("webhook.registered") == 1


def test_what_the_provider_confirms_settles_the_scheme(connected: Connected) -> None:
    """Where it knows only the weaker scheme, that is the one, and the same secret counts by it."""
    connected.plugin.confirms = "plain"
    (webhook,) = connected.sync().webhooks
    endpoint = endpoint_of(connected, webhook)
    assert endpoint is not None
    assert ([secret.scheme for secret in endpoint.secrets], webhook.scheme) == (["plain"], "plain")


def test_a_weaker_scheme_later_is_a_fault_and_never_accepted(connected: Connected) -> None:
    """A signature that stops coming degrades the installation; the end point goes on to ask for it."""
    connected.sync()
    connected.plugin.confirms = "plain"
    (webhook,) = connected.sync().webhooks
    endpoint = endpoint_of(connected, webhook)
    assert endpoint is not None
    assert [secret.scheme for secret in endpoint.secrets] == ["signed"]
    assert status(connected) == (
        InstallationStatus.DEGRADED,
        "webhooks_incomplete: the provider no longer signs by signed",
    )


def test_a_refused_scope_gives_way_to_the_next(connected: Connected) -> None:
    """Without webhooks for accounts each mapped resource gets one, as soon as it is mapped."""
    connected.plugin.refused = {"account"}
    assert connected.sync().webhooks == ()
    assert status(connected)[0] is InstallationStatus.ACTIVE
    connected.map("b1")
    connected.map("b2")
    webhooks = connected.sync().webhooks
    assert [webhook.resources[0].id for webhook in webhooks] == ["b1", "b2"]
    assert len({webhook.endpoint_id for webhook in webhooks}) == 2


def test_what_is_mapped_and_unmapped_is_registered_and_removed(connected: Connected) -> None:
    """The others stay as they are, and nothing is asked about them but whether they are there."""
    connected.plugin.refused = {"account"}
    first, second = connected.map("b1"), connected.map("b2")
    connected.sync()
    connected.plugin.steps()
    connected.unmap(first)
    connected.map("b3")
    result = connected.sync()
    assert connected.plugin.steps() == ["check", "check", "register", "remove"]
    assert {webhook.resources[0].id for webhook in result.webhooks} == {second.resource_external_id, "b3"}
    assert len(connected.plugin.there) == 2


def test_a_refusal_of_one_resource_keeps_no_other_from_its_webhook(connected: Connected) -> None:
    """The installation says what is missing, and recovers by itself once it can be had."""
    connected.plugin.refused = {"account", "b1"}
    connected.map("b1")
    connected.map("b2")
    assert [webhook.resources[0].id for webhook in connected.sync().webhooks] == ["b2"]
    assert status(connected) == (
        InstallationStatus.DEGRADED,
        "webhooks_incomplete: The plan has no such webhooks. Upgrade it.",
    )
    connected.plugin.refused = {"account"}
    assert connected.sync().registered == 1
    assert status(connected) == (InstallationStatus.ACTIVE, "")


@pytest.mark.parametrize("plugin", [(RESOURCES,)], indirect=True)
def test_a_webhook_that_names_resources_is_replaced_without_a_gap(connected: Connected) -> None:
    """The new one is there and written down before the old one is removed; with nothing mapped there is none."""
    first = connected.map("b1")
    (before,) = connected.sync().webhooks
    connected.plugin.steps()
    second = connected.map("b2")
    (after,) = connected.sync().webhooks
    assert connected.plugin.steps() == ["check", "register", "remove"]
    assert [resource.id for resource in after.resources] == ["b1", "b2"]
    assert (endpoint_of(connected, before), after.registration) == (None, "hook-2")
    connected.unmap(first)
    connected.unmap(second)
    assert (connected.sync().webhooks, connected.plugin.there) == ((), {})


@pytest.mark.parametrize("plugin", [(RESOURCES,)], indirect=True)
def test_an_old_webhook_that_could_not_be_removed_is_removed_next_time(connected: Connected) -> None:
    """A failure between the two leaves both, and the next sync ends it."""
    connected.map("b1")
    connected.sync()
    connected.map("b2")
    connected.plugin.failing = {SubscriptionStep.REMOVE: ApiUnavailableError("no answer", status=502)}
    with pytest.raises(ApiUnavailableError):
        connected.sync()
    assert len(connected.plugin.there) == 2
    connected.plugin.failing = {}
    (webhook,) = connected.sync().webhooks
    assert ([resource.id for resource in webhook.resources], len(connected.plugin.there)) == (["b1", "b2"], 1)


@pytest.mark.parametrize("failing", ["failing", "failing_after"])
def test_a_registration_without_an_answer_leaves_no_webhook_that_nobody_knows(
    connected: Connected, failing: str
) -> None:
    """It is looked for by its address: adopted where the provider made it, made again where not."""
    setattr(connected.plugin, failing, {SubscriptionStep.REGISTER: ApiUnavailableError("no answer")})
    with pytest.raises(ApiUnavailableError):
        connected.sync()
    setattr(connected.plugin, failing, {})
    (webhook,) = connected.sync().webhooks
    assert list(connected.plugin.there) == [webhook.registration]
    assert connected.plugin.there[webhook.registration].endswith(webhook.endpoint_id)
    assert status(connected)[0] is InstallationStatus.ACTIVE


def test_two_processes_register_nothing_double(connected: Connected) -> None:
    """While one waits for the provider, another leaves what it has begun alone; and it is known to both after."""
    results = []
    connected.plugin.on_register = lambda: results.append(connected.sync())
    (webhook,) = connected.sync().webhooks
    assert (results[0].registered, results[0].removed) == (0, 0)
    assert connected.plugin.there == {webhook.registration: connected.plugin.asked[0].url}
    assert connected.plugin.steps() == ["register"]


def test_a_process_that_died_while_it_registered_is_made_good(connected: Connected) -> None:
    """Once nobody can be waiting any more, what it had made is found by its address and adopted."""
    connected.plugin.failing_after = {SubscriptionStep.REGISTER: RuntimeError("the process ends here")}
    with pytest.raises(RuntimeError):
        connected.sync()
    connected.plugin.failing_after = {}
    assert [webhook.registration for webhook in connected.sync().webhooks] == [""]
    connected.desk.clock.advance(121)
    assert [webhook.registration for webhook in connected.sync().webhooks] == ["hook-1"]
    assert len(connected.plugin.there) == 1


def test_a_webhook_that_is_gone_degrades_the_installation_until_it_is_back(connected: Connected) -> None:
    """A check says so and registers nothing; a sync registers it anew, at a new address."""
    (before,) = connected.sync().webhooks
    connected.plugin.there.clear()
    assert connected.check().removed == 1
    assert status(connected) == (
        InstallationStatus.DEGRADED,
        "webhooks_incomplete: a webhook isn't there any more: somebody deleted it",
    )
    assert endpoint_of(connected, before) is not None
    assert connected.sync().registered == 1
    assert status(connected) == (InstallationStatus.ACTIVE, "")
    verbs = audited(connected.desk.store)
    assert {"webhook.missing", "installation.degraded", "installation.recovered"} <= set(verbs)


def test_a_webhook_that_is_gone_for_a_day_is_forgotten(connected: Connected) -> None:
    """Until then its address takes what may still arrive; after that, it refuses everything."""
    (before,) = connected.sync().webhooks
    connected.plugin.there.clear()
    connected.plugin.there["somebody else's"] = "https://elsewhere.example"  # so that no id is given twice
    for hours in (0, 1, 22):
        connected.desk.clock.advance(hours * 3600)
        connected.sync()
        assert endpoint_of(connected, before) is not None
    connected.desk.clock.advance(2 * 3600)
    connected.sync()
    assert endpoint_of(connected, before) is None


def test_a_webhook_that_was_missed_by_mistake_is_the_one_that_stays(connected: Connected) -> None:
    """Where none was registered in its place, it is what it was; else the one that is left over goes."""
    (before,) = connected.sync().webhooks
    kept = dict(connected.plugin.there)
    connected.plugin.there.clear()
    connected.check()
    connected.plugin.there.update(kept)
    assert connected.sync().webhooks[0].id == before.id
    connected.plugin.there.clear()
    (second,) = connected.sync().webhooks
    connected.plugin.there.update(kept)
    connected.desk.clock.advance(3600)
    assert [webhook.id for webhook in connected.sync().webhooks] == [second.id]
    assert list(connected.plugin.there) == [second.registration]


def test_a_webhook_that_the_provider_disabled_says_so(connected: Connected) -> None:
    """It is there, it delivers nothing, and the installation shows why until it does again."""
    connected.sync()
    connected.plugin.fault = "the provider disabled it"
    assert connected.check().fault == "the provider disabled it"
    assert status(connected)[0] is InstallationStatus.DEGRADED
    connected.plugin.fault = ""
    connected.check()
    assert status(connected)[0] is InstallationStatus.ACTIVE


def test_a_degradation_for_another_reason_is_not_ended(connected: Connected) -> None:
    """Webhooks that are well say nothing of a credential that isn't."""
    with connected.desk.store.transaction() as connection:
        repository.set_status(
            connection,
            connected.installation,
            InstallationStatus.DEGRADED,
            reason="its token can't be refreshed",
            at=connected.desk.clock(),
        )
    connected.sync()
    assert status(connected) == (InstallationStatus.DEGRADED, "its token can't be refreshed")


def test_a_webhook_is_renewed_well_before_its_end(connected: Connected) -> None:
    """Ten days before, and not earlier; what is renewed is the same webhook."""
    clock, plugin = connected.desk.clock, connected.plugin
    plugin.expires_at = clock() + LIFETIME
    connected.sync()
    clock.advance(19 * DAY.total_seconds())
    connected.sync()
    assert "renew" not in plugin.steps()
    clock.advance(2 * DAY.total_seconds())
    plugin.expires_at = clock() + 9 * DAY
    (webhook,) = connected.sync().webhooks
    assert plugin.steps() == ["check", "renew"]
    assert webhook.registration == "hook-1"


def test_what_is_due_is_synced_in_every_workspace(connected: Connected) -> None:
    """A new account at once, then once a day; in between only what was mapped since."""
    subscriptions, clock = connected.desk.subscriptions, connected.desk.clock
    connected.plugin.refused = {"account"}
    connected.map("b1")
    assert (subscriptions.sync_due(), subscriptions.sync_due()) == (1, 0)
    connected.map("b2")
    assert (subscriptions.sync_due(), subscriptions.sync_due()) == (1, 0)
    clock.advance(DAY.total_seconds())
    assert (subscriptions.sync_due(), subscriptions.sync_due()) == (1, 0)


def test_what_fails_is_due_again(connected: Connected) -> None:
    """A provider that doesn't answer ends no run, and is asked at the next one."""
    connected.plugin.failing = {SubscriptionStep.REGISTER: ApiUnavailableError("no answer")}
    assert connected.desk.subscriptions.sync_due() == 1
    connected.plugin.failing = {}
    assert (connected.desk.subscriptions.sync_due(), len(connected.plugin.there)) == (1, 1)


def test_a_webhook_made_by_hand_is_left_to_its_maker(connected: Connected) -> None:
    """The address and the secret are shown once; nothing is registered beside it, and nothing asked about it."""
    made = connected.desk.subscriptions.add_by_hand(
        workspace="w1", installation_id=connected.installation.id, actor="member:mona"
    )
    assert made.secret.reveal().startswith("whsec_")
    assert endpoint_of(connected, made.webhook) is not None
    assert connected.sync().webhooks == (made.webhook,)
    assert (connected.plugin.steps(), connected.desk.subscriptions.sync_due()) == ([], 0)


def test_a_secret_that_the_providers_page_made_up_is_taken_by_its_scheme(connected: Connected) -> None:
    """A scheme that isn't the manifest's, and a secret that could be guessed, are refused."""
    subscriptions, where = connected.desk.subscriptions, {"workspace": "w1", "actor": "member:mona"}
    where["installation_id"] = connected.installation.id
    made = subscriptions.add_by_hand(**where, scheme="plain", secret="a token of the page")
    assert (made.webhook.scheme, made.secret) == ("plain", Secret("a token of the page"))
    for wrong in ({"scheme": "none"}, {"secret": "short"}):
        with pytest.raises(ConfigurationError):
            subscriptions.add_by_hand(**where, **wrong)


def test_disconnecting_removes_the_webhooks(connected: Connected) -> None:
    """At the provider too, while the credential is still there."""
    (webhook,) = connected.sync().webhooks
    connected.desk.onboarding.remove(workspace="w1", actor="member:mona", installation_id=connected.installation.id)
    assert (connected.plugin.there, endpoint_of(connected, webhook)) == ({}, None)
    assert status(connected)[0] is InstallationStatus.REMOVED


def test_a_provider_that_does_not_let_go_keeps_nobody_from_leaving(connected: Connected) -> None:
    """The webhook is left there, its address refuses everything, and the result says so."""
    (webhook,) = connected.sync().webhooks
    connected.plugin.failing = {SubscriptionStep.REMOVE: ApiUnavailableError("no answer")}
    result = connected.desk.subscriptions.remove(workspace="w1", installation_id=connected.installation.id)
    assert (result.removed, result.fault) == (1, "a webhook is left at the provider: no answer")
    assert endpoint_of(connected, webhook) is None
    connected.desk.onboarding.remove(workspace="w1", actor="member:mona", installation_id=connected.installation.id)
    assert status(connected)[0] is InstallationStatus.REMOVED
    with pytest.raises(ConflictError):
        connected.sync()


def test_webhooks_of_an_app_with_one_address_share_it(database_url: str) -> None:
    """No end point and no secret is made, and removing a webhook leaves the app's address alone."""
    plugin = Provider(RESOURCES, own_endpoint=False)
    with open_desk(database_url, plugin=plugin) as desk:
        step = desk.connect({"installation": "42"})
        assert isinstance(step, Done)
        connected = Connected(desk=desk, plugin=plugin, installation=step.installations[0])
        connected.map("b1")
        (webhook,) = connected.sync().webhooks
        (asked,) = plugin.asked
        (app,) = desk.apps.list()
        with desk.store.reading() as connection:
            assert webhook.endpoint_id == desk.apps.endpoint_of(connection, app)
        assert (asked.secret, asked.scheme) == (None, "")
        desk.subscriptions.remove(workspace="w1", installation_id=connected.installation.id)
        assert endpoint_of(connected, webhook) is not None


def test_another_workspace_knows_nothing_of_them(connected: Connected) -> None:
    """A foreign id is as good as a missing one, and the provider isn't asked."""
    where = {"workspace": "w2", "installation_id": connected.installation.id}
    subscriptions = connected.desk.subscriptions
    for ask in (subscriptions.sync, subscriptions.check, subscriptions.remove, subscriptions.webhooks):
        with pytest.raises(NotFoundError):
            ask(**where)
    assert connected.plugin.asked == []
