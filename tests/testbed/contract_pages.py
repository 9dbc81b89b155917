"""Writes a page for each rule of the contract; ``make reference`` runs it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from speckitty_connectors.contract.rules import Over, Rule
from speckitty_connectors.contract.stores import store_rules
from speckitty_connectors.contract.suite import all_rules

ROOT = Path(__file__).resolve().parents[2]

GROUPS = {
    "M": "Manifest",
    "V": "Verification",
    "E": "Events",
    "I": "Installing and linking",
    "L": "Listing",
    "S": "Suggestions",
    "W": "Webhooks made through an API",
    "R": "Refresh parameters",
    "T": "Passing trouble",
    "P": "Policy",
    "H": "Hygiene",
    "D": "Documentation",
    "B": "Databases",
}
"""The letter of a rule's id → its group."""

CASES = {
    Over.PLUGIN: "the plugin as a whole",
    Over.DELIVERIES: "each recorded delivery",
    Over.SCHEMES: "each signature scheme of the manifest",
    Over.INSTALLS: "each recorded step of connecting",
    Over.LINKS: "each recorded step of linking",
    Over.LISTINGS: "each recorded listing",
    Over.EXCHANGES: "each recorded exchange",
    Over.SUBSCRIPTIONS: "each recorded step about a webhook",
    Over.DATABASE: "a database",
}

INDEX = "README.md"


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page, the index first."""
    rules = {**all_rules(), **store_rules()}
    yield INDEX, _index(list(rules.values()))
    for rule in rules.values():
        yield f"{rule.id}.md", _page(rule)


def _index(rules: list[Rule]) -> str:
    lines = [
        "# The rules of the contract",
        "",
        f"The suite judges a plugin by {len(all_rules())} rules: [how to run it](../plugin-authors.md),",
        f"[how rules come and go](growth.md). It judges a database by {len(store_rules())} more:",
        "[how to run those](stores.md). Each page says what is checked, why, and how to fix it. The pages are",
        "written from the rules: `make reference`.",
    ]
    for letter, group in GROUPS.items():
        lines += ["", f"## {group}", "", "| rule | says | since |", "|---|---|---|"]
        of_group = sorted((rule for rule in rules if rule.id[0] == letter), key=lambda rule: rule.id)
        lines += [f"| [{rule.id}]({rule.id}.md) | {rule.title} | {rule.since} |" for rule in of_group]
    return "\n".join(lines) + "\n"


def _page(rule: Rule) -> str:
    needs = f", where the manifest declares `{rule.needs}`" if rule.needs else ""
    waiving = "It can be [waived](../plugin-authors.md) by name." if rule.waivable else "It can't be waived."
    return (
        f"# {rule.id} · {rule.title}\n\n"
        f"[{GROUPS[rule.id[0]]}](README.md) · since contract {rule.since} · "
        f"judged for {CASES[rule.over]}{needs}\n\n"
        f"## What it checks\n\n{rule.checks}\n\n"
        f"## Why\n\n{_sentence(rule.why)}\n\n"
        f"## How to fix\n\n{_sentence(rule.fix)}\n\n"
        f"{waiving}\n"
    )


def _sentence(text: str) -> str:
    """Begin with a capital letter, unless code comes first."""
    return text[:1].upper() + text[1:] if re.match(r"[a-z]+[ ,:]", text) else text


def write(folder: Path) -> None:
    """Write every page into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(ROOT / "docs" / "contract")
