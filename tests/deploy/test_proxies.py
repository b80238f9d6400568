"""Behind nginx and Caddy, as deploy/ configures them, a reply comes while it is written."""

import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.connect.conftest import connecting, free_port
from tests.connect.test_refusals import certificate_in
from tests.support.client_process import LlamaMCP, Progress
from tests.support.http_process import serving
from tests.support.processes import until

DEPLOY = Path(__file__).parents[2] / "deploy"
NGINX = """daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
access_log off;
client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{server}
}}
"""


def nginx(folder: Path, port: int, backend: int) -> list[str]:
    text = (DEPLOY / "nginx" / "llama-mcp.conf").read_text(encoding="utf-8")
    certificate, key = certificate_in(folder)
    text = text.replace("8765", str(backend)).replace("listen 443", f"listen 127.0.0.1:{port}")
    text = re.sub(r"ssl_certificate .*;", f"ssl_certificate {certificate};", text)
    text = re.sub(r"ssl_certificate_key .*;", f"ssl_certificate_key {key};", text)
    text = text.replace("llm.example.org", "localhost")
    path = folder / "nginx.conf"
    path.write_text(NGINX.format(folder=folder, server=text), encoding="utf-8")
    return ["nginx", "-e", str(folder / "error.log"), "-c", str(path)]


def caddy(folder: Path, port: int, backend: int) -> list[str]:
    text = (DEPLOY / "caddy" / "Caddyfile").read_text(encoding="utf-8")
    certificate, key = certificate_in(folder)
    text = text.replace("8765", str(backend))
    text = text.replace(
        "llm.example.org {", f"https://localhost:{port} {{\n\ttls {certificate} {key}"
    )
    text = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + text
    path = folder / "Caddyfile"
    path.write_text(text, encoding="utf-8")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(path)]


@asynccontextmanager
async def proxy(name: str, folder: Path, backend: int) -> AsyncIterator[str]:
    """Put the proxy in front of a port of this machine; give its URL."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not on PATH; `sh scripts/clients` fetches it and runs this")
    port = free_port()
    command = {"nginx": nginx, "caddy": caddy}[name](folder, port, backend)
    with (folder / "proxy.log").open("wb") as log:
        process = await anyio.open_process(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(folder)
        )
    try:
        await until(lambda: process.returncode is not None or _listens(port), f"{name} serves")
        assert process.returncode is None, (folder / "proxy.log").read_text(encoding="utf-8")
        yield f"https://localhost:{port}"
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": "/usr/sbin:/usr/bin:/bin", "HOME": str(folder), "XDG_DATA_HOME": str(folder)}


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@pytest.mark.posix
@pytest.mark.parametrize("era", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("name", ["nginx", "caddy"])
async def test_a_reply_comes_through_a_proxy_while_it_is_written(
    llama_mcp: LlamaMCP, tmp_path: Path, name: str, era: str
) -> None:
    folder = tmp_path / "proxy"
    folder.mkdir()
    token = tmp_path / "token"
    async with (
        serving(
            llama_mcp.having(CTX_SIZE="32768"), tmp_path / "http", ["ann"], "--hosts", "localhost"
        ) as server,
        proxy(name, folder, int(server.url.rpartition(":")[2])) as url,
    ):
        token.write_text(server.tokens["ann"], encoding="utf-8")
        token.chmod(0o600)
        trusted = {"SSL_CERT_FILE": str(folder / "certificate.pem")}
        connected = connecting(url, tmp_path, "--token-file", str(token), **trusted)
        heard = anyio.Event()

        class Heard(Progress):
            async def take(self, progress: float, total: float | None, message: str | None) -> None:
                heard.set()
                await super().take(progress, total, message)

        async with connected.connect(era) as client:
            await client.call("start_llama_server")
            session_id = (await client.call("chat", message="Hello.", max_tokens=1))["session_id"]
            replies: list[dict[str, Any]] = []

            async def ask() -> None:
                asked = {"message": "Count.", "max_tokens": 30_000, "wait_seconds": 300}
                replies.append(await client.call("chat", Heard(), session_id=session_id, **asked))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                await heard.wait()
                # In one piece it would come at its end, when there is nothing to cancel.
                await client.call("cancel_reply", session_id=session_id)
    assert replies[0]["status"] == "cancelled"
