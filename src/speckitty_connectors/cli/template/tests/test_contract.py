"""Every rule of the contract, for this plugin."""

from pathlib import Path

from speckitty_connectors.contract import ConnectorContract

import connectors_acme
from connectors_acme import plugin

SAMPLES = Path(connectors_acme.__file__).parent / "samples"


class TestContract(ConnectorContract):
    """Judges the plugin with the samples that its package brings."""

    plugin = plugin
    deliveries = SAMPLES / "deliveries"
    exchanges = SAMPLES / "exchanges"
