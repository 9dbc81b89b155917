"""The suite that a plugin's author subclasses: every rule of the contract as a test of pytest."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import new_class
from typing import Any, ClassVar, NoReturn

import pytest

from ..errors import ConfigurationError
from ..identifiers import utc_now
from ..loading.binding import CapabilityUnsupportedError
from ..providers.manifest import CONTRACT_MAJOR, CONTRACT_MINOR
from .groups.connecting import InstallRules, LinkRules
from .groups.documentation import DocumentationRules
from .groups.events import EventRules
from .groups.hygiene import HygieneRules
from .groups.identities import IdentityRules
from .groups.listing import ListingRules
from .groups.manifests import ManifestRules
from .groups.policies import PolicyRules
from .groups.refreshing import RefreshingRules
from .groups.subscribing import SubscribingRules
from .groups.suggestions import SuggestionRules
from .groups.trouble import TroubleRules
from .groups.verification import VerificationRules
from .groups.verification_limits import VerificationLimitRules
from .recordings import Recording, read_recordings
from .rules import Rule, order_of, rule_of
from .scenarios import read_scenarios
from .subject import Samples, Subject
from .verdicts import Waiver, broken_by, place_of, refuse_overriding, report

CONTRACT_VERSION = f"{CONTRACT_MAJOR}.{CONTRACT_MINOR}"
"""The version of the contract that this core judges by."""

SETTINGS = frozenset({"plugin", "deliveries", "exchanges", "waivers", "contract_version", "subject"})
"""What a subclass has of its own; everything else is the suite's."""


class PinnedContractWarning(UserWarning):
    """A plugin is judged by an older version of the contract."""


