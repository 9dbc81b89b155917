"""A host that is written with Django, on the database of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.conf import settings
from django.db import connections, transaction
from sqlalchemy.engine import URL

from speckitty_connectors.dispatch.handlers import HostTransaction

ENGINES = {"sqlite": "django.db.backends.sqlite3", "postgresql": "django.db.backends.postgresql"}


@contextmanager
def connected_django(url: URL) -> Iterator[HostTransaction]:
    """Connect Django to a database, and give what opens its transactions there."""
    if not settings.configured:
        settings.configure(USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField")
        django.setup()
    connections.settings = connections.configure_settings({"default": _described(url)})
    try:
        yield _atomic
    finally:
        connections.close_all()
        del connections["default"]


@contextmanager
def _atomic() -> Iterator[Any]:
    with transaction.atomic(), connections["default"].cursor() as cursor:
        yield cursor


def _described(url: URL) -> dict[str, object]:
    name = url.get_backend_name()
    place = {"HOST": url.query.get("host", url.host or ""), "PORT": str(url.port or "")}
    return {
        "ENGINE": ENGINES[name],
        "NAME": url.database,
        "USER": url.username or "",
        "PASSWORD": url.password or "",
        **(place if name == "postgresql" else {}),
    }
