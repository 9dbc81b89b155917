"""The pure part of inference: what was found of projects in, a decision or an abstention with its evidence out."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speckitty_connectors import Confidence, Evidence, ResourceReference
from speckitty_connectors.routing.inference import MOST_CANDIDATES, Contender, infer
from speckitty_connectors.routing.types import REVIEW_REASONS, Conclusion, Stage
from speckitty_connectors.suggestions.matching import Match, Strength

BOARD = ResourceReference(kind="board", id="b1", key="kitchen/menu")
SHA = "ab" * 20
MISSION = "search-01KQ3XYZ"


def contender(project: str = "apollo", match: Strength | None = None, **values: object) -> Contender:
    """Return a project, and how strongly it knows the repository."""
    found = None
    if match is not None:
        evidence = (Evidence(rule="remote", text=f"a git remote of {project} is kitchen/menu"),)
        found = Match(project_id=project, strength=match, grounds=frozenset({"remote x"}), evidence=evidence)
    return Contender(project_id=project, match=found, **values)  # type: ignore[arg-type]  # what the test is about


STRONG = contender(match=Strength.STRONG)
WEAK = contender(match=Strength.WEAK)
DOUBTFUL = contender(match=Strength.DOUBTFUL)


def concluded(*candidates: Contender) -> Conclusion:
    conclusion = infer(BOARD, candidates)
    assert conclusion is not None
    return conclusion


def told(*candidates: Contender) -> tuple[str, str, list[str]]:
    """Return stage, rule and the projects reached."""
    conclusion = concluded(*candidates)
    return conclusion.stage.value, conclusion.rule, [routed.target.id for routed in conclusion.targets]


@pytest.mark.parametrize(
    ("alone", "rule"),
    [
        (STRONG, "remote"),
        (contender(match=Strength.STRONG, commits=(SHA,), mission=MISSION), "remote"),
        (contender(match=Strength.WEAK, commits=(SHA,)), "commit"),
        (contender(match=Strength.WEAK, mission=MISSION), "feature"),
        (contender(match=Strength.DOUBTFUL, commits=(SHA,), mission=MISSION), "commit"),
        (contender(commits=(SHA,), mission=MISSION), "commit"),
    ],
)
def test_enough_evidence_of_the_only_project_decides(alone: Contender, rule: str) -> None:
    """A remote decides alone; of what is weaker, two kinds together do."""
    assert told(alone) == ("inferred", rule, ["apollo"])


@pytest.mark.parametrize(
    "alone",
    [
        WEAK,
        DOUBTFUL,
        contender(commits=(SHA,)),
        contender(mission=MISSION),
        contender(branch="main"),
        contender(match=Strength.DOUBTFUL, commits=(SHA,)),
        contender(match=Strength.WEAK, branch="topic"),
        contender(match=Strength.STRONG, dismissed=True),
        contender(match=Strength.WEAK, commits=(SHA,), elsewhere=True),
        contender(commits=(SHA,), mission=MISSION, elsewhere=True),
    ],
)
def test_too_little_evidence_is_left_to_a_person(alone: Contender) -> None:
    """A slug, a commit or a branch never decides alone; nor does a project that is spoken against."""
    assert told(alone) == ("review", "low_confidence", [])


@pytest.mark.parametrize(
    "rival",
    [
        contender("gemini", Strength.STRONG),
        contender("gemini", Strength.WEAK),
        contender("gemini", Strength.DOUBTFUL),
        contender("gemini", commits=(SHA,)),
        contender("gemini", Strength.STRONG, commits=(SHA,), branch="topic"),
    ],
)
def test_whoever_else_may_be_meant_makes_it_ambiguous(rival: Contender) -> None:
    """A second project that fits, however little, is one too many; commits don't tell them apart."""
    assert told(STRONG, rival) == ("review", "ambiguous", [])


@pytest.mark.parametrize(
    "other",
    [
        contender("gemini", commits=(SHA,), elsewhere=True),
        contender("gemini", Strength.STRONG, dismissed=True),
        contender("gemini", branch="main"),
    ],
)
def test_who_is_not_meant_stands_in_nobodys_way(other: Contender) -> None:
    """A fork, a project that a person dismissed, and one that merely has such a branch, are told as lost."""
    conclusion = concluded(STRONG, other)
    assert [routed.target.id for routed in conclusion.targets] == ["apollo"]
    assert any(evidence.against and "gemini" in evidence.text for evidence in conclusion.evidence)


