"""`python -m distsearch` and the command `distsearch`."""

import sys

from distsearch.cli.app import INTERRUPTED_EXIT_CODE, application
from distsearch.errors import DistsearchError


def main() -> None:
    """Run the command line. Errors are one sentence on stderr; the exit code says of which kind."""
    try:
        application(sys.argv[1:2])()
    except DistsearchError as error:
        print(f"distsearch: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:  # outside of the search, which ends with a result
        sys.exit(INTERRUPTED_EXIT_CODE)


if __name__ == "__main__":
    main()
