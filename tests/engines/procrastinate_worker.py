"""A worker process of Procrastinate."""

from __future__ import annotations

import os

from procrastinate import App, PsycopgConnector

from engines.host import BROKER_URL, connectors_from_environment
from speckitty_connectors.procrastinate import QUEUE, use_procrastinate


def main() -> None:
    """Work until killed."""
    app = App(connector=PsycopgConnector(conninfo=os.environ[BROKER_URL]))
    use_procrastinate(connectors_from_environment(), app)
    app.run_worker(queues=[QUEUE], concurrency=2)


if __name__ == "__main__":
    main()
