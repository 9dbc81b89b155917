"""What holds for every test run at the root: examples are tests, and no test is timed.

The examples of each page and of each module's docstrings run in order, and share names with no other file.
"""

from __future__ import annotations

import doctest
from collections.abc import Generator, Sequence
from contextlib import ExitStack, chdir, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser
from sybil.sybil import SybilCollection

from speckitty_connectors.http.adapter import GuardedAdapter
from testbed import schemas
from testbed.canaries import Watch
from testbed.memory import use_memory
from testbed.postgresql import PostgresqlUnavailableError, running_postgresql

ROOT = Path(__file__).parent
SOURCES = [ROOT / "src", *sorted(ROOT.glob("plugins/*/src"))]

# What `new` copies is a package of its own; tests/cli judges what becomes of it.
collect_ignore = ["src/speckitty_connectors/cli/template"]

# A busy machine is slow, not wrong.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

_place = ExitStack()


def enter_empty_folder(_names: dict[str, object]) -> None:
    """Let the examples of a page write files without leaving any behind."""
    _place.enter_context(chdir(_place.enter_context(TemporaryDirectory())))


def leave_folder(_names: dict[str, object]) -> None:
    """Go back, and remove the folder."""
    _place.close()


pages = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS)],
    pattern="*.md",
    setup=enter_empty_folder,
    teardown=leave_folder,
)
docstrings = [
    Sybil(parsers=[DocTestParser(doctest.ELLIPSIS)], pattern="*.py", path=str(folder)) for folder in SOURCES
]

watch = Watch()
use_memory()


def pytest_configure(config: pytest.Config) -> None:
    """Hear of every secret that is made, and of what is written down."""
    patch = pytest.MonkeyPatch()
    watch.install(patch)
    config.add_cleanup(patch.undo)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: Sequence[object]) -> None:
    """Start the one PostgreSQL in which all workers of a run make databases of their own."""
    server = ExitStack()
    config.add_cleanup(server.close)
    with suppress(PostgresqlUnavailableError):  # the tests that need one say so
        url = server.enter_context(running_postgresql(users=len(specs)))
        server.enter_context(pytest.MonkeyPatch.context()).setenv("DATABASE_URL", url)


def pytest_runtest_logstart() -> None:
    """Begin to watch a test before its fixtures are made."""
    watch.begin()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """Look at what the test left behind, before its fixtures remove it."""
    watch.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that is over where a secret shows."""
    report = yield
    if call.when == "teardown" and not item.get_closest_marker("shows_secrets"):
        leaks = watch.leaks(report.sections)
        if leaks:
            failure = [str(report.longrepr)] if report.failed else []
            report.outcome, report.longrepr = "failed", "\n".join([*failure, "a secret shows:", *leaks])
    return report


pytest_collect_file = SybilCollection([pages, *docstrings]).pytest()


@pytest.fixture(autouse=True)
def described_requests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold each request that a provider's tests send against what that provider publishes about its API."""
    called = getattr(request.node, "callspec", None)
    names = [*request.path.relative_to(ROOT).parts, called.params.get("provider") if called else None]
    provider = next((name for name in names if name in schemas.PUBLISHED), None)
    if provider is None:
        return
    monkeypatch.setattr(GuardedAdapter, "send", schemas.checked_send(provider, GuardedAdapter.send))
    for module in request.config.pluginmanager.get_plugins():
        # A plugin's own tests run without this file too, so their session can't check by itself.
        if getattr(module, "__file__", None) == str(request.path.with_name("conftest.py")):
            schemas.check_answering_session(provider, module, monkeypatch)
