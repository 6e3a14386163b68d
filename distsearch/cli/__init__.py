"""The command line: commands in app, the options of `run` in options, the live bar in progress, tables in tables."""
