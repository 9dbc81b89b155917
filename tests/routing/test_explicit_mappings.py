"""The pure part of routing: mappings in, a conclusion with its evidence out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from speckitty_connectors import Event, GitFacts, ResourceReference, Target
from speckitty_connectors.mappings.types import Direction, MappingState, ResourceMapping, Selector
from speckitty_connectors.resources.hierarchy import Place
from speckitty_connectors.routing.batch import Surroundings
from speckitty_connectors.routing.explicit import explicit
from speckitty_connectors.routing.types import Conclusion, Stage

MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
KINDS = ("project", "group", "parent_group")


def mapping(number: int, resource: str, target: str, **values: object) -> ResourceMapping:
    """Return a mapping of ``kind/id`` to a project."""
    kind, _, external_id = resource.partition("/")
    given: dict[str, object] = {
        "workspace": "w1",
        "id": f"m{number}",
        "installation_id": "i1",
        "resource_id": f"our-{resource}",
        "resource_kind": kind,
        "resource_external_id": external_id,
        "resource_key": f"key of {external_id}",
        "target": Target(kind="project", id=target),
        "created_by": "member:mona",
        "created_at": MOMENT,
        "updated_at": MOMENT,
        **values,
    }
    return ResourceMapping(**given)  # type: ignore[arg-type]  # what the test is about


def event(*resources: str, **values: object) -> Event:
    """Return an event that names resources as ``kind/id``."""
    references = tuple(
        ResourceReference(kind=kind, id=external_id)
        for kind, _, external_id in (resource.partition("/") for resource in resources)
    )
    return Event(kind="push", resources=references, **values)  # type: ignore[arg-type]  # what the test is about


def asked(
    mappings: list[ResourceMapping], happened: Event, *, parents: Mapping[Place, Place] = MappingProxyType({})
) -> Conclusion | None:
    """Return what mappings say of an event, if anything."""
    by_place = {place: [each for each in mappings if each.place == place] for place in {m.place for m in mappings}}
    return explicit(happened, Surroundings(mappings=by_place, parents=parents), KINDS.index)


def decide(mappings: list[ResourceMapping], happened: Event, **around: Mapping[Place, Place]) -> Conclusion:
    """Return what mappings say of an event."""
    conclusion = asked(mappings, happened, **around)
    assert conclusion is not None
    return conclusion


def reached(conclusion: Conclusion) -> list[tuple[str, str]]:
    """Return the targets that were reached, each with the mapping that says so."""
    return [(routed.target.id, routed.mapping_id) for routed in conclusion.targets]


def test_an_event_goes_where_its_resource_is_mapped() -> None:
    """A mapped resource gives the target, the rule and the words for people."""
    conclusion = decide([mapping(1, "project/9", "apollo")], event("project/9"))

    assert (conclusion.stage, conclusion.rule) == (Stage.EXPLICIT, "mapping")
    assert reached(conclusion) == [("apollo", "m1")]
    assert [evidence.text for evidence in conclusion.evidence] == ["project 9 is mapped to project:apollo"]


@pytest.mark.parametrize("order", [1, -1])
def test_the_most_specific_level_decides(order: int) -> None:
    """A project's mapping wins over its groups', whatever order the event names them in; those are told as lost."""
    mappings = [
        mapping(1, "parent_group/1", "all"),
        mapping(2, "group/2", "some"),
        mapping(3, "project/9", "apollo"),
    ]

    conclusion = decide(mappings, event(*["project/9", "group/2", "parent_group/1"][::order]))

    assert reached(conclusion) == [("apollo", "m3")]
    assert [(evidence.rule, evidence.against) for evidence in conclusion.evidence] == [
        ("mapping", False),
        ("less_specific", True),
        ("less_specific", True),
    ]


def test_a_broader_level_decides_where_no_narrower_one_is_mapped() -> None:
    """A group's mapping takes the events of its projects that have none of their own."""
    assert reached(decide([mapping(1, "group/2", "some")], event("project/9", "group/2"))) == [("some", "m1")]


def test_a_selector_does_not_send_events_to_a_broader_level() -> None:
    """Where the deciding level is mapped, but not for such events, the event is ignored by that rule."""
    narrow = mapping(1, "project/9", "apollo", selector=Selector(branches=("main",)))

    conclusion = decide([narrow, mapping(2, "group/2", "some")], event("project/9", "group/2"))

    assert (conclusion.stage, conclusion.rule, conclusion.targets) == (Stage.IGNORED, "selector", ())
    assert all(evidence.against for evidence in conclusion.evidence)


def test_selectors_choose_among_the_targets_of_one_level() -> None:
    """Of two mappings, the one whose selector wants the event gives its target; the other is told as lost."""
    mappings = [
        mapping(1, "project/9", "web", selector=Selector(paths=("web",))),
        mapping(2, "project/9", "billing", selector=Selector(paths=("billing",))),
    ]

    conclusion = decide(mappings, event("project/9", git=GitFacts(paths=("billing/tax.py",))))

    assert reached(conclusion) == [("billing", "m2")]
    assert [evidence.rule for evidence in conclusion.evidence] == ["selector", "mapping"]


def test_several_targets_fan_out_and_each_is_told_once() -> None:
    """Two resources of one level may have different targets and share one; the oldest mapping names it."""
    mappings = [
        mapping(3, "project/9", "apollo"),
        mapping(1, "project/8", "apollo"),
        mapping(2, "project/9", "gemini"),
    ]

    conclusion = decide(mappings, event("project/9", "project/8"))

    assert reached(conclusion) == [("apollo", "m1"), ("gemini", "m2")]


