"""Signatures: nothing else passes for one."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.inbox.responses import VerificationRefusedError
from speckitty_connectors.inbox.signatures import headers_read, verify
from speckitty_connectors.providers.signatures import BearerJwt, HexHmac, SignatureScheme, StandardWebhooks
from testbed.webhooks import (
    BODY,
    GITHUB,
    JIRA,
    NOW,
    OTHER,
    SCHEMES,
    SECRET,
    accepted,
    as_secret,
    forged,
    signed,
    unpadded,
)

# --- fail closed -----------------------------------------------------------------------------------------------


JUNK = {
    "empty": "",
    "blank": "   ",
    "a word": "junk",
    "prefix only": "sha256=",
    "version only": "v0=",
    "standard version only": "v1,",
    "scheme only": "Bearer ",
    "null": "null",
    "NUL": "\x00",
    "not ASCII": "é",
    "lone surrogate": "\ud800",
    "zeros": "sha256=" + "0" * 64,
    "very long": "a" * 100_000,
}


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
@pytest.mark.parametrize("key", [None, b"", b" " * 40, b"fifteen-bytes-x"], ids=["none", "empty", "blank", "short"])
def test_worthless_secrets_accept_nothing(scheme: SignatureScheme, key: bytes | None) -> None:
    """With no, an empty, a blank or a short secret nothing passes: no header, junk, or what that secret signs."""
    secrets = {} if key is None else {"s": Secret(key.decode())}
    proof = headers_read(scheme)[0]
    own = forged(scheme, key or b"")
    candidates = [{}, own, {name: value for name, value in own.items() if name != proof}]
    candidates += [{**own, proof: value} for value in JUNK.values()]
    assert not any(accepted(scheme, headers, secrets) for headers in candidates)


@pytest.mark.parametrize("length", [0, 15, 23])
def test_short_standard_webhooks_keys_accept_nothing(length: int) -> None:
    """A key below the 24 bytes of the specification verifies nothing, however long its text is."""
    scheme, key = StandardWebhooks(), b"k" * length
    assert not accepted(scheme, forged(scheme, key), {"s": as_secret(scheme, key)})


def test_bearer_secrets_are_as_long_as_the_digest() -> None:
    """A secret of 31 bytes verifies no HS256 token, one of 32 does (RFC 7518, section 3.2)."""
    for length, expected in ((31, False), (32, True)):
        key = b"k" * length
        assert accepted(BearerJwt(), forged(BearerJwt(), key), {"s": Secret(key.decode())}) is expected


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_an_independent_signer_agrees(scheme: SignatureScheme) -> None:
    """What another implementation of the scheme signs is accepted, so refusals here mean something."""
    key = b"k" * 32
    assert accepted(scheme, forged(scheme, key), {"s": as_secret(scheme, key)})


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_every_header_is_needed_and_junk_is_refused(scheme: SignatureScheme) -> None:
    """A good secret doesn't help a request with a header missing, or junk for its signature."""
    good = signed(scheme)
    for missing in headers_read(scheme):
        assert not accepted(scheme, {name: value for name, value in good.items() if name != missing})
        assert not accepted(scheme, {**good, missing: ""})
    for value in JUNK.values():
        assert not accepted(scheme, {**good, headers_read(scheme)[0]: value})


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_another_secret_is_refused(scheme: SignatureScheme) -> None:
    """What somebody else's secret signed proves nothing here."""
    assert not accepted(scheme, signed(scheme, OTHER))


BODY_SIGNING = {name: scheme for name, scheme in SCHEMES.items() if name not in {"plain", "bearer"}}


@pytest.mark.parametrize("scheme", BODY_SIGNING.values(), ids=BODY_SIGNING)
def test_another_body_is_refused(scheme: SignatureScheme) -> None:
    """One more byte, one less, or one other, and the signature no longer fits."""
    headers = signed(scheme)
    for body in (BODY + b" ", BODY[:-1], BODY.replace(b"1", b"2", 1), b""):
        assert not accepted(scheme, headers, body=body)


# --- a signature is one text, whole ----------------------------------------------------------------------------


def mac_of(scheme: SignatureScheme, proof: str) -> tuple[str, bytes]:
    """Split a header's value into what stands before the MAC, and the MAC's bytes."""
    mark = {StandardWebhooks: ",", BearerJwt: "."}.get(type(scheme), "=")
    before, _, text = proof.rpartition(mark)
    if isinstance(scheme, StandardWebhooks | BearerJwt):
        return before + mark, base64.urlsafe_b64decode(
            text.replace("+", "-").replace("/", "_") + "=" * (-len(text) % 4)
        )
    return (before + mark if before else ""), bytes.fromhex(text)


def with_mac(scheme: SignatureScheme, before: str, mac: bytes) -> str:
    if isinstance(scheme, StandardWebhooks):
        return before + base64.b64encode(mac).decode()
    return before + (unpadded(mac) if isinstance(scheme, BearerJwt) else mac.hex())


