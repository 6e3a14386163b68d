"""`python -m distsearch` and the command `distsearch`."""

import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from distsearch.cli.app import application
from distsearch.cli.output import INTERRUPTED_EXIT_CODE
from distsearch.errors import DistsearchError, UserError


class _Ending:
    """What SIGINT and SIGTERM do but where a search notes them: the first unwinds, the second ends at once."""

    def __init__(self) -> None:
        self._came = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._came:
            os._exit(INTERRUPTED_EXIT_CODE)
        self._came = True
        raise KeyboardInterrupt


def main() -> None:
    """Run the command line. Errors are one sentence on stderr; the exit code says of which kind."""
    ending = _Ending()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ending)
    try:
        application(sys.argv[1:2])()
    except DistsearchError as error:
        print(f"distsearch: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:  # what no room has a better sentence for, such as a folder that may not be entered
        print(f"distsearch: cannot use {error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        sys.exit(UserError.exit_code)
    except KeyboardInterrupt:
        _leave()
    except SystemExit as ended:  # how every command ends
        if ended.code == INTERRUPTED_EXIT_CODE:
            _leave()
        raise


def _leave() -> NoReturn:
    """End as interrupted, at once: without Ray's own long good-bye, and whatever signals are still to come."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody may be reading any more
            stream.flush()
    os._exit(INTERRUPTED_EXIT_CODE)


if __name__ == "__main__":
    main()
