"""How an installation stands once what it was granted is compared with what is needed today."""

from __future__ import annotations

from attrs import evolve

from ..loading.registry import Registry
from ..loading.statuses import PluginUnavailableError
from .statuses import InstallationStatus, StatusReason
from .types import Installation


def as_it_stands(installation: Installation, registry: Registry) -> Installation:
    """Return an active installation that was granted too little as one that needs consent again.

    It is found whenever an installation is loaded and never stored, because the manifest of the next release of
    a plugin may need more, or less. Deliveries go on being routed meanwhile.
    """
    if installation.status is not InstallationStatus.ACTIVE:
        return installation
    try:
        missing = registry.provider(installation.provider).manifest.missing_scopes(installation.scopes)
    except PluginUnavailableError:
        return installation
    if not missing:
        return installation
    return evolve(
        installation,
        status=InstallationStatus.NEEDS_RECONSENT,
        status_reason=StatusReason.SCOPES_MISSING,
        missing_scopes=missing,
    )
