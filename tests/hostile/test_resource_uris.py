"""Resource URIs that nobody should be able to read anything with: each is refused, in words."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_process import LlamaMCP
from tests.support.raw_client import RawClient, raw_client

SECRET = "what only the user may read"
ESCAPES = [
    "../{}",
    "../../../../../../../..{}",
    "..%2f..%2f{}",
    "..%252f..%252f{}",
    "%2e%2e/%2e%2e/{}",
    "..;/..;/{}",
    "..\\..\\{}",
    "....//....//{}",
    "%00{}",
    "{}%00",
    "\x00{}",
    "{}",
    "/{}",
    "~/{}",
    "${{HOME}}/{}",
    "file://{}",
    "{}?x=1",
    "{}#x",
]
BASES = [
    "llama://sessions/",
    "llama://models/",
    "llama://server/",
    "llama://",
    "llama:",
    "file://",
    "",
]
OTHERS = [
    "",
    " ",
    "\x00",
    "llama",
    "llama:",
    "llama://",
    "llama:///sessions",
    "LLAMA://SESSIONS/",
    "llama://sessions/",
    "llama://sessions//",
    "llama://sessions/*",
    "llama://sessions/%",
    "llama://sessions/%zz",
    "llama://sessions/{session_id}",
    "llama://sessions/{+path}",
    "llama://sessions/.json",
    "llama://sessions/..json",
    "llama://sessions/a/b/c",
    "llama://sessions/%F0%9F%98%80",
    "llama://sessions/\U0001f600",
    "llama://sessions/%ED%A0%80",
    "llama://sessions/' OR 1=1 --",
    "llama://sessions/?session_id=x",
    "llama://user:password@sessions",
    "llama://sessions:80",
    "llama://[::1",
    "llama://server/status/../config",
    "llama://server/status%20",
    "llama://server/unknown",
    "http://127.0.0.1:9/x",
    "https://example.org/",
    "file:///etc/passwd",
    "data:text/plain,x",
    "javascript:alert(1)",
    "ui://x",
    "a" * 100_000,
    "llama://sessions/" + "a" * 1_000_000,
    "llama://sessions/" + "../" * 30_000,
    "llama://sessions/" + "%41" * 30_000,
]
# -32603, an internal error, would be a bug of ours.
REFUSALS = {-32602, -32002, -32600}
SIGNS_OF_A_BUG = re.compile(r"Traceback|Error reading|Error creating|internal|site-packages")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.json"
    path.write_text(json.dumps(SECRET))
    return path


def uris(secret: Path) -> list[str]:
    escapes = [base + escape.format(secret) for base in BASES for escape in ESCAPES]
    return escapes + OTHERS


async def answers_of(client: RawClient, method: str, uris: list[str]) -> list[dict[str, Any]]:
    asked = [await client.ask(method, uri=uri) for uri in uris]
    answers: dict[int, dict[str, Any]] = {}
    while len(answers) < len(asked):
        frame = await client.next()
        if "method" not in frame:
            answers[frame["id"]] = frame
    return [answers[request] for request in asked]


async def test_no_uri_reads_what_is_not_a_resource_and_each_is_refused_in_words(
    llama_mcp: LlamaMCP, secret: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with raw_client(llama_mcp) as client:
        await client.hello()
        faults = []
        for uri, answer in zip(
            tried := uris(secret), await answers_of(client, "resources/read", tried), strict=True
        ):
            error = answer.get("error", {})
            is_refused = error.get("code") in REFUSALS
            is_bug = bool(SIGNS_OF_A_BUG.search(error.get("message", "")))
            if SECRET in json.dumps(answer) or is_bug or not is_refused:
                faults.append(f"{uri[:100]!r}: {json.dumps(answer)[:300]}")
        assert not faults, "\n".join(faults)
        read = await client.answer(await client.ask("resources/read", uri="llama://sessions"))
        assert json.loads(read["result"]["contents"][0]["text"])["total"] == 0
    assert "Traceback" not in capfd.readouterr().err


async def test_an_odd_uri_can_be_subscribed_to_and_completed_without_harm(
    llama_mcp: LlamaMCP, secret: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with raw_client(llama_mcp) as client:
        await client.hello()
        tried = uris(secret)
        for method in ("resources/subscribe", "resources/unsubscribe"):
            assert all("result" in answer for answer in await answers_of(client, method, tried))
        for uri in tried:
            reference = {"type": "ref/resource", "uri": "llama://sessions/{session_id}"}
            argument = {"name": "session_id", "value": uri}
            asked = await client.ask("completion/complete", ref=reference, argument=argument)
            assert (await client.answer(asked))["result"]["completion"]["values"] == []
    assert "Traceback" not in capfd.readouterr().err
