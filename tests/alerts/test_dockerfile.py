"""deploy/Dockerfile read as Docker reads it, and what it, its ignore file and the compose file take for granted."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
EXTRAS = set(re.findall(r"^([a-z0-9]+) = \[", PROJECT, re.MULTILINE))


def instructions(text: str) -> list[tuple[str, str]]:
    """(instruction, arguments) in order; comments are gone and continued lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word.upper(), rest) for word, _, rest in (line.strip().partition(" ") for line in joined.splitlines())]


def stages(text: str) -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for one in instructions(text):
        if one[0] == "FROM":
            found.append([])
        found[-1].append(one)
    return found


def wrong(text: str) -> list[str]:
    """What is wrong with a Dockerfile of ours."""
    problems, built = [], stages(text)
    names = set()
    for stage in built:
        image, *rest = stage[0][1].split()
        if image not in names and not re.fullmatch(r"[\w./-]+:(?!latest$)[\w.-]+(@sha256:\w{64})?", image):
            problems.append(f"FROM {image}: no release is named")
        names |= set(rest[1:])
        for word, said in stage:
            *sources, _ = [each for each in said.split() if not each.startswith("--")] if word == "COPY" else [""]
            away = re.search(r"--from=(\S+)", said)
            if word == "ADD":
                problems.append("ADD: COPY does what is needed, and fetches nothing")
            elif word == "COPY" and away is not None and away[1] not in names:
                problems.append(f"COPY --from={away[1]}: there is no such stage")
            elif word == "COPY" and away is None:
                problems += [f"COPY {each}: not there" for each in sources if not (ROOT / each).exists()]
    last = built[-1]
    user = [said for word, said in last if word == "USER"]
    if not user or not re.fullmatch(r"[1-9]\d*", user[-1]):
        problems.append("USER: the last stage runs as root, or as somebody whom Kubernetes cannot check")
    entry = [json.loads(said) for word, said in last if word == "ENTRYPOINT"]
    if not entry or not re.search(rf"^{re.escape(entry[-1][0])} = ", PROJECT, re.MULTILINE):
        problems.append("ENTRYPOINT: no command of the package")
    for extras in re.findall(r"/src\[([^\]]*)\]", text):
        problems += [f"no extra {each}" for each in set(extras.split(",")) - EXTRAS]
    return problems


GOOD = (DEPLOY / "Dockerfile").read_text("utf-8")


def test_the_dockerfile_is_sound() -> None:
    assert wrong(GOOD) == []


@pytest.mark.parametrize(("old", "new", "said"), [
    ("FROM python:3.12-slim\n", "FROM python:latest\n", "no release"),
    ("FROM python:3.12-slim\n", "FROM python\n", "no release"),
    ("USER 10001", "USER root", "USER"), ("USER 10001\n", "", "USER"), ("USER 10001", "USER 0", "USER"),
    ("COPY . /src", "COPY nothing /src", "nothing: not there"), ("--from=build", "--from=built", "no such stage"),
    ('["personvlm"]', '["person"]', "ENTRYPOINT"), ("[video,", "[video,tea,", "no extra tea"),
    ("COPY . /src", "ADD https://a/b /src", "ADD"),
])  # fmt: skip
def test_what_is_wrong_is_seen(old: str, new: str, said: str) -> None:
    assert old in GOOD
    assert any(said in each for each in wrong(GOOD.replace(old, new, 1)))


def test_it_has_what_the_guide_tells_its_users_to_use() -> None:
    [extras] = re.findall(r"/src\[([^\]]*)\]", GOOD)
    has = set(extras.split(","))
    guide = "".join((ROOT / "docs" / page).read_text("utf-8") for page in ("deploy.md", "observability.md"))
    asked = {each for found in re.findall(r"personvlm\[([\w,]+)\]", guide) for each in found.split(",")}
    assert asked <= has
    by_address = {"s3": "s3://", "redis": "redis://", "postgres": "postgresql://", "rabbitmq": "amqp"}
    files = guide + "".join((DEPLOY / name).read_text("utf-8") for name in ("compose.yaml", "env.example"))
    assert {extra for extra, address in by_address.items() if address in files} <= has
    assert not {"train", "dev", "ray"} & has


def test_ports_folders_and_the_user_agree_with_the_compose_file() -> None:
    compose, last = (DEPLOY / "compose.yaml").read_text("utf-8"), stages(GOOD)[-1]
    exposed = {port for word, said in last if word == "EXPOSE" for port in said.split()}
    assert exposed == set(re.findall(r"--health-port=(\d+)", compose)) | {"8765"}
    assert "127.0.0.1:8765:8765" in compose
    runs = " ".join(said for word, said in last if word == "RUN")
    [user] = [said for word, said in last if word == "USER"]
    assert f"--uid {user}" in runs
    for folder in re.findall(r"- \w+:(/\S+)  #|\"blobs:(/\w+)\"", compose):
        assert "".join(folder) in runs  # else the volume would belong to root


def test_what_the_build_needs_is_not_ignored() -> None:
    rules = [line for line in (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines() if line.strip()]

    def ignored(path: str) -> bool:
        answer = False
        for rule in rules:
            pattern = rule.removeprefix("!")
            if any(fnmatch(part, pattern.removeprefix("**/")) for part in (path, path.split("/")[0], Path(path).name)):
                answer = not rule.startswith("!")
        return answer

    for needed in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "src/personvlm/__init__.py"):
        assert (ROOT / needed).is_file()
        assert not ignored(needed)
    assert ignored("deploy/.env")
    assert ignored(".git/config")
    assert ignored("shared/data.csv")


def test_hadolint_finds_nothing() -> None:
    beside = Path(sys.executable).parent / "hadolint"
    program = str(beside) if beside.is_file() else shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not here; the extra dev brings it on Linux")
    command = [program, "--no-color", str(DEPLOY / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_docker_compose_accepts_the_file(tmp_path: Path) -> None:
    """The real parser, with variables filled in from the example. The old one of Debian knows no ``name:``."""
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not here")
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    version = subprocess.run([program, "version", "--short"], capture_output=True, text=True, check=True).stdout.strip()
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    if version.startswith("1."):
        text = re.sub(r"^name:.*\n", "", text, count=1, flags=re.MULTILINE)
    (tmp_path / "deploy" / "compose.yaml").write_text(text, "utf-8")
    command = [program, "-f", "compose.yaml", "config"]
    ours = ("POSTGRES", "GRAFANA", "PERSONVLM")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(ours)}

    def config() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=tmp_path / "deploy", env=bare, capture_output=True, text=True, timeout=120,
                              check=False)  # fmt: skip

    refused = config()
    assert refused.returncode != 0
    assert "in .env" in refused.stderr  # which password is missing, and where it belongs
    example = (DEPLOY / "env.example").read_text("utf-8")
    filled = re.sub(r"^(\w+PASSWORD)=$", r"\1=abc123", example, flags=re.MULTILINE)
    (tmp_path / "deploy" / ".env").write_text(filled, "utf-8")
    accepted = config()
    assert accepted.returncode == 0, accepted.stderr
    assert "postgresql://personvlm:abc123@postgres/personvlm" in accepted.stdout
    assert "--blobs=/blobs" in accepted.stdout
