"""Mappings as a file in git: written, read, compared and applied whole."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from speckitty_connectors import ConfigurationError, Resource, ResourceReference, Target
from speckitty_connectors.contract.fake import FakeProvider
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.mappings.files import FileForm, FileMapping, MappingFile, MappingFiles
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.mappings.types import Direction, MappingOrigin, MappingState, Selector
from speckitty_connectors.store.engine import Store
from testbed.layers import add_installation, add_resources, audited

MENU = FileMapping(provider="fake", kind="board", id="b1", target="project:apollo")

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
targets = st.builds("{}:{}".format, st.sampled_from(["project", "feed"]), words.filter(bool))
patterns = st.lists(words.filter(bool), max_size=2).map(tuple)
mappings_of_files = st.builds(
    FileMapping,
    provider=words.filter(bool),
    kind=words.filter(bool),
    target=targets,
    host=words,
    account=words,
    id=words.filter(bool),
    key=words,
    kinds=patterns,
    branches=patterns,
    paths=patterns,
    direction=st.sampled_from(Direction),
    paused=st.booleans(),
    origin=st.sampled_from(MappingOrigin),
)


@given(
    st.builds(MappingFile, mappings=st.lists(mappings_of_files, max_size=3).map(tuple)), st.sampled_from(FileForm)
)
def test_what_is_written_is_read_back(file: MappingFile, form: FileForm) -> None:
    """Any text survives, in TOML and in JSON, with quotes, controls and signs of any script."""
    assert MappingFile.read(file.write(form), form) == file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[mappings]]\nprovider = 'fake'\nkind = 'board'\nid = 'b1'\ntarget = 'apollo'", "mappings[0]"),
        ("[[mappings]]\nprovider = 'fake'\nkind = 'board'\ntarget = 'project:apollo'", "an id, or a key"),
        ("[[mappings]]\nprovider = 'fake'\nkind = 'board'\nid = 'b1'", "mappings[0].target"),
        ("[[mappings]]\nprovider = 'fake'\nkind = 'b'\nid = 7\ntarget = 'project:a'", "mappings[0].id"),
        ("[[mappings]]\nprovider = 'f'\nkind = 'b'\nid = 'x'\ntarget = 'p:a'\npath = ['src']", "path"),
        ("[[mappings]]\nprovider = 'f'\nkind = 'b'\nid = 'x'\ntarget = 'p:a'\ndirection = 'up'", ".direction"),
        ("version = 2", "version"),
        ("mappings = [", "Invalid value"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(text: str, said: str) -> None:
    """Each mistake is named by its place, and nothing is guessed."""
    with pytest.raises(ConfigurationError) as caught:
        MappingFile.read(text, FileForm.TOML)
    assert said in str(caught.value)


def test_json_mistakes_are_named_too() -> None:
    """The other form is read just as strictly."""
    with pytest.raises(ConfigurationError, match=r"mappings\[0\]\.paused"):
        MappingFile.read(
            '{"mappings": [{"provider": "f", "kind": "b", "id": "x", "target": "p:a", "paused": "no"}]}',
            FileForm.JSON,
        )
    with pytest.raises(ConfigurationError):
        MappingFile.read("{", FileForm.JSON)


@pytest.fixture
def installation(store: Store) -> Installation:
    """An installation that sees two boards in a space."""
    made = add_installation(store)
    add_resources(
        store,
        made,
        Resource(kind="space", id="s1", key="kitchen"),
        Resource(kind="board", id="b1", key="kitchen/menu", parent_id="s1"),
        Resource(kind="board", id="b2", key="kitchen/orders", parent_id="s1"),
    )
    return made


@pytest.fixture
def mappings(store: Store, installation: Installation) -> Mappings:
    """Layer 3, which knows the manifest of the provider ``fake``."""
    registry = Registry(entry_points=())
    registry.register(FakeProvider())
    return Mappings(store, registry)


@pytest.fixture
def files(store: Store, mappings: Mappings) -> MappingFiles:
    """The service under test."""
    return MappingFiles(store, mappings)


def test_an_export_is_in_line_with_what_it_was_made_from(
    mappings: Mappings, files: MappingFiles, installation: Installation
) -> None:
    """Comparing a workspace with its own export finds no difference and nothing to say but overlaps."""
    made = mappings.create(
        workspace="w1",
        installation_id=installation.id,
        resource=ResourceReference(kind="board", id="b1"),
        target=Target(kind="project", id="apollo"),
        selector=Selector(branches=("main",)),
        origin=MappingOrigin.MIGRATED,
        actor="member:mona",
    )
    mappings.pause(workspace="w1", mapping_id=made.id, actor="member:mona")
    exported = files.export(workspace="w1")
    read = MappingFile.read(exported.write(FileForm.TOML), FileForm.TOML)
    difference = files.compare(workspace="w1", file=read, complete=True)
    assert (difference.lines(), difference.unchanged) == ([], 1)


def test_an_import_adds_changes_and_removes_in_one_go(
    store: Store, mappings: Mappings, files: MappingFiles, installation: Installation
) -> None:
    """The dry run shows what the import then does, and a second import finds nothing to do."""
    file = MappingFile(mappings=(MENU, evolve(MENU, id="b2", paused=True)))
    shown = files.compare(workspace="w1", file=file)
    assert mappings.list(workspace="w1") == ()
    assert shown.lines()[:2] == ["+ board kitchen/menu → project:apollo", "+ board kitchen/orders → project:apollo"]
    files.apply(workspace="w1", file=file, actor="member:mona")
    first, second = mappings.list(workspace="w1")
    assert (first.state, second.state, first.created_by) == (
        MappingState.ACTIVE,
        MappingState.PAUSED,
        "member:mona",
    )

    narrowed = MappingFile(mappings=(evolve(MENU, branches=("main",), direction=Direction.IN),))
    assert files.compare(workspace="w1", file=narrowed).removed == ()
    done = files.apply(workspace="w1", file=narrowed, actor="member:zoe", complete=True)
    assert done.lines() == [
        "~ board kitchen/menu → project:apollo: selector becomes branches main, direction becomes in",
        "- board kitchen/orders → project:apollo",
    ]
    (kept,) = mappings.list(workspace="w1")
    assert (kept.id, kept.created_by, kept.selector) == (first.id, "member:mona", Selector(branches=("main",)))
    again = files.apply(workspace="w1", file=narrowed, actor="member:zoe", complete=True)
    assert (again.lines(), again.unchanged) == ([], 1)
    assert audited(store).count("mapping.updated") == 1


def test_a_file_with_a_mistake_changes_nothing_at_all(mappings: Mappings, files: MappingFiles) -> None:
    """All of it or none: the places that can't be applied are named, the rest waits for them to be mended."""
    file = MappingFile(
        mappings=(
            MENU,
            evolve(MENU, id="b9"),
            evolve(MENU, target="planet:mars"),
            evolve(MENU, provider="other"),
            MENU,
        )
    )
    with pytest.raises(ConfigurationError) as caught:
        files.apply(workspace="w1", file=file, actor="member:mona")
    for place in ("mappings[1]: there is no such resource", "mappings[2]: the host has no targets"):
        assert place in caught.value.what
    for place in ("mappings[3]: no installations", "mappings[4]: this resource and target are"):
        assert place in caught.value.what
    assert mappings.list(workspace="w1") == ()


