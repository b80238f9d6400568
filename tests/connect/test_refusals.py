"""What a client is told when its server, or something in front of it, gives no answer."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.connect.conftest import connecting, free_port
from tests.connect.http_stand_in import Asked, StandIn, raw, response, stand_in
from tests.support.client_process import LlamaMCP
from tests.support.raw_client import ENVELOPE, raw_client

JSON = "Content-Type: application/json"
EVENTS = "Content-Type: text/event-stream"


async def told(connected: LlamaMCP) -> dict[str, object]:
    """Return the error that a request of 2026-07-28 is answered with."""
    async with raw_client(connected) as client:
        client.envelope = ENVELOPE
        error: dict[str, object] = (await client.answer(await client.ask("tools/list")))["error"]
        return error


def token_in(folder: Path, token: str) -> Path:
    path = folder / "token"
    path.write_text(token, encoding="utf-8")
    path.chmod(0o600)
    return path


STATUSES = {
    "401 Unauthorized": ((), "wants a token (401). Give `llama-mcp connect` one by --token-file"),
    "403 Forbidden": ((), "not allowed (403)"),
    "404 Not Found": ((), "nothing at that path (404)"),
    "413 Too Large": ((), "too large for it (413)"),
    "421 Misdirected Request": ((), "does not answer to this host name (421)"),
    "429 Too Many Requests": (("Retry-After: 60",), "call again after 60 seconds"),
    "502 Bad Gateway": ((), "the proxy there cannot reach it (502)"),
    "503 Service Unavailable": (("Retry-After: soon",), "call again in a while"),
    "504 Gateway Timeout": ((), "in time (504)"),
    "302 Found": (("Location: https://elsewhere.example/",), "to https://elsewhere.example/ (302)"),
    "500 Internal Server Error": ((), "answered with the status 500"),
}


@pytest.mark.parametrize("status", STATUSES)
async def test_a_status_is_told_with_what_it_means_and_the_servers_own_words(
    tmp_path: Path, status: str
) -> None:
    headers, meaning = STATUSES[status]
    answer = response(status, JSON, *headers, body=json.dumps({"error": "in my own\nwords"}))
    with stand_in(answer) as server:
        message = str((await told(connecting(server.url, tmp_path)))["message"])
    assert server.url in message and meaning in message
    assert message.endswith("It said: in my own words")


async def test_a_page_for_people_is_not_passed_on(tmp_path: Path) -> None:
    answer = response("502 Bad Gateway", "Content-Type: text/html", body="<h1>nginx</h1>")
    with stand_in(answer) as server:
        assert "nginx" not in str((await told(connecting(server.url, tmp_path)))["message"])


async def test_a_token_goes_with_each_request_and_a_new_one_is_taken_at_once(
    tmp_path: Path,
) -> None:
    path = token_in(tmp_path, "first")
    with stand_in(response("401 Unauthorized")) as server:
        connected = connecting(server.url, tmp_path, "--token-file", str(path))
        async with raw_client(connected) as client:
            client.envelope = ENVELOPE
            answer = await client.answer(await client.ask("tools/list"))
            assert f"does not know the token from the file {path} (401)" in str(answer["error"])
            assert "first" not in str(answer["error"]).replace(str(path), "")
            token_in(tmp_path, "second")
            await client.answer(await client.ask("tools/list"))
    sent = [asked.headers["authorization"] for asked in server.asked]
    assert sent == ["Bearer first", "Bearer second"]


async def test_the_token_of_the_variable_is_sent(tmp_path: Path) -> None:
    with stand_in(response("401 Unauthorized")) as server:
        error = await told(connecting(server.url, tmp_path, LLAMA_MCP_TOKEN="of-the-variable"))
    assert "the variable LLAMA_MCP_TOKEN" in str(error["message"])
    assert server.asked[0].headers["authorization"] == "Bearer of-the-variable"


async def test_an_error_that_the_server_has_for_the_message_itself_is_passed_on(
    tmp_path: Path,
) -> None:
    error = {"code": -32602, "message": "no", "data": {"supported": ["1"]}}
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}, indent=1)
    with stand_in(response("400 Bad Request", JSON, body=body)) as server:
        assert await told(connecting(server.url, tmp_path)) == error


BROKEN = {
    "nothing at all": raw(b""),
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9\r\n"),
    "an empty answer": response("200 OK", JSON),
    "no JSON": response("200 OK", JSON, body="{"),
    "a list": response("200 OK", JSON, body="[]"),
    "an answer to another request": response(
        "200 OK", JSON, body='{"jsonrpc":"2.0","id":99,"result":{}}'
    ),
    "a page": response("200 OK", "Content-Type: text/html", body="<html>"),
    "accepted": response("202 Accepted"),
    "a stream without an answer": response("200 OK", EVENTS, body=": ping\n\n"),
    "half an event": response("200 OK", EVENTS, body='data: {"jsonrpc":'),
    "a stream of nonsense": response("200 OK", EVENTS, body="data: nonsense\n\n"),
    "a body that breaks off": raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
async def test_whatever_answers_the_client_gets_one_error_and_the_bridge_lives_on(
    tmp_path: Path, fault: str
) -> None:
    with stand_in(BROKEN[fault]) as server:
        async with raw_client(connecting(server.url, tmp_path)) as client:
            client.envelope = ENVELOPE
            for _ in range(2):
                error = (await client.answer(await client.ask("tools/call", name="x")))["error"]
                assert error["code"] == -32000 and server.url in error["message"]


async def test_what_stands_at_no_port_is_said_to_be_away(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    error = await told(connecting(url, tmp_path))
    assert "cannot be reached" in str(error["message"]) and "Nothing was done" in str(error)


async def test_a_lost_session_is_begun_anew_without_the_client_noticing(tmp_path: Path) -> None:
    sessions = iter(["one", "two"])

    def answer(asked: Asked, wire: socket.socket) -> None:
        if asked.method != "POST":
            response("405 Method Not Allowed")(asked, wire)
            return
        message = json.loads(asked.body)
        if message["method"] == "initialize":
            result = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": INFO}
            headers = [f"Mcp-Session-Id: {next(sessions)}"]
        elif asked.headers["mcp-session-id"] == "one" and message["method"] == "tools/list":
            response("404 Not Found", JSON, body='{"error": "forgotten"}')(asked, wire)
            return
        else:
            result, headers = {"tools": []} if message["method"] == "tools/list" else {}, []
        if "id" not in message:
            response("202 Accepted")(asked, wire)
            return
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})
        response("200 OK", JSON, *headers, body=body)(asked, wire)

    with stand_in(answer) as server:
        async with raw_client(connecting(server.url, tmp_path)) as client:
            await client.hello()
            await client.answer(await client.ask("resources/subscribe", uri="llama://server"))
            assert (await client.answer(await client.ask("tools/list")))["result"] == {"tools": []}
            assert client.process.stdin is not None
            await client.process.stdin.aclose()
            assert await client.exit_code() == 0
    said = [_said(asked) for asked in server.asked if asked.method == "POST"]
    assert said == [
        *("initialize", "notifications/initialized one", "resources/subscribe one"),
        *("tools/list one", "initialize", "notifications/initialized two"),
        *("resources/subscribe two", "tools/list two"),
    ]
    assert server.asked[-1].method == "DELETE"


INFO = {"name": "stand-in", "version": "1"}


def _said(asked: Asked) -> str:
    session = asked.headers.get("mcp-session-id", "")
    return f"{json.loads(asked.body)['method']} {session}".strip()


async def test_a_certificate_that_nobody_trusts_is_refused_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    with encrypted(stand_in(response("401 Unauthorized")), tmp_path) as (url, server):
        error = await told(connecting(url, tmp_path, LLAMA_MCP_TOKEN="secret"))
    assert "self-signed certificate" in str(error["message"]) and "SSL_CERT_FILE" in str(error)
    assert server.asked == []


async def test_a_certificate_authority_of_ones_own_is_named_by_a_variable(tmp_path: Path) -> None:
    with encrypted(stand_in(response("401 Unauthorized")), tmp_path) as (url, server):
        trusting = {"SSL_CERT_FILE": str(tmp_path / "certificate.pem")}
        await told(connecting(url, tmp_path, LLAMA_MCP_TOKEN="secret", **trusting))
        other = await told(connecting(url.replace("localhost", "127.0.0.1"), tmp_path, **trusting))
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer secret"]
    assert "127.0.0.1" in str(other["message"]) and "was refused" in str(other["message"])


@contextmanager
def encrypted(
    serving: AbstractContextManager[StandIn], folder: Path
) -> Iterator[tuple[str, StandIn]]:
    """Put TLS in front, for localhost, with a certificate in the folder that signs itself."""
    with serving as server, socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(server.url.split(":")[2].partition("/")[0])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate_in(folder))

        def relay() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                try:
                    wire = context.wrap_socket(plain, server_side=True)
                except OSError:
                    continue
                with wire, socket.create_connection(("127.0.0.1", port)) as behind:
                    behind.sendall(wire.recv(1 << 20))
                    while data := behind.recv(1 << 16):
                        wire.sendall(data)

        thread = threading.Thread(target=relay, daemon=True)
        thread.start()
        yield f"https://localhost:{listener.getsockname()[1]}", server
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def certificate_in(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(pem))
    no = serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no))
    return files


async def test_a_url_that_cannot_be_used_ends_the_bridge_at_once(tmp_path: Path) -> None:
    async with raw_client(connecting("http://box.example", tmp_path)) as client:
        assert await client.exit_code() == 2
