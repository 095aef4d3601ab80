"""What is in deploy/monitoring fits together, and is what this version writes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from tests.services.prometheus import installed, promtool

from modelyard.monitoring.export.grafana import grafana_files

if TYPE_CHECKING:
    from collections.abc import Callable

DEPLOY = Path(__file__).parents[2] / "deploy"
HERE = DEPLOY / "monitoring"
MADE = {"rules.yml", "prometheus-token", "alertmanager-token"}
"""What its head tells people to make."""


def read(name: str, folder: Path = HERE) -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((folder / name).read_text())
    return told


def test_services_fit_together_and_to_the_servers() -> None:
    told, servers = read("compose.yaml"), read("compose.yaml", DEPLOY)
    assert told["networks"]["yard"]["name"] == f"{servers['name']}_yard"
    for name, service in told["services"].items():
        assert set(service.get("depends_on", ())) <= set(told["services"])
        assert service["read_only"], name
        assert re.fullmatch(r"[\w/-]+:v?\d+\.\d+\.\d+", service["image"]), name
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert set(service.get("secrets", ())) <= set(told["secrets"])
        for volume in service["volumes"]:
            source = volume.partition(":")[0].removeprefix("./")
            assert source in told["volumes"] or source in MADE or (HERE / source).exists(), volume
    head = (HERE / "compose.yaml").read_text().partition("name:")[0]
    assert all(name in head for name in MADE)


def test_servers_are_asked_by_names_that_they_answer_for() -> None:
    command = read("compose.yaml", DEPLOY)["services"]["one"]["command"]
    names = {word.partition("=")[2] for word in command}
    (ours, _) = read("prometheus.yml")["scrape_configs"]
    targets = ours["static_configs"][0]["targets"]
    assert {target.partition(":")[0] for target in targets} <= names
    hook = read("alertmanager.yml")["receivers"][0]["webhook_configs"][0]["url"]
    assert hook.startswith(f"http://{targets[0]}/")


def test_prometheus_and_alertmanager_take_their_files(
    require: Callable[[str, object], None], tmp_path: Path
) -> None:
    require("prometheus", installed() and shutil.which("amtool"))
    shutil.copytree(HERE, tmp_path, dirs_exist_ok=True)
    (tmp_path / "rules.yml").write_text("groups: []\n")
    for name in ("prometheus", "alertmanager"):
        file, token = tmp_path / f"{name}.yml", tmp_path / f"{name}-token"
        token.write_text("secret")
        file.write_text(file.read_text().replace(f"/run/secrets/{token.name}", str(token)))
    code, told = promtool("check", "config", "prometheus.yml", folder=tmp_path)
    assert code == 0, told
    done = subprocess.run(
        ["amtool", "check-config", "alertmanager.yml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_dashboards_are_those_that_this_version_writes() -> None:
    for name, text in grafana_files(prometheus="http://prometheus:9090").items():
        assert (HERE / "grafana" / name).read_text() == text, "yard export-grafana grafana"
    provider = read("grafana/provisioning/dashboards/modelyard.yaml")["providers"][0]
    mounted = read("compose.yaml")["services"]["grafana"]["volumes"]
    assert any(f":{provider['options']['path']}:" in volume for volume in mounted)