def test_a_paused_mapping_stops_events_and_sends_them_nowhere_else() -> None:
    """Where nothing on the deciding level routes, the event is ignored; a broader level doesn't get it instead."""
    paused = mapping(1, "project/9", "apollo", state=MappingState.PAUSED)

    conclusion = decide([paused, mapping(2, "group/2", "some")], event("project/9", "group/2"))

    assert (conclusion.stage, conclusion.rule, conclusion.targets) == (Stage.IGNORED, "mapping_paused", ())


def test_an_event_of_a_resource_that_is_said_to_be_gone_is_looked_at_by_a_person() -> None:
    """Orphaned mappings alone neither deliver nor drop; the event shows that the resource is there."""
    orphaned = mapping(
        1, "project/9", "apollo", state=MappingState.ORPHANED, state_reason="the resource is missing"
    )

    conclusion = decide([orphaned, mapping(2, "group/2", "some")], event("project/9", "group/2"))

    assert (conclusion.stage, conclusion.rule, conclusion.targets) == (Stage.REVIEW, "orphaned", ())
    assert conclusion.evidence[0].text.endswith("which doesn't route: the resource is missing")


def test_what_a_person_paused_counts_before_what_is_orphaned() -> None:
    """Of a paused and an orphaned mapping, the word of the person holds: the event is ignored."""
    mappings = [
        mapping(1, "project/9", "apollo", state=MappingState.ORPHANED),
        mapping(2, "project/9", "gemini", state=MappingState.PAUSED),
    ]

    assert decide(mappings, event("project/9")).rule == "mapping_paused"


PARENTS = {("project", "9"): ("group", "2"), ("group", "2"): ("group", "1"), ("project", "8"): ("group", "1")}


def test_a_group_takes_the_events_of_what_it_contains() -> None:
    """An event that names a project alone goes where the group around it is mapped, and says so in words."""
    conclusion = decide([mapping(1, "group/1", "all")], event("project/9"), parents=PARENTS)

    assert reached(conclusion) == [("all", "m1")]
    assert conclusion.evidence[0].text == "group 1, which contains project 9, is mapped to project:all"


def test_of_groups_in_groups_the_inner_one_decides() -> None:
    """Groups are of one kind, and the one nearest to the project has the word."""
    mappings = [mapping(1, "group/1", "all"), mapping(2, "group/2", "some")]

    conclusion = decide(mappings, event("project/9"), parents=PARENTS)

    assert reached(conclusion) == [("some", "m2")]
    assert [evidence.rule for evidence in conclusion.evidence] == ["mapping", "less_specific"]
    assert reached(decide(mappings, event("project/8"), parents=PARENTS)) == [("all", "m1")]


def test_a_group_that_is_named_beside_its_inner_group_is_still_the_outer_one() -> None:
    """The order of groups is that of the provider, also where an event names both."""
    mappings = [mapping(1, "group/1", "all"), mapping(2, "group/2", "some")]

    assert reached(decide(mappings, event("group/1", "group/2"), parents=PARENTS)) == [("some", "m2")]


def test_groups_that_contain_each_other_are_followed_once() -> None:
    """An inventory that was listed while groups moved may be circular, and routing ends all the same."""
    circular = {("project", "9"): ("group", "2"), ("group", "2"): ("group", "1"), ("group", "1"): ("group", "2")}

    assert reached(decide([mapping(1, "group/1", "all")], event("project/9"), parents=circular)) == [("all", "m1")]


def test_a_mapping_that_routes_beside_a_paused_one_still_delivers() -> None:
    """Pausing one of two mappings stops that target alone."""
    mappings = [mapping(1, "project/9", "apollo", state=MappingState.PAUSED), mapping(2, "project/9", "gemini")]

    assert reached(decide(mappings, event("project/9"))) == [("gemini", "m2")]


def test_a_mapping_that_only_leads_outwards_is_as_good_as_none() -> None:
    """An outward mapping neither delivers nor stops what a broader level gets."""
    mappings = [mapping(1, "project/9", "apollo", direction=Direction.OUT), mapping(2, "group/2", "some")]

    assert reached(decide(mappings, event("project/9", "group/2"))) == [("some", "m2")]


@pytest.mark.parametrize("resource", ["project/8", "group/9", "PROJECT/9", "unheard_of/9"])
def test_nothing_is_said_of_resources_that_are_not_mapped(resource: str) -> None:
    """Only the same kind and the same id are the same resource."""
    assert asked([mapping(1, "project/9", "apollo")], event(resource)) is None


def test_ids_are_never_folded() -> None:
    """Ids that look alike, or would be equal in another case, are different resources."""
    mappings = [mapping(1, "project/SS", "apollo"), mapping(2, "project/12", "gemini")]

    assert asked(mappings, event("project/ß", "project/ss", "project/\uff11\uff12")) is None


def test_keys_decide_nothing() -> None:
    """A resource of another id that bears a mapped resource's name isn't mapped."""
    renamed = Event(kind="push", resources=(ResourceReference(kind="project", id="8", key="octo/hello"),))

    assert asked([mapping(1, "project/9", "apollo", resource_key="octo/hello")], renamed) is None


def test_the_same_event_is_explained_in_the_same_words() -> None:
    """The order in which mappings were read changes nothing in a conclusion."""
    mappings = [mapping(number, "project/9", f"p{number}") for number in range(5)]

    assert decide(mappings, event("project/9")) == decide(mappings[::-1], event("project/9"))
