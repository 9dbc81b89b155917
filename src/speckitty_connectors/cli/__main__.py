"""Lets ``python -m speckitty_connectors.cli`` stand for the command."""

from . import main

if __name__ == "__main__":  # worker processes import it under another name
    main()
