"""The suite signs and judges every scheme that a manifest can name."""

from __future__ import annotations

import pytest
from attrs import evolve

from contract.hostile.boards import MANIFEST
from contract.hostile.catalogue import Hostile, honest_samples
from speckitty_connectors.contract.examination import Verdict, examine
from speckitty_connectors.contract.suite import contract_of
from speckitty_connectors.plugin import (
    BearerJwt,
    BodyTimestamp,
    HexHmac,
    SignatureScheme,
    StandardWebhooks,
    WebhookRules,
)

SCHEMES: dict[str, SignatureScheme] = {
    "standard": StandardWebhooks(
        id_header="X-Acme-Id", timestamp_header="X-Acme-Time", signature_header="X-Acme-Sig"
    ),
    "dated": HexHmac(header="X-Dated", body_timestamp=BodyTimestamp(field="sent", unit=1000, tolerance=60)),
    "plain": HexHmac(header="X-Plain"),
    "bearer": BearerJwt(),
    **MANIFEST.webhooks.schemes,
}


@pytest.mark.parametrize("strongest", SCHEMES)
def test_a_provider_of_each_scheme_keeps_every_rule(strongest: str) -> None:
    """Whatever the strongest scheme is, an honest provider passes, and proofs of each scheme are judged."""
    others = ("bearer", "token") if strongest not in {"bearer", "token"} else ()
    names = dict.fromkeys([strongest, *others])
    webhooks: WebhookRules = evolve(MANIFEST.webhooks, schemes={name: SCHEMES[name] for name in names})
    plugin = Hostile()
    plugin.manifest = evolve(MANIFEST, webhooks=webhooks)  # of this one object
    found = examine(contract_of(plugin, honest_samples()))
    assert found.broken == []
    judged = {finding.case for finding in found.findings if finding.rule.id == "V03"}
    assert judged == set(names)
    kept = {finding.rule.id for finding in found.findings if finding.verdict is Verdict.KEPT}
    assert {"V01", "V03", "V04", "V08", "V09", "V10", "V11", "V12", "V14", "V15", "V18", "V19"} <= kept
