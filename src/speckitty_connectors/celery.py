"""Celery as the engine: each accepted delivery becomes a message that carries its id and nothing else.

A message may be lost, doubled, delayed or forged: `Connectors.run` claims what the id names, or does nothing. What
no message names in time, the sweeper finds: keep one ``speckitty-connectors work --after 10`` running.
"""

from __future__ import annotations

from typing import Any, Final

from celery import Celery  # type: ignore[import-untyped]  # it has no types

from .connectors import Connectors

TASK: Final = "speckitty_connectors.run"
"""The task's name, which routes and monitoring of yours may refer to."""

QUEUE: Final = "speckitty-connectors"
"""The queue that messages go to, unless you name another."""


def use_celery(connectors: Connectors, app: Celery, *, queue: str = QUEUE) -> Any:
    """Have Celery's workers run what is accepted; return the task.

    Call it once in each process that receives deliveries or works, where the app is made:

        connectors = Connectors(settings)
        app = Celery("yours", broker="redis://localhost")
        use_celery(connectors, app)

    Results, retries and late acknowledgements of Celery aren't used: what was begun is known by our own rows. A
    message is sent once and never waited for; a broker that is gone costs the delivery the sweeper's interval.

    Args:
        connectors: the host's, with its handlers.
        app: the host's Celery app.
        queue: the queue that messages go to.
    """

    def run(name: str) -> None:
        connectors.run(name)

    task: Any = app.task(name=TASK, ignore_result=True, acks_late=False, shared=False)(run)

    @connectors.on_accepted
    def send(name: str) -> None:
        task.apply_async((name,), queue=queue, retry=False, ignore_result=True)

    return task
