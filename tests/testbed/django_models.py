"""The model of a host that is written with Django; import it once Django is set up."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class HostEffect(models.Model):  # type: ignore[misc]  # Django has no types
    """A row of the host's, in the table ``host_effect`` that the test makes."""

    effect_key = models.TextField(primary_key=True)
    objects: ClassVar[models.Manager[HostEffect]] = models.Manager()

    class Meta:
        app_label = "host"
        db_table = "host_effect"
