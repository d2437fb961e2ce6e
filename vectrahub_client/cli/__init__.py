"""The command line: one file per command, `main` for what they share, `screen` for what is shown."""