SIGNING = {name: scheme for name, scheme in SCHEMES.items() if name != "plain"}


@pytest.mark.parametrize("scheme", SIGNING.values(), ids=SIGNING)
def test_every_flipped_bit_is_noticed(scheme: SignatureScheme) -> None:
    """Each of the 256 bits of the MAC counts."""
    good = signed(scheme)
    proof = headers_read(scheme)[0]
    before, mac = mac_of(scheme, good[proof])
    assert with_mac(scheme, before, mac) == good[proof]
    for bit in range(256):
        flipped = (int.from_bytes(mac, "big") ^ (1 << bit)).to_bytes(32, "big")
        assert not accepted(scheme, {**good, proof: with_mac(scheme, before, flipped)})


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_no_truncation_passes(scheme: SignatureScheme) -> None:
    """Every proper prefix of the header's value is refused, so all 64 truncations of a hex MAC are."""
    good = signed(scheme)
    proof = headers_read(scheme)[0]
    for length in range(len(good[proof])):
        assert not accepted(scheme, {**good, proof: good[proof][:length]})


@pytest.mark.parametrize("scheme", SIGNING.values(), ids=SIGNING)
def test_other_spellings_of_the_same_bytes_are_refused(scheme: SignatureScheme) -> None:
    """What a lenient decoder would read as the same MAC is not what the provider sends."""
    good = signed(scheme)
    proof = headers_read(scheme)[0]
    text = good[proof]
    spellings = {
        text + " ",
        " " + text,
        text + "=",
        text[:-4] + " " + text[-4:],
        text[:-4] + "!" + text[-4:],
        text * 2,
    }
    spellings |= {f"{text}, {text}", f"{text},{text}", text + "\n", '"' + text + '"'}
    if not isinstance(scheme, StandardWebhooks | BearerJwt):
        spellings.add(text[:-64] + text[-64:].upper())
    for spelling in spellings - {text}:
        assert not accepted(scheme, {**good, proof: spelling}), spelling


def test_unused_bits_of_a_token_are_not_ignored() -> None:
    """The last letter of a base64 MAC has two spare bits; a token with another one of them is refused."""
    good = signed(BearerJwt())["authorization"]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    accepted_letters = [x for x in letters if accepted(BearerJwt(), {"authorization": good[:-1] + x})]
    assert accepted_letters == [good[-1]]


# --- downgrades ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", [GITHUB, JIRA], ids=["github", "jira"])
def test_a_correct_sha1_signature_is_refused(scheme: HexHmac) -> None:
    """SHA-1 is never read, neither in its own header nor under its own prefix, although the MAC is right."""
    mac = hmac.new(SECRET.reveal_bytes(), BODY, hashlib.sha1).hexdigest()
    for value in (f"sha1={mac}", f"sha256={mac}", mac):
        assert not accepted(scheme, {"x-hub-signature": value, scheme.header.lower(): value})
    assert not accepted(GITHUB, {"x-hub-signature": f"sha1={mac}"})


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_only_the_asked_scheme_counts(scheme: SignatureScheme) -> None:
    """A request that satisfies every other scheme of the same secret is refused by this one."""
    others: dict[str, str] = {}
    for other in SCHEMES.values():
        if other is not scheme:
            others |= signed(other)
    for name in headers_read(scheme):
        others.pop(name, None)
    assert not accepted(scheme, others)


# --- whatever comes --------------------------------------------------------------------------------------------

NAMES = sorted({name for scheme in SCHEMES.values() for name in headers_read(scheme)})
VALUES = st.one_of(
    st.text(max_size=80),
    st.sampled_from(sorted({value for scheme in SCHEMES.values() for value in signed(scheme).values()})),
    st.from_regex(r"(sha256=|v0=|v1,|Bearer )?[0-9a-f.]{0,70}", fullmatch=True),
)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
@settings(max_examples=100, deadline=None, database=None)
@given(headers=st.dictionaries(st.sampled_from(NAMES), VALUES), body=st.binary(max_size=60))
def test_nothing_makes_verification_raise(scheme: SignatureScheme, headers: dict[str, str], body: bytes) -> None:
    """Any headers over any body end in an accepted request or in the one typed error."""
    accepted(scheme, headers, body=body)


def test_refusals_repeat_nothing_of_the_request() -> None:
    """The error's text has neither the secret nor anything that was sent."""
    with pytest.raises(VerificationRefusedError) as refusal:
        verify(GITHUB, {"s": SECRET}, {"x-hub-signature-256": "sha256=marker"}, b"marker", NOW)
    assert "marker" not in str(refusal.value)
    assert SECRET.reveal() not in repr(refusal.value)
    assert refusal.value.code == "signature_refused"
    assert refusal.value.status == 403
