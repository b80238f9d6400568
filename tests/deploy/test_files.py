"""What lies in deploy/ starts llama-mcp with arguments that it takes, and fits what it does."""

import json
import plistlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from llama_mcp.cli.commands import whole_parser
from llama_mcp.cli.serve_http import GRACE_SECONDS
from llama_mcp.settings import Settings
from llama_mcp.surface.http import serving
from llama_mcp.surface.http.app import MAX_BODY_BYTES

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = ["llama-mcp.service", "llama-mcp-system.service"]
PORT = "8765"
# When llama-mcp has ended, at the latest, after it was asked to.
END_SECONDS = GRACE_SECONDS + serving._CLOSE_SECONDS


def unit(name: str) -> dict[str, list[str]]:
    """Return the settings of a unit; one that stands there several times has several values."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "systemd" / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def dockerfile() -> dict[str, str]:
    text = (DEPLOY / "docker" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {line.partition(" ")[0]: line.partition(" ")[2] for line in lines}


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    text = (DEPLOY / "docker" / name).read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def plist() -> dict[str, Any]:
    content: dict[str, Any] = plistlib.loads((DEPLOY / "launchd" / "llama-mcp.plist").read_bytes())
    return content


def command_lines() -> dict[str, list[str]]:
    commands = {name: shlex.split(unit(name)["ExecStart"][0]) for name in UNITS}
    commands["launchd"] = plist()["ProgramArguments"]
    commands["docker"] = ["/" + json.loads(dockerfile()["ENTRYPOINT"])[0]]
    commands["docker"] += json.loads(dockerfile()["CMD"])
    return commands


@pytest.mark.parametrize("name", [*UNITS, "launchd", "docker"])
def test_llama_mcp_is_started_with_arguments_that_it_takes(name: str) -> None:
    program, *arguments = command_lines()[name]
    assert program.endswith("/llama-mcp")
    given = whole_parser().parse_args(arguments)
    assert given.http.endswith(f":{PORT}") and given.tokens.name == "tokens.toml"


@pytest.mark.parametrize("name", [*UNITS, "launchd"])
def test_it_listens_on_this_machine_only(name: str) -> None:
    assert f"127.0.0.1:{PORT}" in command_lines()[name]


def test_whoever_stops_it_waits_until_replies_are_kept() -> None:
    limits = [int(unit(name)["TimeoutStopSec"][0]) for name in UNITS]
    limits += [plist()["ExitTimeOut"]]
    limits += [int(compose()["services"]["llama-mcp"]["stop_grace_period"].removesuffix("s"))]
    assert all(limit > END_SECONDS for limit in limits)


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_restarted_after_a_crash_and_leaves_llama_server_alone(name: str) -> None:
    settings = unit(name)
    assert settings["Restart"] == ["on-failure"]
    assert settings["KillMode"] == ["process"]
    assert settings["UMask"] == ["0077"]
    assert settings["NoNewPrivileges"] == ["yes"]


@pytest.mark.parametrize("name", UNITS)
def test_no_unit_takes_away_what_a_gpu_needs(name: str) -> None:
    taken = {"PrivateDevices", "MemoryDenyWriteExecute", "ProtectClock", "RestrictNamespaces"}
    assert taken & unit(name).keys() == set()


def test_the_unit_of_the_machine_gives_the_tokens_to_nobody_else() -> None:
    settings = unit("llama-mcp-system.service")
    assert settings["LoadCredential"] == ["tokens.toml:/etc/llama-mcp/tokens.toml"]
    assert "%d/tokens.toml" in settings["ExecStart"][0]


def test_the_agent_of_macos_keeps_what_it_writes_to_its_user() -> None:
    assert plist()["Umask"] == 0o077
    assert plist()["KeepAlive"] == {"SuccessfulExit": False}


def test_the_container_has_a_user_of_its_own_and_keeps_all_in_one_volume() -> None:
    settings, service = dockerfile(), compose()["services"]["llama-mcp"]
    home = settings["VOLUME"]
    assert settings["USER"] == "10001:10001"
    assert f"LLAMA_MCP_HOME={home}" in settings["ENV"].split()
    assert [volume.split(":")[1] for volume in service["volumes"]] == [home]
    assert service["init"] is True and service["restart"] == "on-failure"
    assert "/health" in settings["HEALTHCHECK"]


def test_only_this_machine_reaches_the_container_and_nobody_the_engine_behind() -> None:
    assert compose()["services"]["llama-mcp"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    assert "ports" not in compose("compose.gpu.yaml")["services"]["llama-server"]


def test_the_image_is_made_of_files_that_are_there() -> None:
    root = DEPLOY.parent
    text = (DEPLOY / "docker" / "Dockerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        *sources, _ = line.split()
        assert all((root / source).exists() for source in sources)


def test_every_setting_in_the_compose_file_is_one() -> None:
    known = {f"LLAMA_MCP_{field.upper()}" for field in Settings.model_fields}
    assert compose()["services"]["llama-mcp"]["environment"].keys() <= known


@pytest.mark.parametrize("path", ["nginx/llama-mcp.conf", "caddy/Caddyfile"])
def test_a_proxy_keeps_connections_shorter_than_llama_mcp_and_takes_as_much(path: str) -> None:
    text = (DEPLOY / path).read_text(encoding="utf-8")
    kept = re.search(r"(?:keepalive_timeout|keepalive) (\d+)s", text)
    assert kept and int(kept[1]) < serving.KEEP_ALIVE_SECONDS
    most = re.search(r"(?:client_max_body_size|max_size) (\d+)", text)
    assert most and int(most[1]) * 1024 * 1024 >= MAX_BODY_BYTES * 0.95
    assert f"127.0.0.1:{PORT}" in text
