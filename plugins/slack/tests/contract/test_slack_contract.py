"""Slack's plugin keeps every rule of the contract."""

from pathlib import Path

import speckitty_connectors_slack
from speckitty_connectors.contract import ConnectorContract
from speckitty_connectors_slack import plugin

SAMPLES = Path(speckitty_connectors_slack.__file__).parent / "samples"


class TestContract(ConnectorContract):
    plugin = plugin
    deliveries = SAMPLES / "deliveries"
    exchanges = SAMPLES / "exchanges"