def test_lint_warns_of_what_would_surprise(mappings: Mappings, files: MappingFiles) -> None:
    """Keys without ids, selectors that never match, and mappings that take each other's events are told."""
    by_key = FileMapping(provider="fake", kind="fake_board", key="kitchen/menu", target="project:apollo")
    space = FileMapping(provider="fake", kind="space", id="s1", target="project:all", branches=("main",))
    files.apply(workspace="w1", file=MappingFile(mappings=(by_key,)), actor="member:mona")
    told = files.compare(workspace="w1", file=MappingFile(mappings=(by_key, space))).lines()
    assert told[1:] == [
        "warning: mappings[0]: keys change; write the resource's id too",
        "warning: mappings[1]: a space has no branches and no paths, so no event would be wanted",
        "warning: mappings[1]: events of board kitchen/menu still go to project:apollo only: "
        "the most specific mapped resource wins",
    ]


def test_an_entry_that_could_mean_two_accounts_must_name_one(
    store: Store, mappings: Mappings, files: MappingFiles
) -> None:
    """The account's id or its name tells the installations of a workspace apart."""
    other = add_installation(store, account_id="8")
    add_resources(store, other, Resource(kind="board", id="b1", key="cellar/wine"))
    (unclear,) = files.compare(workspace="w1", file=MappingFile(mappings=(MENU,))).errors
    assert "2 installations" in unclear.text
    named = MappingFile(mappings=(evolve(MENU, account="8"), evolve(MENU, account="account 7")))
    assert [each.resource_key for each in files.compare(workspace="w1", file=named).added] == [
        "cellar/wine",
        "kitchen/menu",
    ]
