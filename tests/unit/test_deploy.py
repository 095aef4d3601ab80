"""What is in deploy/ can be read by those that it is for, and says nothing that is not so."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelyard.cli.server import server_command

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "modelyard.service"
OPTIONS = {word for param in server_command.params for word in param.opts}


def _compose() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return told


def _dockerfile() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.partition(" ")[2]) for line in lines if line.strip()]


def test_systemd_takes_the_unit() -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here")
    done = subprocess.run([program, "verify", str(UNIT)], capture_output=True, text=True)
    told = [line for line in done.stderr.splitlines() if "modelyard" in line]
    assert [line for line in told if "is not executable" not in line] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_the_unit_is_hardened() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", str(UNIT)], capture_output=True, text=True
    )
    found = re.search(r"Overall exposure level.*?(\d+\.\d)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) < 3.0


def test_options_in_the_unit_are_those_of_the_server() -> None:
    line = next(line for line in UNIT.read_text().splitlines() if line.startswith("ExecStart="))
    _, name, *words = shlex.split(line)
    assert name == "server"
    assert {word for word in words if word.startswith("--")} <= OPTIONS


def test_the_image_is_built_in_stages_and_runs_as_nobody_in_particular() -> None:
    steps = _dockerfile()
    known = {
        "FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL",
        "HEALTHCHECK", "ENTRYPOINT", "CMD",
    }  # fmt: skip
    assert {name for name, _ in steps} <= known
    stages = [rest for name, rest in steps if name == "FROM"]
    assert len(stages) == 2
    assert all(re.fullmatch(r"python:3\.\d+-slim-\w+( AS \w+)?", stage) for stage in stages)
    last = steps[[n for n, (name, _) in enumerate(steps) if name == "FROM"][-1] :]
    users = [rest for name, rest in last if name == "USER"]
    assert users
    assert users[-1].partition(":")[0].isdigit()
    assert users[-1].partition(":")[0] != "0"
    for name, rest in steps:
        if name in ("ENTRYPOINT", "CMD"):
            words = yaml.safe_load(rest)
            assert isinstance(words, list)
            assert {word for word in words if word.startswith("--")} <= OPTIONS
        if name == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
        assert "ADD" not in name
        assert not re.search(r"curl[^|]*\|\s*sh", rest)


def test_extras_in_the_image_are_ours() -> None:
    import tomllib

    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    found = re.search(r"\.\[([^\]]+)\]", (DEPLOY / "Dockerfile").read_text())
    assert found is not None
    assert set(found[1].split(",")) <= set(ours)


def test_services_of_the_compose_file_fit_together() -> None:
    told = _compose()
    services = told["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        for other, how in service.get("depends_on", {}).items():
            built = services[other].get("build") is not None
            if how["condition"] == "service_healthy":
                assert built or "healthcheck" in services[other], other
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in told["volumes"] or (DEPLOY / source).exists(), volume
        assert set(service.get("networks", [])) <= set(told["networks"])
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), "nothing is open to all by default"
        image = service["image"]
        assert image == "modelyard" or (":" in image and not image.endswith(":latest")), image
    for name in ("one", "two"):
        words = {word.partition("=")[0] for word in services[name]["command"]}
        assert words <= OPTIONS
        assert services[name]["read_only"]


def test_the_compose_file_has_no_password() -> None:
    for line in (DEPLOY / "compose.yaml").read_text().splitlines():
        name, colon, value = line.strip().partition(": ")
        if colon and re.search(r"PASSWORD|SECRET", name) and not name.startswith("#"):
            assert value.startswith("${"), line
            assert ":?" in value, line


def test_the_proxy_passes_on_what_the_server_needs() -> None:
    text = re.sub(r"#.*", "", (DEPLOY / "nginx.conf").read_text())
    assert text.count("{") == text.count("}")
    for line in text.splitlines():
        assert not line.strip() or line.strip()[-1] in "{};", line
    for name in ("Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id"):
        assert f"proxy_set_header {name} " in text
    assert "proxy_buffering off" in text
    assert "proxy_request_buffering off" in text
    servers = set(re.findall(r"server (\w+):8300", text))
    assert servers <= set(_compose()["services"])
