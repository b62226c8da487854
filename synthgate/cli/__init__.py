"""The command line. Everything heavy is imported by the command that needs it."""

from synthgate.cli.app import commands, main, run_command
from synthgate.cli.judging import Exit, Progress
from synthgate.cli.run import MAX_SEED, PRESETS
from synthgate.render import FORMATS

__all__ = ["FORMATS", "MAX_SEED", "PRESETS", "Exit", "Progress", "commands", "main", "run_command"]
