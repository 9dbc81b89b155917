"""Misbehaviours towards the process, and towards readers."""

from __future__ import annotations

import itertools
import os
import threading
import time
import warnings
from collections.abc import Sequence
from typing import Any

from attrs import evolve, frozen

from speckitty_connectors.contract.subject import Samples
from speckitty_connectors.loading.discovery import PluginEntryPoint
from speckitty_connectors.plugin import Conversation, Delivery, LinkAnswer, Linked, Outcome, hookimpl

from .linking import Linking
from .switches import IMPORTS, Hostile, switch


@switch("H01")
class CannotBeImported(Hostile):
    """Comes from a module that can't be imported alone."""

    __module__ = f"{IMPORTS}.failing"


@switch("H02")
class ChangesTheProcess(Hostile):
    """Comes from a module that starts a thread and sets logging up."""

    __module__ = f"{IMPORTS}.changing"


@switch("H03")
class ConnectsWhenImported(Hostile):
    """Comes from a module that looks a name up."""

    __module__ = f"{IMPORTS}.connecting"


@switch("H04")
class PrintsWhenImported(Hostile):
    """Comes from a module that prints."""

    __module__ = f"{IMPORTS}.printing"


@switch("H05")
class IsSlow(Hostile):
    """Comes from a module that takes its time."""

    __module__ = f"{IMPORTS}.slow"


@switch("H06")
class IsHeavy(Hostile):
    """Comes from a module that brings a database with it."""

    __module__ = f"{IMPORTS}.heavy"


@switch("H07")
class SharesAVariable(Hostile):
    """Keeps the delivery that is being routed where every thread sees it."""

    current: list[Delivery] = []

    @hookimpl
    def route_event(self, delivery: Delivery) -> Outcome:
        """Route whatever stands in the variable."""
        self.current[:] = [delivery]
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.001)
        return super().route_event(self.current[0])


@switch("H08")
class Remembers(Hostile):
    """Keeps the last delivery."""

    @hookimpl
    def route_event(self, delivery: Delivery) -> Outcome:
        """Route, and remember."""
        self.last = delivery
        return super().route_event(delivery)


@switch("H09")
class SetsTheEnvironment(Hostile):
    """Leaves something in the environment at every call."""

    _numbers = itertools.count(1)

    @hookimpl
    def route_event(self, delivery: Delivery) -> Outcome:
        """Route, and leave something behind."""
        os.environ["HOSTILE_CALLS"] = str(next(self._numbers))
        return super().route_event(delivery)


@switch("H10")
class ShowsTheToken(Linking):
    """Digs the token out of the session, and shows it."""

    def mislinked(self, conversation: Conversation, honest: LinkAnswer, /) -> LinkAnswer:
        """Show it."""
        session: Any = conversation.grant and conversation.grant.session
        if not isinstance(honest, Linked):
            return honest
        token = vars(vars(session)["_authorization"])["_authorization"]()
        return Linked(identity=evolve(honest.identity, kind=token))


@switch("H11")
class Warns(Linking):
    """Warns whenever it is called."""

    def mislinked(self, _: Conversation, honest: LinkAnswer, /) -> LinkAnswer:
        """Warn."""
        warnings.warn("this way of linking is going away", DeprecationWarning, stacklevel=2)
        return honest


@switch("D04")
class SaysNothing(Linking):
    """Has a hook that doesn't say what it does."""

    @hookimpl
    def link_user(self, conversation: Conversation) -> LinkAnswer:
        """Say what it does, until this is taken away."""
        return super().link_user(conversation)

    link_user.__doc__ = " "


@frozen(kw_only=True)
class _Published(PluginEntryPoint):
    plugin: object = None

    def load(self) -> object:
        return self.plugin


@switch("D06")
class NeedsNoCore(Hostile):
    """Is published by a distribution that doesn't say which core it needs."""

    published: Sequence[PluginEntryPoint] = ()

    def __init__(self) -> None:
        super().__init__()
        found = _Published(
            provider="hostile",
            value=f"{__package__}.boards:Boards",
            distribution="pluggy",
            version="1",
            plugin=self,
        )
        type(self).published = (found,)

    core = {"contract.subject:_installed": lambda _: lambda: NeedsNoCore.published}


@switch("D07")
class NamesSamplesCarelessly(Hostile):
    """Is shown with a delivery whose name says nothing."""

    def shown_with(self, samples: Samples) -> Samples:
        """Rename the last one."""
        *others, last = samples.deliveries
        return evolve(samples, deliveries=(*others, evolve(last, name="Test 1 (final).json")))
