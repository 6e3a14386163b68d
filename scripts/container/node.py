"""Starts Ray in this container: `node.py head`, which schedules and computes nothing, or `node.py worker`.

Ray takes the place of this process. It is told what the container's limits are, for it would count the host's cores.
"""

import os
import sys

STORE_SHARE = 0.9  # of /dev/shm, which the object store must fit into
METRICS_PORT = 8080  # where Prometheus asks, on every node
# Chosen here, or each node waits for its agents to choose, and on a busy machine gives up.
AGENT_PORTS = {"--dashboard-agent-grpc-port": 52366, "--runtime-env-agent-port": 52367}


def command(role: str) -> list[str]:
    """The command line for a role."""
    shared = os.statvfs("/dev/shm")  # noqa: S108  (Ray's object store lives there)
    store = int(STORE_SHARE * shared.f_frsize * shared.f_blocks)
    if role == "head":
        place = ["--head", "--num-cpus", "0", "--dashboard-host", "0.0.0.0"]  # noqa: S104  (the container's)
    else:
        cpus = max(1, int(float(os.environ["DISTSEARCH_WORKER_CPUS"])))
        place = ["--address", "head:6379", "--num-cpus", str(cpus)]
    options = {"--object-store-memory": store, "--metrics-export-port": METRICS_PORT, **AGENT_PORTS}
    return ["ray", "start", "--block", *place, *(str(word) for option in options.items() for word in option)]


if __name__ == "__main__":
    arguments = command(sys.argv[1])
    os.execvp(arguments[0], arguments)  # noqa: S606
