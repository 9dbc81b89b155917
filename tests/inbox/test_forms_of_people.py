"""Forms that come from people at the provider: probes of the address, and answers that would be shown to them."""

from __future__ import annotations

import pytest
from attrs import evolve

from speckitty_connectors import Application, Connectors, KeyRing, Settings
from speckitty_connectors.contract.fake import MANIFEST, FakeProvider
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.plugin import FormProbe
from speckitty_connectors.store.engine import Store
from testbed.receiving import Receiver

FORM = "application/x-www-form-urlencoded"
AS_FORM = {"Content-Type": FORM}
COMMAND = b"command=%2Fdeploy&channel_id=b1"
PROBE = FormProbe(field="ssl_check", value="1")


@pytest.fixture
def receiver(store: Store) -> Receiver:
    return Receiver(
        store,
        content_types=("application/json", FORM),
        bare_answers=frozenset({FORM}),
        probe=PROBE,
        delivery_id_header="",
    )


def test_a_form_that_people_see_answered_is_acknowledged_with_nothing(receiver: Receiver) -> None:
    """New or repeated, it is answered by an empty 200, and stored once."""
    for code in ("accepted", "duplicate"):
        answer = receiver.post(COMMAND, headers=AS_FORM)
        assert (answer.status, answer.code, answer.body) == (200, code, "")
    assert len(receiver.rows()) == 1


def test_other_media_types_are_answered_as_ever(receiver: Receiver) -> None:
    """A JSON delivery of the same provider is told what became of it."""
    assert receiver.post().body.startswith('{"code":"accepted"')


def test_a_probe_is_answered_without_a_signature_and_leaves_nothing(receiver: Receiver) -> None:
    """Whoever asks, at whatever end point, gets an empty 200."""
    for endpoint in (receiver.endpoint.id, "unknown"):
        answer = receiver.send(list(AS_FORM.items()), b"token=x&ssl_check=1", endpoint_id=endpoint)
        assert (answer.status, answer.body) == (200, "")
    assert receiver.rows() == []


@pytest.mark.parametrize(
    "body", [COMMAND, b"ssl_check=0", b"ssl_check", b"ssl_check=1&ssl_check=1", b"ssl_check=1&x=" + b"x" * 4096]
)
def test_what_only_looks_like_a_probe_has_to_be_signed(receiver: Receiver, body: bytes) -> None:
    """Another value, a field twice, no form at all, or a long body is refused like any forged delivery."""
    assert receiver.send(list(AS_FORM.items()), body).status == 403


def test_a_provider_without_probes_answers_none(store: Store) -> None:
    """Where the manifest knows of no probe, the same form is a forged delivery."""
    receiver = Receiver(store, content_types=(FORM,))
    assert receiver.send(list(AS_FORM.items()), b"ssl_check=1").status == 403


def test_a_probe_may_come_as_a_query(sqlite_url: str) -> None:
    """GET is for probes only: anything else, and any other provider, is told that the method is wrong."""
    plugin = FakeProvider()
    plugin.manifest = evolve(MANIFEST, webhooks=evolve(MANIFEST.webhooks, probe=PROBE))
    registry = Registry(entry_points=())
    registry.register(plugin)
    settings = Settings(
        database_url=sqlite_url, keys={"test": KeyRing.new_key()}, public_url="https://saas.example"
    )
    asked = [
        ("fake/e1", "ssl_check=1"),
        ("fake", "ssl_check=1"),
        ("fake", "ssl_check=2"),
        ("nobody", "ssl_check=1"),
    ]
    statuses: list[str] = []
    with Connectors(settings, registry=registry) as connectors:
        application = Application(connectors)
        for path, query in asked:
            environ = {"REQUEST_METHOD": "GET", "PATH_INFO": f"/webhooks/{path}", "QUERY_STRING": query}
            application(environ, lambda status, _: statuses.append(status[:3]))
    assert statuses == ["200", "200", "405", "405"]
