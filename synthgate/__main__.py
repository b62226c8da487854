"""Run the command line with ``python -m synthgate``."""

from synthgate.cli import main

main()