def test_the_mission_of_one_project_tells_several_apart() -> None:
    """Of two projects in one repository, the one whose mission the branch is of gets the event."""
    rivals = [STRONG, contender("gemini", Strength.STRONG, mission=MISSION)]
    assert told(*rivals) == ("inferred", "feature", ["gemini"])
    both = [contender(match=Strength.STRONG, mission=MISSION), rivals[1]]
    assert told(*both) == ("review", "ambiguous", [])


def test_a_mission_without_the_repository_tells_nothing_apart() -> None:
    """Where nothing but the mission speaks for it, it isn't chosen over who knows the repository."""
    assert told(STRONG, contender("gemini", mission=MISSION)) == ("review", "ambiguous", [])


def test_what_is_decided_teaches_a_suggestion() -> None:
    """The finding has the confidence and the grounds; those don't name commits, or each push would be news."""
    strong, weak = concluded(STRONG).finding, concluded(contender(match=Strength.WEAK, commits=(SHA,))).finding
    assert strong is not None
    assert weak is not None
    assert (strong.suggestion.confidence, weak.suggestion.confidence) == (Confidence.HIGH, Confidence.MEDIUM)
    assert weak.grounds == {"remote x", "commit"}


def test_an_abstention_shows_its_candidates_with_evidence() -> None:
    """The surest come first, the rivals are named, and who is not meant isn't offered."""
    conclusion = concluded(
        contender("luna", elsewhere=True, commits=(SHA,)), contender("gemini", Strength.WEAK), STRONG
    )
    assert [(each.target.id, each.confidence.value) for each in conclusion.candidates] == [
        ("apollo", "medium"),
        ("gemini", "low"),
    ]
    assert "gemini fits as well" in {evidence.text for evidence in conclusion.candidates[0].evidence}
    assert conclusion.evidence[0] == Evidence(rule="ambiguous", text=REVIEW_REASONS["ambiguous"], against=True)
    assert conclusion.finding is None


def test_a_crowd_of_candidates_is_shown_in_part() -> None:
    """A repository of a hundred projects makes no page of a hundred lines."""
    conclusion = concluded(*(contender(f"p{number}", Strength.STRONG) for number in range(100)))
    assert len(conclusion.candidates) == MOST_CANDIDATES
    assert len(conclusion.evidence) <= 2 * MOST_CANDIDATES


def test_nothing_is_said_where_nothing_is_known() -> None:
    """Without a candidate the event is simply not mapped."""
    assert infer(BOARD, []) is None


strengths = st.none() | st.sampled_from(Strength)
crowds = st.lists(
    st.builds(
        contender,
        st.sampled_from(["apollo", "gemini", "luna"]),
        strengths,
        commits=st.sampled_from([(), (SHA,)]),
        mission=st.sampled_from(["", MISSION]),
        branch=st.sampled_from(["", "topic"]),
        elsewhere=st.booleans(),
        dismissed=st.booleans(),
    ),
    max_size=3,
    unique_by=lambda each: each.project_id,
)


@given(crowds)
def test_the_laws_of_inference(crowd: list[Contender]) -> None:
    """It decides for one project at most, never for one that was dismissed or is known elsewhere, in any order."""
    conclusion = infer(BOARD, crowd)
    assert all(infer(BOARD, order) == conclusion for order in itertools.permutations(crowd))
    if conclusion is None:
        assert crowd == []
        return
    assert (
        (conclusion.stage is Stage.INFERRED) == (len(conclusion.targets) == 1) == (conclusion.finding is not None)
    )
    winners = [each for each in crowd if each.project_id in {routed.target.id for routed in conclusion.targets}]
    assert all(winner.is_open and winner.holds for winner in winners)


@given(crowds, st.data())
def test_a_further_project_never_turns_a_decision_to_itself(crowd: list[Contender], data: st.DataObject) -> None:
    """A newcomer with weak evidence may silence a decision; it takes none over without evidence that holds."""
    newcomer = contender("newcomer", data.draw(strengths.filter(lambda each: each is not Strength.STRONG)))
    conclusion = infer(BOARD, [*crowd, newcomer])
    assert conclusion is not None
    assert "newcomer" not in {routed.target.id for routed in conclusion.targets}
