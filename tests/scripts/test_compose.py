"""What the Compose files of the cluster promise, as far as it can be checked without containers."""

import json
import re
from pathlib import Path

import pytest
import yaml

from distsearch.workers.ray.metrics import GAUGES

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "scripts" / "monitoring"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]


def published(service: dict) -> list[str]:
    return [re.sub(r"\$\{\w+:-(.*?)}", r"\1", port) for port in service.get("ports", ())]


def test_only_the_dashboards_are_published_and_only_on_loopback():
    assert {name: published(each) for name, each in SERVICES.items() if "ports" in each} == {
        "head": ["127.0.0.1:8265:8265"],
        "grafana": ["127.0.0.1:3000:3000"],
    }
    assert {name for name, each in SERVICES.items() if each.get("network_mode") == "host"} == set()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert service["read_only"] is True
    assert "mem_limit" in service
    assert 0 < service["pids_limit"] <= 4096
    assert all(re.search(r":(.*,)?size=", each) for each in service.get("tmpfs", ()))
    if name in ("head", "worker"):
        assert service["user"] == "${UID:-1000}:${GID:-1000}"
        assert "cap_add" not in service


def test_an_image_is_built_here_or_pinned_by_digest():
    built = {each["image"] for each in SERVICES.values() if "build" in each}
    fetched = {each["image"] for each in SERVICES.values()} - built
    assert built == {"distsearch"}
    assert len(fetched) == 2
    assert all(re.fullmatch(r"[\w/]+:v?\d+\.\d+\.\d+@sha256:[0-9a-f]{64}", image) for image in fetched)


def test_the_image_installs_packages_from_the_locks_alone():
    lines = (ROOT / "scripts" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    installs = [each for line in lines for each in line.split("&&") if " install " in each]
    sources = [re.findall(r"--requirement (\S+)|(--no-index)", each) for each in installs]
    assert sources == [[("all.txt", "")], [("build.txt", "")], [("", "--no-index")]]
    assert "COPY scripts/locks/all.txt scripts/locks/build.txt ./" in lines
    assert any(line.startswith("ENV ") and "PIP_REQUIRE_HASHES=1" in line for line in lines)


def test_the_environment_holds_paths_of_secrets_and_no_secrets():
    for name in ("head", "worker"):
        environment = SERVICES[name]["environment"]
        assert environment["RAY_AUTH_MODE"] == "token"
        assert environment["RAY_AUTH_TOKEN_PATH"] == "/runs/.cluster/token"  # noqa: S105  (its path)
        assert "RAY_AUTH_TOKEN" not in environment


def test_monitoring_is_opt_in_and_its_files_exist():
    assert {name for name, each in SERVICES.items() if each.get("profiles") == ["monitoring"]} == {
        "prometheus",
        "grafana",
    }
    for name in ("prometheus", "grafana"):
        for volume in SERVICES[name]["volumes"]:
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_prometheus_scrapes_every_node_at_ray_s_port():
    (job,) = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    (discovery,) = job["dns_sd_configs"]
    assert discovery["names"] == [name for name in SERVICES if name in ("head", "worker")]
    assert f"METRICS_PORT = {discovery['port']} " in (ROOT / "scripts/container/node.py").read_text(encoding="utf-8")


def test_the_dashboard_shows_all_our_gauges_from_an_existing_source():
    provisioning = MONITORING / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text(encoding="utf-8"))["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((provisioning / "dashboards/distsearch.yml").read_text(encoding="utf-8"))["providers"]
    mounts = dict(volume.split(":")[:2][::-1] for volume in SERVICES["grafana"]["volumes"])
    (path,) = (ROOT / mounts[provider["options"]["path"]]).glob("*.json")
    assert SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].endswith(path.name)
    board = json.loads(path.read_text(encoding="utf-8"))
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {source["uid"]}
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    shown = [re.findall(r"ray_distsearch_(\w+)", query) for query in queries]
    assert sorted(name for names in shown for name in names) == sorted(GAUGES)
