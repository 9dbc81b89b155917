"""The demo of Linear, as somebody at a shell sees it."""

from __future__ import annotations

from click.testing import CliRunner

from speckitty_connectors.cli.demo import demo


def test_the_demo_tells_the_whole_story(database_url: str) -> None:
    """Consent, pages, a routed, a reviewed and an ignored delivery, a renamed project, a forgery, and the end."""
    done = CliRunner().invoke(demo, ["--provider", "linear", "--database-url", database_url])
    assert done.exit_code == 0, done.output
    for part in (
        "connected: workspace octo-org, active",
        "25 resources on 3 pages",
        "project Project 1 → project:apollo",
        "to project:apollo: done",
        "review by rule no_mapping",
        "it means ignored: Initiative concerns no project and no team",
        "lifecycle by rule resource_renamed",
        "403  mona opens an issue, changed on its way",
        "workspace octo-org: removed",
    ):
        assert part in done.output
