"""Settings: from a file and the environment, with errors that name what to fix."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from speckitty_connectors import ConfigurationError, Settings

FILE = """
database_url = "sqlite:///connectors.db"
public_url = "https://saas.example/connectors/"
active_key = "2026"

[keys]
2026 = "env:KEY"

[plugins]
block = ["acme"]

[routed_kinds]
github = ["push"]

[[apps]]
provider = "github"
client_id = "Iv1.client"
client_secret = "env:CLIENT_SECRET"
private_key = "file:app.pem"
webhook_secrets = ["env:WEBHOOK_SECRET"]

[apps.settings]
slug = "kitty"
"""
ENVIRONMENT = {"KEY": "k" * 44, "CLIENT_SECRET": "the-client-secret", "WEBHOOK_SECRET": "a-long-webhook-secret"}


def write(folder: Path, text: str) -> Path:
    """Write a settings file with its private key beside it."""
    path = folder / "connectors.toml"
    path.write_text(text)
    (folder / "app.pem").write_text("the private key\n")
    return path


def read(folder: Path, text: str, environment: Mapping[str, str] = ENVIRONMENT) -> Settings:
    """Read settings from a text."""
    return Settings.from_file(write(folder, text), environment=environment)


def test_a_file_names_secrets_and_the_environment_and_files_hold_them(tmp_path: Path) -> None:
    """A settings file refers to secrets by environment variable or by a file beside it, and gets their values."""
    settings = read(tmp_path, FILE)
    (app,) = settings.apps
    assert app.client_secret.reveal() == "the-client-secret"
    assert app.private_key is not None
    assert app.private_key.reveal() == "the private key"
    assert [secret.reveal() for secret in app.webhook_secrets] == ["a-long-webhook-secret"]
    assert settings.keys["2026"].reveal() == "k" * 44
    assert settings.public_url == "https://saas.example/connectors"
    assert settings.plugins.block == ("acme",)
    assert settings.routed_kinds == {"github": frozenset({"push"})}


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """A setting that stands in both is taken from the environment; the first of its keys is the active one."""
    overrides = {
        "SPECKITTY_CONNECTORS_DATABASE_URL": "sqlite:///other.db",
        "SPECKITTY_CONNECTORS_KEYS": "new:abc,old:def",
    }
    settings = read(tmp_path, FILE, {**ENVIRONMENT, **overrides})
    assert settings.database_url == "sqlite:///other.db"
    assert settings.active_key == "new"
    assert {key_id: key.reveal() for key_id, key in settings.keys.items()} == {"new": "abc", "old": "def"}


def test_the_environment_alone_is_enough() -> None:
    """Without a file, database and keys come from the environment."""
    settings = Settings.from_environment(
        {
            "SPECKITTY_CONNECTORS_DATABASE_URL": "sqlite://",
            "SPECKITTY_CONNECTORS_KEYS": "2026:abc",
            "SPECKITTY_CONNECTORS_PUBLIC_URL": "https://saas.example",
        }
    )
    assert settings.database_url == "sqlite://"
    assert settings.public_url == "https://saas.example"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"env:CLIENT_SECRET"', '"hunter2"', "a secret isn't written into the settings"),
        ('"env:CLIENT_SECRET"', '"env:NOT_SET"', "the environment variable NOT_SET isn't set"),
        ('"file:app.pem"', '"file:missing.pem"', "the file missing.pem can't be read"),
        ('client_id = "Iv1.client"\n', "", "required field missing @ settings.apps[0].client_id"),
        ('public_url = "https', 'publik_url = "https', "publik_url"),
        ('block = ["acme"]', "block = 7", "settings.plugins.block"),
        ("[keys]", "[keys", "can't be read"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, before: str, after: str, said: str) -> None:
    """Each mistake in a file ends in one error that names the setting, and never the value of a secret."""
    assert before in FILE
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, FILE.replace(before, after, 1))
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A settings file that isn't there is an error with its path."""
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml"):
        Settings.from_file(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:the%20password@db.example/connectors",
        "postgresql+psycopg://me@db.example/connectors?password=the%20password",
        "not a url: the password",
    ],
)
def test_settings_do_not_show_the_password_of_the_database(url: str) -> None:
    """Neither printed nor in a traceback's values, wherever the URL has it; the rest of the URL is shown."""
    shown = repr(Settings(database_url=url))
    assert "password" not in shown
    assert "db.example/connectors" in shown or "no URL" in shown


@pytest.mark.parametrize("keys", ["a2V5IG9mIHRoaXJ0eS10d28gYnl0ZXM", "2026:aaaa,a2V5IG9mIHRoaXJ0eS10d28gYnl0ZXM"])
def test_a_key_without_an_id_is_not_shown(keys: str) -> None:
    """The error says which variable is wrong and how it is written, not what is in it."""
    environment = {"SPECKITTY_CONNECTORS_DATABASE_URL": "sqlite://", "SPECKITTY_CONNECTORS_KEYS": keys}
    with pytest.raises(ConfigurationError, match="id:base64") as caught:
        Settings.from_environment(environment)
    assert "a2V5" not in str(caught.value)
