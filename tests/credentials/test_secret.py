"""A secret shows itself to nobody who doesn't ask for it by name."""

from __future__ import annotations

import base64
import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from urllib.parse import quote

import attrs
import msgspec
import pytest

from speckitty_connectors.credentials.secret import Secret, check_webhook_secret
from speckitty_connectors.errors import ConfigurationError

CANARY = "canary/+ in the mine"
FORMS = [
    CANARY,
    repr(CANARY)[1:-1],
    quote(CANARY),
    CANARY.encode().hex(),
    base64.b64encode(CANARY.encode()).decode(),
    base64.b64encode(CANARY.encode()).decode().rstrip("="),
]


@attrs.frozen(kw_only=True)
class Holder:
    secret: Secret


def raise_with_local() -> str:
    secret = Secret(CANARY)
    holder = Holder(secret=secret)
    try:
        return str(dict[str, str]()["missing"]) + str(holder)
    except KeyError as error:
        lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        return "".join(line for line in lines if "CANARY" not in line)


def refused(act: Callable[[Secret], object]) -> str:
    with pytest.raises(TypeError) as caught:
        act(Secret(CANARY))
    return str(caught.value) + repr(caught.value.__context__)


@pytest.mark.parametrize(
    "render",
    [
        str,
        repr,
        ascii,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!r:>200}",
        lambda secret: f"{secret:x}",
        lambda secret: "%s %r %a" % (secret, secret, secret),  # noqa: UP031 - the old way, too
        lambda secret: str([secret, {"key": secret}]),
        lambda secret: str(Holder(secret=secret)),
        lambda secret: str(attrs.asdict(Holder(secret=secret))),
        lambda secret: str(dir(secret)),
        lambda secret: str(copy.copy(secret)) + str(copy.deepcopy([secret])),
        lambda secret: json.dumps({"secret": secret}, default=str),
        lambda secret: raise_with_local(),
        lambda secret: refused(json.dumps),
        lambda secret: refused(msgspec.json.encode),
        lambda secret: refused(pickle.dumps),
        lambda secret: refused(lambda secret: pickle.dumps(Holder(secret=secret))),
        lambda secret: refused(lambda secret: secret.__getstate__()),
        lambda secret: refused(vars),
        lambda secret: refused(hash),
        lambda secret: refused(lambda secret: secret + "x"),  # type: ignore[operator]  # what is tried
        lambda secret: refused(lambda secret: secret[0]),  # type: ignore[index]  # what is tried
        lambda secret: refused(lambda secret: len(secret)),  # type: ignore[arg-type]  # noqa: PLW0108 - a secret has no length
        lambda secret: refused(lambda secret: iter(secret)),  # type: ignore[call-overload]  # noqa: PLW0108 - nor parts
    ],
)
def test_no_rendering_shows_a_secret(render: Callable[[Secret], str]) -> None:
    """Text, copies, JSON, pickles, containers and tracebacks with local variables show no form of the content."""
    text = render(Secret(CANARY))
    assert not [form for form in FORMS if form in text]


def test_logging_a_secret_shows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A secret that slips into a log line, alone or in a container, stays hidden."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("test").debug("%s %r %s", Secret(CANARY), Secret(CANARY), [Secret(CANARY)])
    assert caplog.text.count("Secret(hidden)") == 3
    assert CANARY not in caplog.text


@pytest.mark.parametrize("value", [CANARY, CANARY.encode(), Secret(CANARY)])
def test_reveal_gives_back_what_was_put_in(value: str | bytes | Secret) -> None:
    """Text, bytes and another secret become the same secret."""
    secret = Secret(value)
    assert (secret.reveal(), secret.reveal_bytes()) == (CANARY, CANARY.encode())
    assert secret == Secret(CANARY)


def test_secrets_compare_by_content() -> None:
    """Equal content is equal, everything else isn't, and text never equals a secret."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != Secret("ab")
    assert Secret("a") != "a"
    assert not Secret("")


def test_a_copy_is_the_same_object() -> None:
    """Copies, deep ones too, make no second place where the content is."""
    secret = Secret(CANARY)
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"s": secret})["s"] is secret


@pytest.mark.parametrize(
    "make", [lambda: Secret(f"{CANARY}\ud800"), lambda: Secret(CANARY.encode() + b"\xff").reveal()]
)
def test_what_is_not_text_is_refused_without_being_shown(make: Callable[[], object]) -> None:
    """The errors of the codecs hold the whole content, so they aren't passed on."""
    with pytest.raises(ValueError, match="secret") as caught:
        make()
    assert caught.value.__context__ is None
    assert CANARY not in repr(caught.value.args)


@pytest.mark.parametrize("text", ["", " ", "short", "x" * 15, " " * 64, "\t\n" * 20, "  " + "x" * 15 + "  "])
def test_a_guessable_webhook_secret_is_refused(text: str) -> None:
    """Empty, blank and short secrets can't be configured, and the error doesn't repeat them."""
    with pytest.raises(ConfigurationError) as caught:
        check_webhook_secret(Secret(text), subject="app 1")
    assert not text.strip() or text not in str(caught.value)


def test_a_long_webhook_secret_is_accepted() -> None:
    """Sixteen bytes are enough."""
    secret = Secret("x" * 16)
    assert check_webhook_secret(secret, subject="app 1") is secret
