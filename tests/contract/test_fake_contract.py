"""The provider that lives in memory keeps every rule of the contract."""

from pathlib import Path

from speckitty_connectors import contract
from speckitty_connectors.contract.fake import FakeProvider
from speckitty_connectors.contract.suite import ConnectorContract

SAMPLES = Path(contract.__file__).parent / "samples"


class TestContract(ConnectorContract):
    plugin = FakeProvider()
    deliveries = SAMPLES / "deliveries"
    exchanges = SAMPLES / "exchanges"
