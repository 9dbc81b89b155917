"""What is documented, and that links of the documentation lead somewhere."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import speckitty_connectors
from speckitty_connectors import hookspecs

HOOKS = [value for value in vars(hookspecs).values() if hasattr(value, f"{hookspecs.PROJECT_NAME}_spec")]
PUBLIC = {name: getattr(speckitty_connectors, name) for name in speckitty_connectors.__all__}
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")


def test_the_contract_has_six_hooks() -> None:
    """The hooks are the five that every manifest names, and the one that only some providers need."""
    assert {hook.__name__ for hook in HOOKS} == {
        "install",
        "link_user",
        "list_resources",
        "suggest_mappings",
        "route_event",
        "subscribe",
    }


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.__name__)
def test_a_hook_shows_how_to_implement_it(hook: object) -> None:
    """Each hook's docstring has an example of an implementation, which runs with the other examples."""
    example = [line for line in (inspect.getdoc(hook) or "").splitlines() if line.startswith((">>>", "..."))]
    assert any("@hookimpl" in line for line in example)


def test_what_is_public_is_documented() -> None:
    """Every public class and function has a docstring of its own."""
    ours = {name: value for name, value in PUBLIC.items() if inspect.isclass(value) or inspect.isfunction(value)}
    assert [name for name, value in ours.items() if not value.__doc__] == []


def test_links_between_pages_lead_somewhere(root: Path, texts: dict[str, str]) -> None:
    """A relative link in a page names a file that is there."""
    pages = {name: text for name, text in texts.items() if name.endswith(".md")}
    links = [(name, target) for name, text in pages.items() for target in LINK.findall(text)]
    assert [
        f"{name}: {target}" for name, target in links if not (root / name).parent.joinpath(target).exists()
    ] == []
