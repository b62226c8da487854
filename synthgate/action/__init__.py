"""What the GitHub action runs: which gates a push concerns, their verdicts, and how they are shown."""
