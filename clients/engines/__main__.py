"""Tries llama-mcp with engines that it does not start; see clients/engines/__init__.py."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import anyio
from tests.fake_openai_server.engine import FakeEngine, Refusal
from tests.fake_openai_server.serving import serving
from tests.support.client_process import LlamaMCP
from tests.support.somebodys_engine import program_of, somebodys_engine
from tests.support.tiny_bert import write_tiny_bert
from tests.support.tiny_model import write_tiny_model

from clients.engines.litellm_proxy import KEY, install, proxy
from clients.engines.walk import Seen, cached_share, over_the_window, walk

CHATS, ALONE, RANKS = "somebodys", "alone", "ranker"
WINDOW = 8192


async def try_all(llama_cpp: str, litellm: Path, folder: Path) -> dict[str, Seen]:
    """Return what was seen of each engine, by its name."""
    model = write_tiny_model(folder / "tiny.gguf", context_length=WINDOW)
    ranker = write_tiny_bert(folder / "bert.gguf")
    texts = folder / "texts"
    texts.mkdir()
    for number in range(4):
        (texts / f"{number}.txt").write_text(f"Text {number}. " * 20, encoding="utf-8")
    key = folder / "engine.key"
    key.write_text(f"{KEY}\n", encoding="utf-8")
    key.chmod(0o600)
    flags = [
        *("-m", str(model), "--alias", CHATS, "-c", str(2 * WINDOW), "-np", "2", "-t", "1"),
        *("--metrics", "--slots"),
    ]
    ranking = ("-m", str(ranker), "--embedding", "-t", "1", "-c", "128", "--alias", RANKS)
    program, found = program_of(llama_cpp), dict[str, Seen]()
    async with AsyncExitStack() as stack:
        urls = [
            await stack.enter_async_context(
                somebodys_engine(program, *own, log=folder / f"{name}.log")
            )
            for name, own in (("one", flags), ("two", flags), ("ranker", ranking))
        ]
        direct = LlamaMCP(folder / "direct", {}).having(URL=urls[0], FILE_DIRS=str(texts))
        found["llama-server"] = await walk(direct, texts, None)
        with ExitStack() as behind:
            models = {CHATS: urls[:2], ALONE: urls[:1], RANKS: urls[2:]}
            url = await anyio.to_thread.run_sync(
                behind.enter_context, proxy(litellm, models, folder)
            )
            through = LlamaMCP(folder / "through", {}).having(
                URL=url, URL_KEY_FILE=str(key), URL_MODEL=CHATS, FILE_DIRS=str(texts)
            )
            seen = await walk(through, texts, RANKS)
            alone = through.having(URL_MODEL=ALONE)
            await cached_share(alone, seen, "the same, one server")
            larger = alone.having(CTX_SIZE=str(4 * WINDOW))
            await over_the_window(larger, seen, "over the window")
            found["LiteLLM, two llama-servers"] = seen
            found["LiteLLM, another key"] = await _with_another_key(through, folder)
    found["an engine that is busy"] = await _when_busy(folder)
    return found


async def _with_another_key(llama_mcp: LlamaMCP, folder: Path) -> Seen:
    seen, wrong = Seen(), folder / "wrong.key"
    wrong.write_text("sk-wrong\n", encoding="utf-8")
    having = llama_mcp.having(URL_KEY_FILE=str(wrong))
    async with having.connect() as connection, seen.step("told"):
        told = await connection.refusal("chat", message="Hello.")
        seen.rows["told"] = told.replace("\n", " ")
        if "sk-wrong" in told:
            seen.problems.append("the key is told")
    return seen


async def _when_busy(folder: Path) -> Seen:
    """Have a stand-in answer 429 twice, with the time to come back."""
    seen = Seen()
    busy = Refusal(429, {"error": {"message": "Rate limit reached"}}, {"Retry-After": "1"})
    fake = FakeEngine(refusals=[busy, busy])
    async with serving(fake) as place:
        having = LlamaMCP(folder / "busy", {}).having(URL=place.url)
        async with having.connect() as connection, seen.step("429 twice, Retry-After: 1"):
            reply = await connection.call("chat", message="Hello.")
            asked = len(fake.chats())
            seen.rows["429 twice, Retry-After: 1"] = f"{reply['status']} at request {asked}"
    return seen


def main(words: Sequence[str]) -> int:
    """Try all engines and print a table; return 1 when something failed."""
    parser = argparse.ArgumentParser(prog="sh scripts/engines", description=__doc__)
    parser.add_argument("--llama-cpp", default="embedded", help="a llama.cpp folder")
    parser.add_argument("--litellm", type=Path, help="a folder in which LiteLLM is, or will be")
    arguments = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="engines-") as temporary:
        folder = Path(temporary)
        litellm = install(arguments.litellm or folder / "litellm")
        found = anyio.run(try_all, arguments.llama_cpp, litellm, folder)
    for name, seen in found.items():
        print(f"\n{name}")
        for row, text in seen.rows.items():
            print(f"  {row:<26} {text}")
    problems = [f"{name}: {each}" for name, seen in found.items() for each in seen.problems]
    print("\n" + "\n".join(problems or ["All of it worked."]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
