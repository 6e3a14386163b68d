"""A docker-compose project for one test alone."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

HELP = (
    "cluster: no container engine answers: install Docker (https://docs.docker.com/engine/install) or start it, "
    "then try again"
)


class Compose:
    """The containers of a project with its own name, port on loopback and folder of runs."""

    def __init__(self, project: str, port: int, runs: Path) -> None:
        self.port = port
        self.network = f"{project}_default"
        self._command = [*_compose(), "--project-name", project]
        self._project = project
        self._environment = {**os.environ, "DISTSEARCH_PORT": str(port), "DISTSEARCH_RUNS": str(runs)}

    def build(self) -> None:
        """Build the image."""
        self._compose("build")

    def up(self, *options: str) -> None:
        """Start what is not running."""
        self._compose("up", "--detach", *options)

    def down(self) -> None:
        """Stop and remove the containers, networks and volumes."""
        self._compose("down", "--volumes", "--remove-orphans")

    def logs(self) -> str:
        """The output of all containers."""
        return self._compose("logs", "--no-color")

    def inside(self, service: str, *command: str) -> str:
        """The output of a command in the first container of a service."""
        return self._compose("exec", "-T", service, *command)

    def image(self) -> str:
        """Everything the image says about itself: its layers' commands, its environment, its labels."""
        return self.docker("history", "--no-trunc", "distsearch") + self.docker("image", "inspect", "distsearch")

    def containers(self, service: str, *options: str) -> list[str]:
        """The names of a service's running containers, in the order of their numbers; with "--all", ended ones too."""
        of = [f"label=com.docker.compose.{name}" for name in (f"project={self._project}", f"service={service}")]
        names = self.docker("ps", *options, "--filter", of[0], "--filter", of[1], "--format", "{{.Names}}").split()
        return sorted(names)

    def healthy(self, service: str) -> list[str]:
        """The names of those whose health check passes."""
        states = {each: self.inspect(each)["State"]["Health"]["Status"] for each in self.containers(service)}
        return [each for each, state in states.items() if state == "healthy"]

    def published(self) -> list[str]:
        """The addresses of this machine at which the containers' ports are published."""
        found = []
        for service in ("head", "worker", "prepare"):
            for container in self.containers(service):
                ports = self.inspect(container)["NetworkSettings"]["Ports"]
                found += [f"{each['HostIp']}:{each['HostPort']}" for at in ports.values() for each in at or ()]
        return found

    def inspect(self, container: str) -> dict[str, Any]:
        """Everything that the engine says about a container."""
        return json.loads(self.docker("inspect", container))[0]

    def docker(self, *arguments: str) -> str:
        """The output of a docker command."""
        return _output(["docker", *arguments])

    def _compose(self, *arguments: str) -> str:
        return _output([*self._command, *arguments], self._environment)


def refused(address: str, port: int) -> bool:
    """Whether nothing listens on a port."""
    with socket.socket() as door:
        door.settimeout(2)
        return door.connect_ex((address, port)) != 0


def free_port() -> int:
    """A free port on loopback."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


def own_address() -> str:
    """This machine's address as others see it; finding it sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        try:
            door.connect(("192.0.2.1", 9))
        except OSError:  # no network
            return "127.0.0.2"
        return door.getsockname()[0]


def _compose() -> list[str]:
    """The command for Compose v2 or v1, whichever is installed. Exits with 2 if there is no engine."""
    if _works(["docker", "info"]):
        for command in (["docker", "compose"], ["docker-compose"]):
            if _works([*command, "version"]):
                return command
    print(HELP, file=sys.stderr)
    sys.exit(2)


def _works(command: list[str]) -> bool:
    try:
        return (
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
        )
    except FileNotFoundError:
        return False


def _output(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"cluster: {' '.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout
