"""The health check of a container: `healthy.py PORT PATH` exits with 0 if Ray answers there with 200."""

import sys
from http.client import HTTPConnection, HTTPException


def healthy(port: int, path: str) -> bool:
    """Whether a GET of the path on this machine is answered with 200, within 4 seconds."""
    connection = HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not healthy(int(sys.argv[1]), sys.argv[2]))
