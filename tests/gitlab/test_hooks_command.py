"""The command `hooks`, as an operator uses it beside a GitLab."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from speckitty_connectors import KeyRing, NotFoundError
from speckitty_connectors.cli import commands
from speckitty_connectors.store.engine import Store
from testbed.layers import add_installation


@pytest.fixture
def operator(database_url: str, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """A shell with the settings in its environment."""
    monkeypatch.setenv("SPECKITTY_CONNECTORS_DATABASE_URL", database_url)
    monkeypatch.setenv("SPECKITTY_CONNECTORS_KEYS", f"2026:{KeyRing.new_key().reveal()}")
    monkeypatch.setenv("SPECKITTY_CONNECTORS_PUBLIC_URL", "https://saas.example/connectors")
    return CliRunner()


def run(operator: CliRunner, *arguments: str) -> Result:
    """Run the command to its end."""
    return operator.invoke(commands, ["hooks", *arguments])


@pytest.mark.shows_secrets
def test_a_webhook_is_made_by_hand_and_listed(operator: CliRunner, store: Store) -> None:
    """Its address and secret are shown once; the list shows neither."""
    installation = add_installation(store, provider="gitlab", host="gitlab.com", account_kind="group")
    assert run(operator, "list", "w1", installation.id).output == "the installation has no webhooks\n"
    made = run(operator, "add", "w1", installation.id, "--scheme", "secret_token")
    address, secret, scheme = (line.split()[1] for line in made.output.splitlines())
    assert address.startswith("https://saas.example/connectors/webhooks/gitlab/")
    assert (secret.startswith("whsec_"), scheme) == (True, "secret_token")
    listed = run(operator, "list", "w1", installation.id, "--json")
    (row,) = json.loads(listed.output)
    assert (row["scope"], row["scheme"], row["fault"]) == ("by_hand", "secret_token", "")
    assert secret not in listed.output


@pytest.mark.shows_secrets
def test_what_is_due_is_synced_without_naming_it(operator: CliRunner, store: Store) -> None:
    """An installation whose webhooks are a person's, shown when made, needs nothing; a missing one is an error."""
    installation = add_installation(store, provider="gitlab", host="gitlab.com", account_kind="group")
    run(operator, "add", "w1", installation.id)
    assert run(operator, "sync").output == "0 installations were checked\n"
    assert isinstance(run(operator, "sync", "w2", installation.id).exception, NotFoundError)
