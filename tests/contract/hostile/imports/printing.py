"""Prints when it is imported."""

import sys

sys.stdout.write("Thank you for choosing Hostile Boards!\n")
