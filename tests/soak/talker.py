"""One session of a client: says things, reads what was said, stops replies, forks and deletes."""

import json
import random
import re
from collections import Counter
from typing import Any

import anyio

from tests.soak.client import Result, SoakClient, result_of
from tests.soak.ledger import FAILED_TURN, MARKER, SIGNS_OF_A_BUG, Ledger, Said

WORDS = ["sun", "rain", "tree", "house", "road", "river", "stone", "light", "wind", "sand"]
SESSION_ID = re.compile(r"\b\w{4}-\w{4}-\w{4}\b")
LOOKS = ["status", "get_config", "list_sessions"]
UNFINISHED = ("in_progress", "waiting")
RESOURCES = ["llama://server/status", "llama://server/config", "llama://sessions"]


class Talker:
    """Takes one step after another; what is wrong goes to the ledger."""

    def __init__(self, owner: str, ledger: Ledger, counts: Counter[str], seed: int) -> None:
        self.owner = owner
        self.session_id: str | None = None
        self._ledger = ledger
        self._counts = counts
        self._random = random.Random(f"{owner} {seed}")

    async def step(self, client: SoakClient) -> None:
        """Do one thing.

        Raises:
            GoneError: llama-mcp has ended meanwhile.
            HangError: it has not, and does not answer.
        """
        steps = {
            self._talk: 40,
            self._wait_for_reply: 12,
            self._stop_reply: 10,
            self._take_back: 8,
            self._read: 14,
            self._look: 8,
            self._fork: 3,
            self._rename: 3,
            self._begin_anew: 6,
        }
        (step,) = self._random.choices(list(steps), weights=list(steps.values()))
        self._counts[step.__name__.strip("_").replace("_", " ")] += 1
        await step(client)

    async def _talk(self, client: SoakClient) -> None:
        stream = self._random.choice(["chunks", "status", "off"])
        tokens = self._random.choice([1, 20, 100, 300])
        text, said = self._say()
        arguments = self._arguments(text, max_tokens=tokens, stream=stream, wait_seconds=60)
        request = await client.send("tools/call", {"name": "chat", "arguments": arguments})
        frame, streamed = await client.wait(request)
        result = result_of(frame)
        await self._note(client, said, result)
        if stream == "chunks" and said.status == "complete" and streamed != said.reply:
            self._ledger.fault(f"{text}: what was streamed is not the reply")

    async def _wait_for_reply(self, client: SoakClient) -> None:
        text, said = self._say()
        result = await client.call("chat", **self._arguments(text, max_tokens=200, wait_seconds=0))
        await self._note(client, said, result)
        while said.status in UNFINISHED:
            result = await client.call(
                "wait_for_reply", session_id=said.session_id, wait_seconds=0.5
            )
            await self._note(client, said, result)

    async def _stop_reply(self, client: SoakClient) -> None:
        text, said = self._say()
        arguments = self._arguments(text, max_tokens=1500, wait_seconds=0.2)
        await self._note(client, said, await client.call("chat", **arguments))
        if said.status in UNFINISHED:
            result = await client.call("cancel_reply", session_id=said.session_id)
            await self._note(client, said, result)

    async def _take_back(self, client: SoakClient) -> None:
        text, _ = self._say()
        arguments = self._arguments(text, max_tokens=1500)
        request = await client.send("tools/call", {"name": "chat", "arguments": arguments})
        await anyio.sleep(self._random.uniform(0, 0.4))
        await client.cancel(request)

    async def _read(self, client: SoakClient) -> None:
        if self.session_id is None:
            return
        uri = f"llama://sessions/{self.session_id}" + self._random.choice(["", ".json"])
        frame = await client.ask("resources/read", {"uri": uri})
        if "error" in frame:
            self._ledger.fault(f"{self.owner} cannot read {uri}: {frame['error']}")
        self._ledger.check_transcript(self.owner, json.dumps(frame, ensure_ascii=False))
        await self._expect(client, "read_session", session_id=self.session_id, limit=5)
        found = await self._expect(client, "list_sessions", query=f"{self.owner}", limit=5)
        for session in found.structure.get("sessions", ()):
            if not MARKER.search(session["title"]):
                self._ledger.fault(f"{self.owner} finds {session['title']!r}")

    async def _look(self, client: SoakClient) -> None:
        await self._expect(client, self._random.choice(LOOKS))
        frame = await client.ask("resources/read", {"uri": self._random.choice(RESOURCES)})
        if "error" in frame:
            self._ledger.fault(f"a resource cannot be read: {frame['error']}")
        await client.ask(self._random.choice(["tools/list", "resources/list"]), {})

    async def _fork(self, client: SoakClient) -> None:
        if self.session_id is None:
            return
        fork = await client.call("fork_session", session_id=self.session_id)
        if fork.is_error:
            self._count_error(fork)
            return
        read = await self._expect(client, "read_session", session_id=fork.structure["session_id"])
        self._ledger.check_transcript(self.owner, read.text)
        await self._expect(client, "delete_session", session_id=fork.structure["session_id"])

    async def _rename(self, client: SoakClient) -> None:
        if self.session_id is not None:
            title = f"<{self.owner} 0> {self._random.choice(WORDS)}"
            await self._expect(client, "update_session", session_id=self.session_id, title=title)

    async def _begin_anew(self, client: SoakClient) -> None:
        """Leave the session, half of the time for good."""
        session_id, self.session_id = self.session_id, None
        if session_id is None or self._random.random() < 0.5:
            return
        self._ledger.doubt_session(session_id, is_in_doubt=True)
        deleted = await client.call("delete_session", session_id=session_id)
        self._ledger.doubt_session(session_id, is_in_doubt=False)
        if deleted.is_error:
            self._count_error(deleted)  # what was taken back may still be ending
        else:
            self._ledger.forget_session(session_id)

    def _say(self) -> tuple[str, Said]:
        words = " ".join(self._random.choices(WORDS, k=self._random.choice([1, 5, 40])))
        return self._ledger.say(self.owner, words)

    def _arguments(self, text: str, **more: Any) -> dict[str, Any]:
        session = {"session_id": self.session_id} if self.session_id else {}
        return {"message": text, **session, **more}

    async def _note(self, client: SoakClient, said: Said, result: Result) -> None:
        """Note how a turn stands; bring llama-server back when it is gone."""
        structure = result.structure
        if not result.is_error:
            said.session_id, said.turn = structure["session_id"], structure["turn"]
            # Each result tells what the one before it did not.
            said.status = structure["status"]
            said.reply = (said.reply or "") + structure.get("reply", "")
            self.session_id = said.session_id
            return
        self._count_error(result)
        said.status = "refused"
        if failed := FAILED_TURN.search(result.text):
            said.turn, said.session_id = int(failed[1]), failed[2]
            said.status = "failed"
            self.session_id = said.session_id
        if "start_llama_server" in result.text:
            started = await client.call("start_llama_server")
            self._counts["starts"] += not started.is_error
            if started.is_error:
                self._count_error(started)

    async def _expect(self, client: SoakClient, tool: str, **arguments: Any) -> Result:
        """Call a tool that has no reason to refuse."""
        result = await client.call(tool, **arguments)
        if result.is_error:
            self._ledger.fault(f"{tool} {arguments} is refused: {result.text[:300]}")
        return result

    def _count_error(self, result: Result) -> None:
        words = " ".join(result.text.split()[:7])
        self._counts["told: " + SESSION_ID.sub("...", words)] += 1
        if SIGNS_OF_A_BUG.search(result.text):
            self._ledger.fault(f"{self.owner} reads of a bug: {result.text[:300]}")
