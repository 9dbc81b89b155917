"""The Celery app of a worker process: ``celery --app engines.celery_worker worker``."""

from __future__ import annotations

import os

from celery import Celery  # type: ignore[import-untyped]  # it has no types

from engines.host import BROKER_URL, connectors_from_environment
from speckitty_connectors.celery import use_celery

app = Celery("engines", broker=os.environ[BROKER_URL])
app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)
use_celery(connectors_from_environment(), app)
