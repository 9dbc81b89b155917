"""The twelve ways to attack an authorisation: each is refused with a code of its own, and audited."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from attrs import frozen

from speckitty_connectors.contract.fake import FakeProvider
from speckitty_connectors.conversations.refusals import OnboardingRefusedError
from speckitty_connectors.installations.steps import Done
from speckitty_connectors.store.audit import Audit
from speckitty_connectors.store.metadata import OPERATOR
from testbed.desk import AuthorizationServer, Desk, callback_url, manifest_of, open_desk, strict

ISSUER = "https://issuer.example"
EVE = {"workspace": "w2", "member": "eve", "session": "the browser of eve"}


class Elsewhere(FakeProvider):
    """A second provider beside the one under test."""

    manifest = manifest_of("elsewhere")


@frozen(kw_only=True)
class Scene:
    """A desk at a provider of two hosts that names its issuer, and the second of the hosts."""

    desk: Desk
    other: AuthorizationServer

    def brought(self, **values: str) -> dict[str, str]:
        """Begin, authorise, and return what the browser brings back."""
        return {**self.desk.server.approve(self.desk.begin(**values).url), "iss": ISSUER}

    @property
    def address(self) -> str:
        return callback_url(self.desk.place["provider"], self.desk.place["host"])


@pytest.fixture
def scene(database_url: str) -> Iterator[Scene]:
    """The scene of every attack."""
    other = AuthorizationServer()
    with other.host.serving(), open_desk(database_url, manifest=strict(issuer=ISSUER), other=other) as desk:
        desk.registry.register(Elsewhere())
        yield Scene(desk=desk, other=other)


def without_state(scene: Scene) -> None:
    """1: a callback that nobody was sent to."""
    scene.desk.complete({"code": "c", "iss": ISSUER})


def in_a_foreign_browser(scene: Scene) -> None:
    """2: the victim clicks on the attacker's callback link, in a browser of their own."""
    scene.desk.complete(scene.brought(), session="the victim's browser")


def twice(scene: Scene) -> None:
    """3: a state that was used."""
    brought = scene.brought()
    assert isinstance(scene.desk.complete(brought), Done)
    scene.desk.complete({**brought, "code": "another"})


def late(scene: Scene) -> None:
    """4: a state that is older than ten minutes."""
    brought = scene.brought()
    scene.desk.clock.advance(601)
    scene.desk.complete(brought)


def at_another_provider(scene: Scene) -> None:
    """5: a state of one provider at the callback of another."""
    scene.desk.complete(scene.brought(), provider="elsewhere")


def in_another_workspace(scene: Scene) -> None:
    """6: the same browser, signed in to another workspace by now."""
    scene.desk.complete(scene.brought(), workspace="w2")


def as_another_member(scene: Scene) -> None:
    """6: the same browser, signed in as somebody else by now."""
    scene.desk.complete(scene.brought(), member="eve")


def without_issuer(scene: Scene) -> None:
    """7: an answer that hides who gives it, although this provider always says so (RFC 9207)."""
    brought = scene.brought()
    del brought["iss"]
    scene.desk.complete(brought)


def of_another_issuer(scene: Scene) -> None:
    """7: an answer of another authorisation server."""
    scene.desk.complete({**scene.brought(), "iss": "https://evil.example"})


def mixed_up(scene: Scene) -> None:
    """8: begun at the attacker's host, which sends the browser on to the honest one, whose code it wants."""
    begun = dict(parse_qsl(urlsplit(scene.desk.begin(host=scene.other.host.address).url).query))
    honest = scene.desk.server.approve(scene.desk.begin().url)
    scene.desk.complete({"state": begun["state"], "code": honest["code"], "iss": ISSUER})


def with_another_verifier(scene: Scene) -> None:
    """9: a code that somebody else's browser got, with a challenge of its own."""
    stolen = scene.brought(**EVE)
    scene.desk.complete({**scene.brought(), "code": stolen["code"]})


def without_a_challenge(scene: Scene) -> None:
    """9: a code for which the attacker took the challenge out of the request, as if there were no PKCE."""
    url = urlsplit(scene.desk.begin().url)
    query = [(name, value) for name, value in parse_qsl(url.query) if not name.startswith("code_challenge")]
    downgraded = url._replace(query=urlencode(query)).geturl()
    scene.desk.complete({**scene.desk.server.approve(downgraded), "iss": ISSUER})


def arriving(change: Callable[[str], str]) -> Callable[[Scene], None]:
    """10: a callback URL that is nearly the one that is registered."""

    def attack(scene: Scene) -> None:
        scene.desk.complete(scene.brought(), address=change(scene.address))

    return attack


