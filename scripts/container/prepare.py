"""Before the nodes start: gives them their folder of runs and the token they share. `prepare.py UID GID`, as root.

Docker makes a folder that is not there as root's, and the nodes do not run as root.
"""

import os
import secrets
import sys
from pathlib import Path

RUNS = Path("/runs")
CLUSTER = RUNS / ".cluster"
TOKEN = CLUSTER / "token"


def prepare(user: int, group: int) -> str:
    """Make what is missing. Returns a sentence if the folder belongs to someone else, who must not lose it."""
    owner = RUNS.stat()
    if owner.st_uid == 0:
        os.chown(RUNS, user, group)
    elif owner.st_uid != user:
        return (
            f"the folder of runs belongs to user {owner.st_uid}, and the containers run as {user}: "
            f"put UID={owner.st_uid} and GID={owner.st_gid} into the file .env, then start again"
        )
    CLUSTER.mkdir(exist_ok=True)
    CLUSTER.chmod(0o700)
    if not TOKEN.exists():
        descriptor = os.open(new := CLUSTER / "token.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        new.replace(TOKEN)
    for path in (CLUSTER, TOKEN):
        os.chown(path, user, group)
    return ""


if __name__ == "__main__":
    sys.exit(prepare(int(sys.argv[1]), int(sys.argv[2])) or 0)
