"""`demo` as a newcomer runs it: every act of every installed stand-in, in words."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from speckitty_connectors.cli import commands
from speckitty_connectors.standin import stand_ins

GIT = ("github", "gitlab")
"""The providers whose resources are git repositories, so that projects can be observed in them."""


def demonstrated(provider: str) -> str:
    """Run the demo of a provider, and return what it printed."""
    done = CliRunner().invoke(commands, ["demo", "--provider", provider])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("provider", stand_ins())
def test_every_demo_shows_what_is_routed_ignored_refused_and_decided(provider: str) -> None:
    """Connected, mapped, received, mapped out of the review queue and replayed, an exception, and the end."""
    shown = demonstrated(provider)
    for part in (
        "connected: ",
        "explicit by rule mapping\n",
        "to project:apollo: done",
        "review by rule ",
        "it means ignored",
        "refused: nothing is stored",
        "seen before: nothing is done twice",
        "until then it waited in review item",
        "to project:gemini: done",
        "proposed: ignored by rule blocked_by_policy",
        "project:apollo doesn't want it: muted_kinds",
        "→ project:gemini: orphaned",
    ):
        assert part in shown, part


@pytest.mark.parametrize("provider", GIT)
def test_the_demo_of_a_git_provider_infers_once_and_abstains_once(provider: str) -> None:
    """The event of one project's repository goes there; that of two projects' repository is left to a person."""
    shown = demonstrated(provider)
    for part in (
        "inferred by rule remote\n         for: a git remote of luna is ",
        "to project:luna: done",
        "review by rule ambiguous\n         against: nothing is mapped, and several projects fit",
        "project:gemini? medium confidence",
        "against: luna fits as well",
    ):
        assert part in shown, part
