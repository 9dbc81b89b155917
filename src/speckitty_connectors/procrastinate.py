"""Procrastinate as the engine: each accepted delivery becomes a job that carries its id and nothing else.

A job may be lost, doubled, delayed or forged: `Connectors.run` claims what the id names, or does nothing. What no
job names in time, the sweeper finds: keep one ``speckitty-connectors work --after 10`` running.
"""

from __future__ import annotations

from typing import Any, Final

from procrastinate import App

from .connectors import Connectors

TASK: Final = "speckitty_connectors.run"
"""The task's name, which monitoring of yours may refer to."""

QUEUE: Final = "speckitty-connectors"
"""The queue that jobs go to, unless you name another."""


def use_procrastinate(connectors: Connectors, app: App, *, queue: str = QUEUE) -> Any:
    """Have Procrastinate's workers run what is accepted; return the task.

    Call it once in each process that receives deliveries or works, where the app is made and opened. Its connector
    has to be able to defer jobs from a thread, as `procrastinate.SyncPsycopgConnector` is, and the one of
    `procrastinate.contrib.django`.

        connectors = Connectors(settings)
        app = App(connector=PsycopgConnector(conninfo="postgresql://…"))
        use_procrastinate(connectors, app)

    Retries and locks of Procrastinate aren't used: what was begun is known by our own rows.

    Args:
        connectors: the host's, with its handlers.
        app: the host's Procrastinate app.
        queue: the queue that jobs go to.
    """

    @app.task(name=TASK, queue=queue)
    def run(name: str) -> None:
        connectors.run(name)

    @connectors.on_accepted
    def send(name: str) -> None:
        run.defer(name=name)

    return run
