"""A core that lost one of its checks doesn't pass: each mutation of the source makes a test fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import frozen

pytestmark = pytest.mark.soak

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "speckitty_connectors"

HONEST = "tests/contract/test_hostile_provider.py::test_without_a_switch_every_rule_is_kept"
WAIVERS = "tests/contract/test_contract_class.py::test_an_expired_waiver_fails"
DUPLICATES = "tests/providers/test_plugin_matrix.py::test_refused_plugins_are_never_imported"


@frozen(kw_only=True)
class Mutation:
    """One change of one file, and the test that has to fail then."""

    file: str
    before: str
    after: str
    caught_by: str


MUTATIONS = {
    "verification-skipped": Mutation(
        file="inbox/endpoint_secrets.py",
        before="secret_id = verify(self.scheme, live, headers, body, now)",
        after='secret_id = next(iter(live), "")',
        caught_by=HONEST,
    ),
    "empty-secret-verifies": Mutation(
        file="inbox/signatures.py",
        before="if len(key.strip()) >= SHORTEST_WEBHOOK_SECRET and matches(key):",
        after="if matches(key):",
        caught_by=HONEST,
    ),
    "empty-secret-stored": Mutation(
        file="apps/endpoints.py",
        before="checked = check_webhook_secret(Secret(secret), subject=",
        after="checked, _ = Secret(secret), dict(subject=",
        caught_by=HONEST,
    ),
    "time-not-checked": Mutation(
        file="inbox/signatures.py",
        before="if abs(int(stamp) - int(now.timestamp() * unit)) > tolerance * unit:",
        after="if int(stamp) < 0:",
        caught_by=HONEST,
    ),
    "waiver-never-over": Mutation(
        file="contract/verdicts.py",
        before="return today > self.until",
        after="return False",
        caught_by=WAIVERS,
    ),
    "duplicate-imported": Mutation(
        file="loading/admission.py",
        before="elif len(claims[key]) > 1:",
        after="elif len(claims[key]) > 9:",
        caught_by=DUPLICATES,
    ),
}


def passes(package: Path, *tests: str) -> bool:
    """Run tests of the repository against a copy of the package."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}, done.stdout + done.stderr
    return done.returncode == pytest.ExitCode.OK


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package's source."""
    return shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))


def test_without_a_mutation_they_pass(package: Path) -> None:
    """A copy in which nothing was changed passes, so that what fails below fails by its mutation."""
    assert passes(package, HONEST, WAIVERS, DUPLICATES)


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=list(MUTATIONS))
def test_a_mutation_makes_a_test_fail(package: Path, mutation: Mutation) -> None:
    """Without this one check of core, the test that watches it fails."""
    source = (package / mutation.file).read_text()
    assert source.count(mutation.before) == 1
    (package / mutation.file).write_text(source.replace(mutation.before, mutation.after))
    assert not passes(package, mutation.caught_by)
