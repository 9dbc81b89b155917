"""S: suggestions are pure, careful, and show no credential."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from attrs import evolve

from ...errors import ConnectorsError
from ...providers.manifest import Capability
from ...providers.resources import Resource
from ...providers.suggestions import Signal, Suggestion, SuggestionRequest
from ..isolation import sealed_off
from ..rules import RuleBrokenError, require, rule
from .base import Rules

SUGGESTING = Capability.SUGGEST_MAPPINGS

PASSWORD = "the-password-in-a-remote"  # noqa: S105 - the marker of the suite, valid nowhere

ODD_TEXTS = ("", " ", "é\x00\u202e", "x" * 100_000, "(((((", "%s{}", "../..", "https://", "git@", "a" * 40)
"""What may stand in a signal."""


class SuggestionRules(Rules):
    """`suggest_mappings`."""

    @rule("S01", needs=SUGGESTING)
    def test_s01_the_obvious_is_suggested(self) -> None:
        """What is obvious is suggested.

        For each known resource a project is made up whose remote, slug, branches and features all carry its key;
        one of them has to be suggested.
        Why: a plugin that declares suggestions and makes none hides the gap.
        Fix: compare signals with resource keys, or declare the capability unsupported.
        """
        found = [self._suggest((resource,), (_fitting(resource, "apollo", self._web),)) for resource in self._known]
        require(any(found), "suggested nothing for resources that projects name in every way")

    @rule("S02", needs=SUGGESTING)
    def test_s02_the_same_again(self) -> None:
        """The same request has the same suggestions.

        It is made twice.
        Why: people see the list again after a reload.
        Fix: read no clock, keep nothing, and sort.
        """
        request = self._signals()
        require(self._suggest(*request) == self._suggest(*request), "suggested something else the second time")

    @rule("S03", needs=SUGGESTING)
    def test_s03_order_says_nothing(self) -> None:
        """The order of resources and signals changes nothing.

        Both are turned around.
        Why: they come from a database, in any order.
        Fix: decide by content, and sort what is answered.
        """
        resources, signals = self._signals()
        forwards, backwards = self._suggest(resources, signals), self._suggest(resources[::-1], signals[::-1])
        require(_shown(forwards) == _shown(backwards), "suggested something else for another order")

    @rule("S04", needs=SUGGESTING)
    def test_s04_ties_are_left_to_people(self) -> None:
        """Where two projects fit equally well, neither is suggested.

        Each resource is named by two projects in exactly the same way.
        Why: a guess sends a team's events to another team.
        Fix: leave the resource out.
        """
        for resource in self._known:
            tied = tuple(_fitting(resource, project, self._web) for project in ("apollo", "gemini"))
            chosen = self._suggest((resource,), tied)
            require(not chosen, f"chose between two projects that both name {resource.key}")

    @rule("S05", needs=SUGGESTING)
    def test_s05_nothing_from_nothing(self) -> None:
        """Without a sign there is no suggestion.

        Resources are asked about without signals, and with signals that name nothing.
        Why: a suggestion without evidence is noise.
        Fix: never match empty text.
        """
        silent = (Signal(project_id="apollo"), Signal(project_id="gemini", remote_url="../local", repo_slug=""))
        for signals in ((), silent):
            require(not self._suggest(self._known, signals), "suggested something without any sign of it")

    @rule("S06", needs=SUGGESTING)
    def test_s06_evidence_shows_no_credential(self) -> None:
        """Evidence shows no credential of a remote.

        Remotes carry user names and passwords; every text of the suggestions is searched for them.
        Why: evidence is shown to the whole workspace.
        Fix: word it with the resource's own key, or with what parse_remote returns.
        """
        for resource in self._known:
            host = self._web.removeprefix("https://")
            remotes = (
                f"https://mona:{PASSWORD}@{host}/{resource.key}.git",
                f"https://{PASSWORD}@{host}/{resource.key}",
            )
            for remote in remotes:
                signal = evolve(_fitting(resource, "apollo", self._web), remote_url=remote)
                shown = repr(self._suggest((resource,), (signal,)))
                require(PASSWORD not in shown, "showed the password of a remote")

    @rule("S07", needs=SUGGESTING)
    def test_s07_only_what_was_asked_about(self) -> None:
        """Suggestions are about the resources and projects of the request, each pair once, with evidence.

        They are compared with the request.
        Why: they are stored, and a foreign id belongs to somebody else.
        Fix: answer with ids from the request only, and say in one line what was seen.
        """
        resources, signals = self._signals()
        found = self._suggest(resources, signals)
        known = {(resource.kind, resource.id) for resource in resources}
        pairs = [(each.resource_kind, each.resource_id, str(each.target)) for each in found]
        projects = {f"project:{signal.project_id}" for signal in signals}
        foreign = [pair for pair in pairs if pair[:2] not in known or pair[2] not in projects]
        require(not foreign, f"suggested {foreign[:1]}, which wasn't asked about")
        require(len(set(pairs)) == len(pairs), "suggested one pair twice")
        bare = [each for each in found if not each.evidence or any("\n" in one.text for one in each.evidence)]
        require(not bare, "suggested without evidence of one line")

    @rule("S08", needs=SUGGESTING)
    def test_s08_no_signal_raises(self) -> None:
        """No signal makes it raise.

        Odd texts stand in every field of a signal, and in keys of resources.
        Why: remotes are typed by people, branches by anybody who can push.
        Fix: parse leniently; never build a pattern out of a signal.
        """
        for text in ODD_TEXTS:
            signal = Signal(
                project_id="apollo",
                remote_url=text,
                repo_slug=text,
                commits=(text,),
                branches=(text,),
                feature_slugs=(text,),
            )
            renamed = tuple(evolve(resource, key=text or "x") for resource in self._known)
            for resources in (self._known, renamed):
                try:
                    self._suggest(resources, (signal,))
                except Exception as error:  # noqa: BLE001 - that nothing is raised is the rule
                    raise RuleBrokenError(f"raised {type(error).__name__} at the text {text[:20]!r}") from None

    @rule("S09", needs=SUGGESTING)
    def test_s09_suggesting_is_offline(self) -> None:
        """Suggesting asks nobody.

        Connections, name look-ups and processes are watched.
        Why: it is pure, so that it can be asked again at any time.
        Fix: read everything from the request.
        """
        request = self._signals()
        with sealed_off() as asked:
            self._suggest(*request)
        require(not asked, f"asked {', '.join(asked)} while suggesting")

    @property
    def _web(self) -> str:
        return self.subject.manifest.hosts.urls.web

    @property
    def _known(self) -> tuple[Resource, ...]:
        """The resources of the recorded listings; made-up ones of each kind where there are none."""
        listed: dict[tuple[str, str], Resource] = {}
        for scenario in self.subject.scenarios(Capability.LIST_RESOURCES):
            with suppress(ConnectorsError):
                for page in self.subject.ask(scenario)[0]:
                    listed.update({(each.kind, each.id): each for each in page.resources})
        kinds = self.subject.manifest.resource_kinds
        made_up = tuple(Resource(kind=kind.name, id=f"{kind.name}-1", key="acme/menu") for kind in kinds)
        return tuple(listed.values()) or made_up

    def _signals(self) -> tuple[tuple[Resource, ...], tuple[Signal, ...]]:
        resources = self._known
        signals = tuple(
            _fitting(resource, f"project-{number}", self._web) for number, resource in enumerate(resources)
        )
        return resources, signals

    def _suggest(self, resources: Sequence[Resource], signals: Sequence[Signal]) -> list[Suggestion]:
        host = self.subject.manifest.hosts.default
        request = SuggestionRequest(host=host, web=self._web, resources=tuple(resources), signals=tuple(signals))
        return list(self.subject.provider.suggest_mappings(request))


def _fitting(resource: Resource, project: str, web: str) -> Signal:
    """Return a signal of a project that names the resource in every way a project can."""
    short = resource.key.rpartition("/")[2]
    return Signal(
        project_id=project,
        remote_url=f"{web}/{resource.key}.git",
        repo_slug=resource.key,
        branches=(f"{short}-12-menu",),
        feature_slugs=(f"{short}-12-menu",),
    )


def _shown(suggestions: Sequence[Suggestion]) -> list[str]:
    return sorted(map(repr, suggestions))
