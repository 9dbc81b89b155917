"""Lets ``python -m speckitty_connectors.cli`` stand for the command."""

from . import main

main()
