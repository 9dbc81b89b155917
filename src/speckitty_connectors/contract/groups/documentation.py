"""D: people can read what a plugin is."""

from __future__ import annotations

import inspect
import re
from importlib import metadata

from ...providers.manifest import Capability
from ..rules import NotApplicableError, require, rule
from .base import Rules

LONGEST_TITLE = 40
LONGEST_SUMMARY = 160
NEEDS_CORE = re.compile(r"speckitty[-_.]connectors(\[[^]]*\])?\s*(?P<range>[(<>=!~][^;]*)", re.IGNORECASE)
"""A requirement of core itself, not of another plugin."""

UPPER_END = re.compile(r"<|~=|==")
PAGE = re.compile(r"https://[a-z0-9.-]+\.[a-z]{2,}(:\d+)?(/\S*)?")
SAMPLE = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")


class DocumentationRules(Rules):
    """Texts for people."""

    @rule("D01")
    def test_d01_title(self) -> None:
        """The title is the provider's own name, short and without a version.

        Length and letters are looked at.
        Why: it stands on buttons.
        Fix: write the name as the provider writes it.
        """
        title = self.subject.manifest.title
        require(title == title.strip() and 0 < len(title) <= LONGEST_TITLE, f"is called {title!r}")
        require(not re.search(r"plugin|connector|\d+\.\d+", title, re.IGNORECASE), f"is called {title!r}")

    @rule("D02")
    def test_d02_summary(self) -> None:
        """The summary is one short sentence.

        It has to end with a full stop, hold no other line, and be no longer than 160 letters.
        Why: people choose by it what to connect.
        Fix: say in one sentence what is routed.
        """
        summary = self.subject.manifest.summary
        is_sentence = summary[:1].isupper() and summary.endswith(".") and "\n" not in summary
        require(is_sentence and len(summary) <= LONGEST_SUMMARY, f"is summed up as {summary[:LONGEST_SUMMARY]!r}")

    @rule("D03")
    def test_d03_page(self) -> None:
        """The documentation is a page on the web.

        The URL's form is looked at; nothing is asked.
        Why: operators look up there what to register.
        Fix: name an https URL.
        """
        page = self.subject.manifest.documentation
        require(PAGE.fullmatch(page), f"is documented at {page!r}")

    @rule("D04")
    def test_d04_hooks_say_what_they_do(self) -> None:
        """The plugin and each of its hooks have a docstring.

        The module, or the class of the object, and the hooks of the declared capabilities are looked at.
        Why: the person who fixes it later reads these first.
        Fix: write one sentence each: what it asks the provider, and what it answers.
        """
        plugin = self.subject.plugin
        described = plugin if inspect.ismodule(plugin) else type(plugin)
        documented = [described, *(getattr(plugin, name) for name in Capability if self.subject.supports(name))]
        bare = [
            getattr(each, "__name__", repr(each)) for each in documented if not (inspect.getdoc(each) or "").strip()
        ]
        require(not bare, f"has no docstring for {', '.join(bare)}")

    @rule("D05")
    def test_d05_settings_are_explained(self) -> None:
        """Every setting of an app says what it is.

        The manifest's app settings are read.
        Why: an operator has to find the value on the provider's page.
        Fix: say where it stands: 'the app's name in its URL'.
        """
        settings = self.subject.manifest.app_settings
        bare = [name for name, text in settings.items() if not str(text).strip()]
        require(not bare, f"doesn't explain the setting {', '.join(bare)}")

    @rule("D06")
    def test_d06_the_distribution_says_which_core_it_needs(self) -> None:
        """A published plugin has a summary, a licence and a page, and names the range of core that it needs.

        The metadata of its distribution is read.
        Why: without an upper end, the next major core breaks it on somebody's machine.
        Fix: require speckitty-connectors>=X,<Y, and fill description, license and readme in pyproject.toml.
        """
        published = self.subject.published
        if published is None:
            raise NotApplicableError("no installed distribution publishes it")
        distribution = metadata.distribution(published.distribution)
        fields = distribution.metadata.json
        wanted = {"summary": ("summary",), "licence": ("license_expression", "license"), "page": ("description",)}
        missing = [name for name, keys in wanted.items() if not any(fields.get(key) for key in keys)]
        require(not missing, f"is published without {', '.join(missing)}")
        ranges = [match["range"] for match in map(NEEDS_CORE.match, distribution.requires or ()) if match]
        require(any(UPPER_END.search(each) for each in ranges), "doesn't say which versions of core it works with")

    @rule("D07")
    def test_d07_samples_say_what_they_show(self) -> None:
        """Samples are named by what they show.

        The names of deliveries and exchanges have to be lower-case words.
        Why: they are the ids of the tests, and the first thing that somebody sees of a failure.
        Fix: push-to-main.json, install-connected.json.
        """
        samples = self.subject.samples
        names = [recording.name for recording in samples.deliveries]
        names += [scenario.name for scenario in samples.scenarios]
        odd = [name for name in names if not SAMPLE.fullmatch(name)]
        require(not odd, f"names its samples {', '.join(odd[:3])}")
