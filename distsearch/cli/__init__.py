"""The command line: commands in app, cluster, comparisons, models and records; options in options.

Tables are in tables, printing and writing in output, the live bar in progress.
"""
