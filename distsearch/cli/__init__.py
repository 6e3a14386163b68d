"""The command line: commands in app and comparisons, their options in options, the live bar in progress.

Tables are in tables, what is printed and written in output.
"""