def with_a_used_code(scene: Scene) -> None:
    """11: a code that connected before, under a fresh state."""
    first = scene.brought()
    scene.desk.complete(first)
    scene.desk.complete({**scene.brought(), "code": first["code"]})


def with_error_and_code(scene: Scene) -> None:
    """12: an error that brings a code along."""
    scene.desk.complete({**scene.brought(), "error": "access_denied"})


SCRIPT: dict[str, tuple[Callable[[Scene], None], str]] = {
    "1 without state": (without_state, "state_missing"),
    "2 foreign browser": (in_a_foreign_browser, "session_mismatch"),
    "3 used state": (twice, "state_used"),
    "4 expired state": (late, "state_expired"),
    "5 state of another provider": (at_another_provider, "provider_mismatch"),
    "6 state of another workspace": (in_another_workspace, "workspace_mismatch"),
    "6 state of another member": (as_another_member, "member_mismatch"),
    "7 issuer missing": (without_issuer, "issuer_mismatch"),
    "7 issuer wrong": (of_another_issuer, "issuer_mismatch"),
    "8 mix-up of hosts": (mixed_up, "host_mismatch"),
    "9 verifier of another": (with_another_verifier, "code_refused"),
    "9 downgrade": (without_a_challenge, "code_refused"),
    "10 case": (arriving(lambda url: url.replace("saas", "SaaS")), "redirect_mismatch"),
    "10 port": (arriving(lambda url: url.replace("saas.example", "saas.example:443")), "redirect_mismatch"),
    "10 trailing slash": (arriving(lambda url: url + "/"), "redirect_mismatch"),
    "10 encoded path": (arriving(lambda url: url.replace("callback", "c%61llback")), "redirect_mismatch"),
    "10 extra query": (arriving(lambda url: url + "?next=1"), "redirect_mismatch"),
    "11 used code": (with_a_used_code, "code_used"),
    "12 error with code": (with_error_and_code, "answer_contradictory"),
}


@pytest.mark.parametrize("step", SCRIPT)
def test_each_step_is_refused_with_its_own_code_and_audited(scene: Scene, step: str) -> None:
    """The person learns what to do, and the audit of whoever it belongs to has the refusal and who had begun."""
    attack, refusal = SCRIPT[step]
    with pytest.raises(OnboardingRefusedError) as caught:
        attack(scene)
    assert caught.value.refusal == refusal
    assert caught.value.remedy
    workspace = OPERATOR if refusal == "state_missing" else "w1"
    (entry,) = Audit(scene.desk.store).find(workspace, verb="conversation.refused")
    assert (entry.reason, entry.actor) == (refusal, "member:mona" if workspace else "system")


@pytest.mark.parametrize("step", SCRIPT)
def test_no_attack_reaches_a_token_end_point_that_must_not_see_its_code(scene: Scene, step: str) -> None:
    """What is refused by us is refused before any code leaves; a mixed-up code goes to neither host."""
    attack, refusal = SCRIPT[step]
    with pytest.raises(OnboardingRefusedError):
        attack(scene)
    connected_before = refusal in {"state_used", "code_used"}
    sees_the_code = refusal == "code_refused"
    assert len(scene.desk.server.exchanges) == (1 if connected_before or sees_the_code else 0)
    assert scene.other.exchanges == []


def test_the_twelve_steps_have_twelve_codes() -> None:
    """From the code alone one knows which attack it was."""
    codes = {step.split()[0]: set[str]() for step in SCRIPT}
    for step, (_, refusal) in SCRIPT.items():
        codes[step.split()[0]].add(refusal)
    assert list(codes) == [str(number) for number in range(1, 13)]
    assert len(set.union(*codes.values())) == sum(len(each) for each in codes.values())


def test_the_rightful_person_connects(scene: Scene) -> None:
    """The scene refuses attacks, and nothing else."""
    assert isinstance(scene.desk.complete(scene.brought(), address=scene.address), Done)


def test_fifty_returns_at_once_connect_once(scene: Scene) -> None:
    """However many come at the same moment, one gets the state and the others learn that it is used up."""
    brought = scene.brought()
    start = threading.Barrier(50)
    outcomes: list[str] = []

    def come_back() -> None:
        start.wait()
        try:
            outcomes.append(type(scene.desk.complete(brought)).__name__)
        except OnboardingRefusedError as error:
            outcomes.append(error.refusal)

    threads = [threading.Thread(target=come_back) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["Done"] + ["state_used"] * 49
    assert len(scene.desk.server.exchanges) == 1
