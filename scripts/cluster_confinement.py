"""Checks what the containers of a running cluster may do and contain against docker-compose.yml and the locks."""

import json
from typing import Any

from compose_project import Compose
from expectations import expect
from lock_file import versions

KERNEL = ("/proc", "/sys")
IN_MEMORY = {"/dev/mqueue", "/dev/shm", "/home/distsearch", "/tmp"}  # noqa: S108  (the containers')
WRITABLE = {"head": IN_MEMORY | {"/runs"}, "worker": IN_MEMORY}
LIMITS = """
import json, pathlib
status = dict(line.split(":\\t", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
places = [pathlib.Path("/sys/fs/cgroup", place) for place in ("pids.max", "pids/pids.max")]
print(json.dumps({
    "capabilities": status["CapBnd"], "privileges": status["NoNewPrivs"],
    "processes": [place.read_text().strip() for place in places if place.exists()],
}))
"""
WHERE = f"""
import json, os
found = []
for place, folders, _ in os.walk("/"):
    if place in {KERNEL} or os.access(place, os.W_OK):
        folders.clear()
        found += [place] * (place not in {KERNEL})
print(json.dumps(found))
"""
REPLACE = """
import errno, sys
for path in ("/new", "/usr/new", "/var/tmp/new", "/opt/container/node.py", sys.executable):
    try:
        open(path, "ab").close()
    except OSError as error:
        if error.errno in (errno.EROFS, errno.ETXTBSY):
            continue
    print(path)
"""
RUN_FROM_MEMORY = "cp /bin/true /tmp/program && if /tmp/program 2>/dev/null; then echo ran; fi; rm -f /tmp/program"
INSTALLED = """
import importlib.metadata, json, packaging.markers, packaging.utils
name = packaging.utils.canonicalize_name
print(json.dumps({
    "environment": packaging.markers.default_environment(),
    "versions": {name(each.name): each.version for each in importlib.metadata.distributions()},
}))
"""


def confinement(compose: Compose) -> str:
    """Check that no container has rights, memory, processes or writable places beyond those granted."""
    services = {name: compose.containers(name, "--all") for name in ("prepare", "head", "worker")}
    for name, containers in services.items():
        expect(bool(containers), f"there is a container of {name}")
        for container in containers:
            _limited(container, compose.inspect(container)["HostConfig"], ["CHOWN", "DAC_OVERRIDE", "FOWNER"])
    for name, writable in WRITABLE.items():
        for container in services[name]:
            _confined(compose, container, writable)
    return "nothing of the image can be changed, not even by root; no capabilities; memory and processes are limited"


def packages(compose: Compose) -> str:
    """Check that the image has exactly the locked packages in their versions, plus distsearch."""
    there = json.loads(compose.inside("head", "python", "-c", INSTALLED))
    installed: dict[str, str] = there["versions"]
    expect(installed.pop("distsearch", "") != "", "distsearch is installed in the image")
    locked = versions("all", there["environment"])
    other = sorted(name for name, _ in installed.items() ^ locked.items())
    expect(not other, f"the image has what scripts/locks/all.txt pins; different: {', '.join(dict.fromkeys(other))}")
    return f"{len(locked)} packages, all as in the lock"


def _limited(container: str, given: dict[str, Any], needed_to_prepare: list[str]) -> None:
    """A container's settings, according to the engine."""
    expect(given["ReadonlyRootfs"] and not given["Privileged"], f"{container} has a root file system that is read only")
    expect(given["CapDrop"] == ["ALL"], f"{container} has no capabilities but those it is given")
    added = sorted(name.removeprefix("CAP_") for name in given["CapAdd"] or ())
    expect(added in ([], needed_to_prepare), f"{container} is given no capabilities, but it has {added}")
    expect("no-new-privileges:true" in given["SecurityOpt"], f"{container} cannot gain privileges")
    for limit in ("Memory", "PidsLimit"):
        expect((given[limit] or 0) > 0, f"{container} has a {limit}")
    sizes = [options for options in given["Tmpfs"].values() if "size=" not in options]
    expect(not sizes, f"every tmpfs of {container} has a size")


def _confined(compose: Compose, container: str, writable: set[str]) -> None:
    """What a process in a container sees."""

    def output(*command: str, user: tuple[str, ...] = ()) -> str:
        return compose.docker("exec", *user, container, *command)

    limits = json.loads(output("python", "-c", LIMITS))
    expect(int(limits["capabilities"], 16) == 0, f"no process in {container} can have capabilities")
    expect(limits["privileges"] == "1", f"no process in {container} can gain privileges")
    given = str(compose.inspect(container)["HostConfig"]["PidsLimit"])
    expect(limits["processes"] == [given], f"the kernel limits {container} to {given} processes, not {limits}")
    found = set(json.loads(output("python", "-c", WHERE)))
    expect(found == writable, f"{container} can write to {sorted(writable)}, but it can to {sorted(found)}")
    replaced = output("python", "-c", REPLACE, user=("--user", "0"))
    expect(not replaced, f"root cannot write outside of them in {container}, but it can: {replaced}")
    expect(output("sh", "-c", RUN_FROM_MEMORY) == "", f"no program that is put into /tmp of {container} can be run")
