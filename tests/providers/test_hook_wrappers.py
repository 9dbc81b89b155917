"""Wrappers that a host puts around the hooks of every provider."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import UTC, datetime

import pytest

from speckitty_connectors import Account, App, BaseUrls, ConfigurationError, Ignored, Resource
from speckitty_connectors.contract.fake import FakeProvider
from speckitty_connectors.loading.binding import CapabilityUnsupportedError
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.plugin import Conversation, Delivery, Listing, Outcome, ResourcePage, hookimpl
from testbed.plugins import Install, fake, mute

APP = App(
    provider="fake",
    host="fake.example",
    client_id="c",
    urls=BaseUrls(web="https://fake.example", api="https://api.fake.example"),
)
DELIVERY = Delivery(
    provider="fake", host="fake.example", kind="card", content=b"[]", received_at=datetime(2026, 1, 1, tzinfo=UTC)
)


class Recorder:
    """A host's wrapper around two hooks, which notes what passes through."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    @hookimpl(wrapper=True)
    def route_event(self, delivery: Delivery) -> Generator[None, Outcome, Outcome]:
        outcome = yield
        self.seen.append((delivery.kind, outcome))
        return outcome

    @hookimpl(wrapper=True)
    def list_resources(self, listing: Listing) -> Generator[None, Iterator[ResourcePage], Iterator[ResourcePage]]:
        pages = yield
        self.seen.append(type(pages).__name__)
        return pages


def test_a_wrapper_reaches_every_provider(install: Install) -> None:
    """A wrapper is honoured for providers bound before it and for those bound after it."""
    registry = Registry(entry_points=[install("early", fake("early")), install("late", fake("late"))])
    early = registry.provider("early")
    recorder = Recorder()
    registry.wrap(recorder)
    outcomes = [early.route_event(DELIVERY), registry.provider("late").route_event(DELIVERY)]
    assert recorder.seen == [("card", outcome) for outcome in outcomes]


def test_a_wrapper_touches_only_the_hooks_it_names() -> None:
    """Hooks that no wrapper names stay the plugin's own methods."""
    plugin = FakeProvider()
    registry = Registry(entry_points=[])
    provider = registry.register(plugin)
    registry.wrap(Recorder())
    assert provider.install == plugin.install
    assert provider.route_event != plugin.route_event


def test_a_wrapper_may_change_the_answer() -> None:
    """What a wrapper returns is what the caller gets."""

    class Mute:
        @hookimpl(wrapper=True)
        def route_event(self) -> Generator[None, Outcome, Outcome]:
            yield
            return Ignored(reason="muted")

    registry = Registry(entry_points=[])
    provider = registry.register(FakeProvider())
    registry.wrap(Mute())
    assert provider.route_event(DELIVERY) == Ignored(reason="muted")


def test_a_wrapped_listing_is_still_lazy() -> None:
    """The wrapper of a listing sees the iterator, and no page is made before one is asked for."""
    made: list[str] = []

    class Slow(FakeProvider):
        @hookimpl
        def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
            for name in ("first", "second"):
                made.append(name)
                yield ResourcePage(resources=(Resource(kind="board", id=name, key=name),), cursor=name)

    registry = Registry(entry_points=[])
    provider = registry.register(Slow())
    recorder = Recorder()
    registry.wrap(recorder)
    pages = provider.list_resources(Listing(app=APP, account=Account(id="1"), session=None))  # type: ignore[arg-type]  # what the test is about
    assert (recorder.seen, made) == (["generator"], [])
    assert next(pages).cursor == "first"
    assert made == ["first"]


def test_a_wrapped_hook_still_raises_the_plugins_error() -> None:
    """An exception of a plugin passes through the wrapper unchanged."""

    class Angry(FakeProvider):
        @hookimpl
        def route_event(self, delivery: Delivery) -> Ignored:
            raise LookupError("no such card")

    registry = Registry(entry_points=[])
    provider = registry.register(Angry())
    registry.wrap(Recorder())
    with pytest.raises(LookupError, match="no such card"):
        provider.route_event(DELIVERY)


def test_an_unsupported_hook_stays_unsupported_when_wrapped(install: Install) -> None:
    """A wrapper around a hook that the plugin doesn't have never makes it look answered."""
    registry = Registry(entry_points=[install("mute", mute)])
    registry.wrap(Recorder())
    with pytest.raises(CapabilityUnsupportedError):
        registry.provider("mute").route_event(DELIVERY)


class Answering:
    @hookimpl
    def route_event(self, delivery: Delivery) -> Ignored:
        return Ignored(reason="mine")


class Misnamed:
    @hookimpl(wrapper=True)
    def route_events(self, delivery: Delivery) -> Iterator[None]:
        yield


class Overreaching:
    @hookimpl(wrapper=True)
    def install(self, conversation: Conversation, secret: str) -> Iterator[None]:
        yield


@pytest.mark.parametrize(
    ("wrapper", "reason"),
    [
        (object(), "it has no hook"),
        (Answering(), "it wraps nothing in route_event"),
        (Misnamed(), "did you mean route_event"),
        (Overreaching(), "secret"),
    ],
)
def test_an_unusable_wrapper_is_refused(wrapper: object, reason: str) -> None:
    """An object that would wrap nothing, or answer in a provider's place, is refused with the reason."""
    registry = Registry(entry_points=[])
    provider = registry.register(FakeProvider())
    with pytest.raises(ConfigurationError, match=reason):
        registry.wrap(wrapper)
    assert isinstance(provider.route_event(DELIVERY), Ignored)


def test_a_wrapper_is_registered_once() -> None:
    """The same wrapper can't be put around the hooks twice."""
    registry = Registry(entry_points=[])
    recorder = Recorder()
    registry.wrap(recorder)
    with pytest.raises(ConfigurationError, match="already"):
        registry.wrap(recorder)
