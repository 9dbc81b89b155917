"""Writes distributions as an installer leaves them on disk, so that discovery reads the real thing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def write_distribution(
    folder: Path,
    name: str,
    *,
    entry_points: str,
    version: str = "1.0",
    modules: Mapping[str, str] | None = None,
) -> None:
    """Write the ``.dist-info`` of a distribution into `folder`, and its modules beside it.

    Args:
        folder: a folder that is, or will be, on ``sys.path``.
        name: name of the distribution.
        entry_points: text of ``entry_points.txt``.
        version: version of the distribution.
        modules: module name → source text.
    """
    information = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    information.mkdir(parents=True)
    information.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    information.joinpath("entry_points.txt").write_text(entry_points)
    for module, source in (modules or {}).items():
        folder.joinpath(f"{module}.py").write_text(source)