class ConnectorContract(
    ManifestRules,
    VerificationRules,
    VerificationLimitRules,
    EventRules,
    IdentityRules,
    InstallRules,
    LinkRules,
    ListingRules,
    SuggestionRules,
    SubscribingRules,
    RefreshingRules,
    TroubleRules,
    PolicyRules,
    HygieneRules,
    DocumentationRules,
):
    """Judges a plugin by every rule of the contract.

    Attributes:
        plugin: the plugin, a module or an object.
        deliveries: folder of recorded deliveries with their `index.json`.
        exchanges: folder of recorded exchanges, for the hooks that call out.
        waivers: rules that the plugin is known to break.
        contract_version: the version to be judged by: this core's, or one minor before it, with a warning.

    The file of an author::

        class TestContract(ConnectorContract):
            plugin = plugin
            deliveries = Path(__file__).parent / "deliveries"
            exchanges = Path(__file__).parent / "exchanges"

    Raises:
        ConfigurationError: a subclass overrides a rule, waives what can't be waived, or pins another version.
    """

    __test__: ClassVar[bool] = False
    plugin: Any = None
    deliveries: ClassVar[Path | None] = None
    exchanges: ClassVar[Path | None] = None
    waivers: ClassVar[Sequence[Waiver]] = ()
    contract_version: ClassVar[str] = CONTRACT_VERSION
    subject: ClassVar[Subject]

    def __init_subclass__(cls, *, samples: Samples | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__test__ = True
        refuse_overriding(cls, ConnectorContract, but=SETTINGS)
        _check_waivers(cls)
        _check_version(cls.contract_version, place_of(cls))
        cls.subject = Subject(cls.plugin, _read_samples(cls) if samples is None else samples)

    @classmethod
    def rules(cls) -> Mapping[str, Rule]:
        """Return the rules that the pinned version has, by id."""
        pinned = order_of(cls.contract_version)
        return {rule_id: rule for rule_id, rule in all_rules().items() if order_of(rule.since) <= pinned}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Have each rule judged for each of its cases."""
        found = rule_of(metafunc.function)
        if found is not None and found.argument:
            cases = self.subject.cases(found.over)
            metafunc.parametrize(found.argument, cases, ids=[case.name for case in cases])

    @classmethod
    def teardown_class(cls) -> None:
        """Close the database after the last rule."""
        cls.subject.close()

    def judge(self, rule: Rule, run: Callable[[], None], case: str) -> None:
        """Run a rule for a case and end it in a verdict of pytest: passed, failed, skipped or expected to fail."""
        waiver = next((waiver for waiver in self.waivers if waiver.covers(rule.id, case)), None)
        if waiver is not None and waiver.is_over(utc_now().date()):
            self._fail(rule, case, f"is waived until {waiver.until}, which is over")
        obstacle = self._obstacle(rule)
        did = "" if obstacle else broken_by(run)
        if waiver is not None and did:
            pytest.xfail(f"{rule.id} waived until {waiver.until}: {waiver.reason} ({waiver.link})")
        if waiver is not None:
            self._fail(rule, case, "keeps the rule, so its waiver is no longer needed: take it out")
        if obstacle:
            pytest.skip(f"{rule.id}: {obstacle}")
        if did:
            self._fail(rule, case, did)

    def _obstacle(self, rule: Rule) -> str:
        """Return why the rule isn't judged at all, or empty; what the manifest doesn't declare has to refuse."""
        subject = self.subject
        if order_of(rule.since) > order_of(self.contract_version):
            return f"the rule came with {rule.since}; the plugin is judged by {self.contract_version}"
        if rule.id != "M01" and subject.fault:
            return "core doesn't take the plugin; see M01"
        if rule.needs is None or subject.supports(rule.needs):
            return ""
        try:
            getattr(subject.provider, rule.needs)(None)
        except CapabilityUnsupportedError:
            return f"the manifest says that {rule.needs} is unsupported"
        return self._fail(rule, "", f"did {rule.needs} although its manifest says that it can't")

    def _fail(self, rule: Rule, case: str, did: str) -> NoReturn:
        pytest.fail(report(rule, self.subject.label, case, did), pytrace=False)


@cache
def all_rules() -> Mapping[str, Rule]:
    """Return every rule by its id, in the order of the groups."""
    found = [rule_of(value) for group in ConnectorContract.__bases__ for value in vars(group).values()]
    return {rule.id: rule for rule in found if rule is not None}


def contract_of(plugin: object, samples: Samples, **settings: Any) -> type[ConnectorContract]:
    """Return the contract class of a plugin whose samples are at hand; settings as of a subclass."""
    body = {"__doc__": "A plugin's contract.", "plugin": plugin, **settings}
    return new_class("Contract", (ConnectorContract,), {"samples": samples}, lambda names: names.update(body))


def samples_in(deliveries: Path | None, exchanges: Path | None) -> Samples:
    """Return what is in the two folders; an absent folder holds nothing."""
    recordings: tuple[Recording, ...] = ()
    if deliveries is not None and any(deliveries.glob("*")):
        recordings = tuple(read_recordings(deliveries))
    return Samples(deliveries=recordings, scenarios=tuple(read_scenarios(exchanges)) if exchanges else ())


def _read_samples(cls: type[ConnectorContract]) -> Samples:
    return samples_in(cls.deliveries, cls.exchanges)


def _check_waivers(cls: type[ConnectorContract]) -> None:
    rules = all_rules()
    for waiver in cls.waivers:
        rule = rules.get(waiver.rule)
        if rule is None or not rule.waivable:
            raise ConfigurationError(
                f"the rule {waiver.rule} can't be waived" if rule else f"there is no rule {waiver.rule}",
                subject=place_of(cls),
                remedy="take the waiver out" if rule else "look for the rule's id in docs/contract",
            )


def _check_version(pinned: str, subject: str) -> None:
    if pinned == CONTRACT_VERSION:
        return
    if pinned != f"{CONTRACT_MAJOR}.{CONTRACT_MINOR - 1}" or CONTRACT_MINOR == 0:
        raise ConfigurationError(
            f"the contract can't be pinned to {pinned}",
            subject=subject,
            remedy=f"pin it to one minor before {CONTRACT_VERSION}, or take contract_version out",
        )
    warnings.warn(
        f"{subject} is judged by contract {pinned}; core has {CONTRACT_VERSION}, and the next minor ends {pinned}",
        PinnedContractWarning,
        stacklevel=4,
    )
