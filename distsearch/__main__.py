"""The entry point of `python -m distsearch` and the command `distsearch`."""

from distsearch.cli.ending import Ending


def main() -> None:
    """Run the command line, ready for signals before the modules are imported, which takes a while."""
    ending = Ending()
    ending.take_over()
    from distsearch.cli import entry

    entry.run(ending)


if __name__ == "__main__":
    main()
