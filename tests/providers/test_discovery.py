"""What is found by reading the metadata of distributions."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from speckitty_connectors.loading.discovery import GROUP, PluginEntryPoint, discover
from speckitty_connectors.providers.manifest import CONTRACT_MAJOR
from testbed.distributions import write_distribution

ACME = f"[{GROUP}]\nacme = acme_boards:plugin\n"


def discover_in(*folders: Path) -> tuple[PluginEntryPoint, ...]:
    """Discover what is in these folders, as if they were all of ``sys.path``."""
    return discover(metadata.distributions(path=[str(folder) for folder in folders]))


def test_the_group_carries_the_major_version() -> None:
    """The entry-point group is named after the major version of the contract."""
    assert f"speckitty_connectors.v{CONTRACT_MAJOR}" == GROUP


def test_a_plugin_is_found_with_its_distribution(tmp_path: Path) -> None:
    """An entry point is found with the name and version of the distribution that offers it."""
    write_distribution(tmp_path, "acme-boards", version="1.2", entry_points=ACME)
    assert discover_in(tmp_path) == (
        PluginEntryPoint(
            provider="acme", value="acme_boards:plugin", distribution="acme-boards", version="1.2", group=GROUP
        ),
    )


@pytest.mark.parametrize("second_name", ["acme-boards", "Acme_Boards"])
def test_a_distribution_found_twice_counts_once(tmp_path: Path, second_name: str) -> None:
    """An editable install beside a wheel of the same distribution is one plugin, of the first path's version."""
    write_distribution(tmp_path / "editable", "acme-boards", version="2.0", entry_points=ACME)
    write_distribution(tmp_path / "wheel", second_name, version="1.0", entry_points=ACME)
    assert [found.version for found in discover_in(tmp_path / "editable", tmp_path / "wheel")] == ["2.0"]


def test_two_distributions_stay_two(tmp_path: Path) -> None:
    """Two distributions that offer the same object under the same key are both found."""
    write_distribution(tmp_path, "acme-boards", entry_points=ACME)
    write_distribution(tmp_path, "acme-copy", entry_points=ACME)
    assert [found.distribution for found in discover_in(tmp_path)] == ["acme-boards", "acme-copy"]


def test_a_distribution_for_two_majors_is_listed_once(tmp_path: Path) -> None:
    """A distribution that supports another major beside ours isn't reported for the other one."""
    both = f"{ACME}[speckitty_connectors.v2]\nacme = acme_boards.second:plugin\n"
    write_distribution(tmp_path, "acme-boards", entry_points=both)
    assert [found.group for found in discover_in(tmp_path)] == [GROUP]


def test_entry_points_of_others_are_left_aside(tmp_path: Path) -> None:
    """Entry points of other groups, readable or not, are none of our business."""
    write_distribution(tmp_path, "a-tool", entry_points="[console_scripts]\na-tool = a_tool:main\n")
    write_distribution(tmp_path, "a-broken-tool", entry_points="[console_scripts]\nnonsense\n")
    write_distribution(tmp_path, "a-binary-tool", entry_points="")
    next(tmp_path.glob("a_binary_tool*")).joinpath("entry_points.txt").write_bytes(b"\xff\xfe\x00")
    assert discover_in(tmp_path) == ()


def test_missing_metadata_leaves_the_entry_point_as_its_name(tmp_path: Path) -> None:
    """A plugin whose distribution has lost its METADATA is still found, and named by its entry point."""
    write_distribution(tmp_path, "acme-boards", entry_points=ACME)
    next(tmp_path.glob("*.dist-info")).joinpath("METADATA").unlink()
    assert [(found.provider, found.label) for found in discover_in(tmp_path)] == [("acme", "acme_boards:plugin")]
