"""The demo of Jira, as somebody at a shell sees it."""

from __future__ import annotations

from click.testing import CliRunner

from speckitty_connectors.cli.demo import demo


def test_the_demo_tells_the_whole_story(database_url: str) -> None:
    """Consent, pages, a webhook, a routed, a reviewed and an ignored delivery, a forgery, and the end."""
    done = CliRunner().invoke(demo, ["--provider", "jira", "--database-url", database_url])
    assert done.exit_code == 0, done.output
    for part in (
        "connected: site octo-org, active",
        "25 resources on 3 pages",
        "1 for the resources, until",
        "to project:apollo: done",
        "review by rule no_mapping",
        "it means ignored: sprint_started concerns no project",
        "403  mona opens an issue, from a stranger",
        "site octo-org: removed",
    ):
        assert part in done.output
