"""Bearer tokens: a right MAC is not enough."""

from __future__ import annotations

import pytest

from speckitty_connectors.providers.signatures import BearerJwt
from testbed.webhooks import NOW_SECONDS, SECRET, accepted, jwt_text, signed, unpadded

GOOD_CLAIMS = {"iat": NOW_SECONDS, "exp": NOW_SECONDS + 60}
BAD_TOKENS = {
    "no algorithm": ({"alg": "none"}, GOOD_CLAIMS),
    "another algorithm": ({"alg": "HS512"}, GOOD_CLAIMS),
    "an asymmetric algorithm": ({"alg": "RS256"}, GOOD_CLAIMS),
    "algorithm in lower case": ({"alg": "hs256"}, GOOD_CLAIMS),
    "critical extension": ({"alg": "HS256", "crit": ["exp"], "exp": 1}, GOOD_CLAIMS),
    "unencoded payload": ({"alg": "HS256", "b64": False, "crit": ["b64"]}, GOOD_CLAIMS),
    "header of another type": (["HS256"], GOOD_CLAIMS),
    "no end": ({"alg": "HS256"}, {"iat": NOW_SECONDS}),
    "no beginning": ({"alg": "HS256"}, {"exp": NOW_SECONDS + 60}),
    "over": ({"alg": "HS256"}, {"iat": NOW_SECONDS - 600, "exp": NOW_SECONDS - 60}),
    "from the future": ({"alg": "HS256"}, {"iat": NOW_SECONDS + 61, "exp": NOW_SECONDS + 120}),
    "NaN": ({"alg": "HS256"}, {"iat": NOW_SECONDS, "exp": float("nan")}),
    "infinite": ({"alg": "HS256"}, {"iat": NOW_SECONDS, "exp": float("inf")}),
    "text": ({"alg": "HS256"}, {"iat": NOW_SECONDS, "exp": str(NOW_SECONDS + 60)}),
    "true": ({"alg": "HS256"}, {"iat": True, "exp": NOW_SECONDS + 60}),
    "null": ({"alg": "HS256"}, {"iat": NOW_SECONDS, "exp": None}),
    "claims of another type": ({"alg": "HS256"}, [1]),
}


@pytest.mark.parametrize(("header", "claims"), BAD_TOKENS.values(), ids=BAD_TOKENS)
def test_bad_tokens_are_refused(header: object, claims: object) -> None:
    """A token with a right HMAC is refused for any other algorithm, unknown demand, or time that isn't now."""
    token = jwt_text(header, claims, SECRET.reveal_bytes())
    assert not accepted(BearerJwt(), {"authorization": f"Bearer {token}"})


def test_unreadable_tokens_are_refused() -> None:
    """Tokens that no decoder can take, deep ones too, end in the same typed error."""
    deep = unpadded(b"[" * 5000)
    number = unpadded(b'{"alg":"HS256","n":' + b"9" * 5000 + b"}")
    for token in ("", ".", "..", "a.b", "a.b.c", "a.b.c.d", "é.b.c", f"{deep}.e30.AA", f"{number}.e30.AA", "=.=.="):
        assert not accepted(BearerJwt(), {"authorization": f"Bearer {token}"})
    good = signed(BearerJwt())["authorization"].removeprefix("Bearer ")
    assert not accepted(BearerJwt(), {"authorization": good})
    assert not accepted(BearerJwt(), {"authorization": f"Basic {good}"})
