"""`python -m distsearch` and the command `distsearch`."""

import os
import signal
import sys

from distsearch.cli.app import application
from distsearch.cli.output import INTERRUPTED_EXIT_CODE
from distsearch.errors import DistsearchError, UserError


def main() -> None:
    """Run the command line. Errors are one sentence on stderr; the exit code says of which kind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        application(sys.argv[1:2])()
    except DistsearchError as error:
        print(f"distsearch: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:  # what no room has a better sentence for, such as a folder that may not be entered
        print(f"distsearch: cannot use {error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        sys.exit(UserError.exit_code)
    except KeyboardInterrupt:  # before the search, or the second one in it
        sys.stdout.flush()
        os._exit(INTERRUPTED_EXIT_CODE)  # at once: without Ray's own long good-bye


if __name__ == "__main__":
    main()
