"""Fixtures that read the repository itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def texts(root: Path) -> dict[str, str]:
    """Every file that git keeps or would add, as text, by its path in the repository."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    files = {name: root / name for name in listed.split("\0") if name}
    return {name: file.read_text(errors="replace") for name, file in files.items() if file.is_file()}
