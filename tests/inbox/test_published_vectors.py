"""The examples that providers publish for their own signatures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.inbox.signatures import verify
from speckitty_connectors.providers.signatures import SignatureScheme, StandardWebhooks
from testbed.webhooks import BODY, GITHUB, JIRA, NOW, OTHER, SCHEMES, SECRET, SLACK, accepted, signed

GITHUB_SECRET = Secret("It's a Secret to Everybody")
SLACK_SECRET = Secret("8f742231b10e8888abcd99yyyzzz85a5")
SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)


def test_github_vector() -> None:
    """GitHub's example of "Validating webhook deliveries" is accepted."""
    digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"x-hub-signature-256": f"sha256={digest}"}
    assert verify(GITHUB, {"only": GITHUB_SECRET}, headers, b"Hello, World!", NOW) == "only"


def test_jira_vector() -> None:
    """Atlassian's example for admin webhooks is accepted."""
    digest = "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    assert verify(JIRA, {"only": GITHUB_SECRET}, {"x-hub-signature": f"sha256={digest}"}, b"Hello World!", NOW)


def test_slack_vector() -> None:
    """Slack's example of "Verifying requests from Slack" is accepted at its own time, and a day later it isn't."""
    headers = {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    then = datetime.fromtimestamp(1531420618, UTC)
    assert accepted(SLACK, headers, {"only": SLACK_SECRET}, SLACK_BODY, then)
    assert not accepted(SLACK, headers, {"only": SLACK_SECRET}, SLACK_BODY, then + timedelta(days=1))


def test_standard_webhooks_vector() -> None:
    """The example of the Standard Webhooks libraries is accepted, also among signatures of other versions."""
    signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": f"v1a,Zm9v v1,Zm9v {signature}",
    }
    secrets = {"only": Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")}
    then = datetime.fromtimestamp(1614265330, UTC)
    assert accepted(StandardWebhooks(), headers, secrets, b'{"test": 2432232314}', then)
    assert not accepted(StandardWebhooks(), headers, secrets, b'{"test": 2432232315}', then)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_what_a_provider_signs_is_accepted(scheme: SignatureScheme) -> None:
    """A request signed with the end point's secret is verified, and the secret is named."""
    assert verify(scheme, {"old": OTHER, "new": SECRET}, signed(scheme), BODY, NOW) == "new"
