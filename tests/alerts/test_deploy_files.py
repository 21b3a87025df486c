"""The files of docs/deploy.md: what they start exists, with the options that they give it, and nothing is left open."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from personvlm.cli.app import app

yaml = pytest.importorskip("yaml")
DEPLOY = Path(__file__).parents[2] / "deploy"


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8")))


def ours() -> dict[str, list[str]]:
    """Service -> command line, variables filled in."""
    variables = {"PERSONVLM_STORE": "postgresql://u:p@postgres/d", "PERSONVLM_QUEUE": "redis://redis:6379/0"}
    found = {}
    for name, service in compose()["services"].items():
        if service["image"].startswith("personvlm"):
            found[name] = [re.sub(r"\$\{(\w+)[^}]*\}", lambda match: variables[match[1]], word)
                           for word in service["command"]]  # fmt: skip
    return found


def test_every_service_of_ours_starts_a_command_that_exists() -> None:
    root = typer.main.get_command(app)
    assert set(ours()) == {"tables", "worker", "cameras", "server"}
    for words in ours().values():
        command, context, rest = root, root.make_context("personvlm", [], resilient_parsing=True), words
        while hasattr(command, "resolve_command"):
            name, command, rest = command.resolve_command(context, rest)  # raises on what does not exist
            assert command is not None
            context = command.make_context(name, list(rest), parent=context) if not hasattr(
                command, "resolve_command") else command.make_context(
                    name, [], parent=context, resilient_parsing=True)  # fmt: skip


def test_the_compose_file_is_whole() -> None:
    file, text = compose(), (DEPLOY / "compose.yaml").read_text("utf-8")
    services, volumes = file["services"], set(file["volumes"])
    known = {"image", "build", "restart", "init", "read_only", "tmpfs", "cap_drop", "security_opt", "stop_grace_period",
             "logging", "environment", "volumes", "shm_size", "healthcheck", "command", "profiles", "hostname",
             "depends_on", "deploy", "ports"}  # fmt: skip
    used = set()
    for name, service in services.items():
        assert set(service) <= known, name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if f"#   touch {source.removeprefix('./')} " in text:
                continue
            if source.startswith("."):
                example = source.replace("cameras.yaml", "cameras.example.yaml")
                assert (DEPLOY / example).is_file()
            else:
                used.add(source)
        for other, condition in service.get("depends_on", {}).items():
            assert other in services
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in services[other], f"{name} waits for {other}, which never says that it is well"
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), f"{name} would be open to the network"
    assert used == volumes
    assert (DEPLOY / services["worker"]["build"]["dockerfile"].removeprefix("deploy/")).is_file()


def test_variables_stand_in_the_example_and_no_password_does() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text("utf-8")))
    example = (DEPLOY / "env.example").read_text("utf-8")
    assert asked <= set(re.findall(r"^#? ?(\w+)=", example, re.MULTILINE))
    assert re.search(r"^POSTGRES_PASSWORD=$", example, re.MULTILINE)


def test_prometheus_asks_for_metrics_that_workers_have() -> None:
    source = (DEPLOY.parent / "src" / "personvlm" / "events" / "worker_http.py").read_text("utf-8")
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
    names = {name for rule in rules for name in re.findall(r"personvlm_\w+", rule["expr"])}
    assert len(names) >= 4
    for name in names:
        assert f'"{name.removesuffix("_total")}"' in source
    scrape = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    port = scrape[0]["dns_sd_configs"][0]["port"]
    assert f"--health-port={port}" in ours()["worker"]
