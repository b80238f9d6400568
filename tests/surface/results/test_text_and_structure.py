"""Text alone and structure alone: hosts show their model either, so each has to tell everything."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from mcp.types import CallToolResult

from llama_mcp.llama_server.metrics.figures import GpuMemory
from llama_mcp.llama_server.status import (
    AboutModel,
    EngineInfo,
    LastExit,
    ModelStatus,
    RemoteFacts,
    ServerConfig,
    ServerLog,
    ServerState,
    ServerStatus,
    SlotCount,
)
from llama_mcp.models.download.download import Bytes, Download, DownloadFile, Quant
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.observing.model_list import ModelList, ModelRow
from llama_mcp.ranking.ranking import RankedRow, Ranking
from llama_mcp.sessions.attachments import AttachedFile, SaveTo
from llama_mcp.sessions.jobs import (
    JOB_INTERRUPTED,
    Coverage,
    FileResult,
    JobState,
    LeftOutPart,
)
from llama_mcp.sessions.records import (
    ArchivedTurn,
    Quantiles,
    Receipt,
    Session,
    SessionList,
    Timing,
    TranscriptPage,
    TurnStatistics,
    TurnStatus,
    Usage,
)
from llama_mcp.settings import Settings
from llama_mcp.surface.failures import with_next_step
from llama_mcp.surface.results.downloads import download_text, told_download
from llama_mcp.surface.results.models import models_text
from llama_mcp.surface.results.ranking import ranking_text
from llama_mcp.surface.results.replies import NOTHING, Telling, page_structure
from llama_mcp.surface.results.session_results import (
    CHANGED,
    DELETED,
    copied,
    session_text,
    told_list,
    told_page,
    told_session,
)
from llama_mcp.surface.results.texts import (
    config_text,
    list_text,
    log_text,
    metrics_text,
    status_text,
)
from llama_mcp.surface.results.tool_results import tool_result
from llama_mcp.surface.results.transcripts import page_text
from llama_mcp.surface.server import build_server
from llama_mcp.surface.tools.dashboard import IN_CHAT, DashboardShown
from llama_mcp.toolsets import PAGE_TOOLS
from llama_mcp.turns.replies.reply import ChatReply, ContextUse
from llama_mcp.turns.slot_queue import Place
from llama_mcp.wording import amount_text, lasting, size_text
from tests.support.client_process import text_of

ID, OTHER = "k7m2-q9x4-tbhz", "abcd-efgh-jkmn"
EARLY, LATE = "2026-11-25T10:00:00.000Z", "2026-11-26T11:30:00.000Z"
MIB = 2**20
GIB = 2**30
SEES = AboutModel(
    kind="chat", context_length=131072, vision=True, sampling={"temp": 0.6, "top_k": 20.0}
)


def status(state: ServerState, message: str, **facts: Any) -> CallToolResult:
    told = with_next_step(ServerStatus(state=state, message=message, **facts))
    return tool_result(status_text(told), told)


UP: dict[str, Any] = {
    "model": "tiny",
    "model_path": "/models/tiny.gguf",
    "url": "http://127.0.0.1:8085",
    "port": 8085,
    "pid": 4711,
    "engine": EngineInfo(kind="embedded", version="0.2.9", path="/usr/bin/python"),
    "uptime_seconds": 321.4,
    "ready_after_seconds": 2.25,
    "slots": SlotCount(total=4, busy=1),
    "waiting_turns": 3,
    "memory_bytes": 300 * MIB,
    "clients": 2,
    "notes": ["The model sleeps.", "This is the starter model."],
}
CRASH = LastExit(
    exit_code=None, signal=9, cause="somebody killed it", advice="Look who.", log_tail=["E one"]
)
TWO = [
    ModelStatus(
        name="tiny",
        state=ServerState.READY,
        port=8085,
        memory_bytes=300 * MIB,
        idle_seconds=12.4,
        clients=2,
    ),
    ModelStatus(name="größe", state=ServerState.STARTING, port=41234),
    ModelStatus(name="schläft", state=ServerState.IDLE, idle_seconds=900.0, clients=1),
]
FAR: dict[str, Any] = {
    "model": "qwen",
    "url": "https://gpu.example",
    "engine": EngineInfo(kind="remote", version="b11434"),
}
FAR_FACTS = RemoteFacts(
    server="openai",
    ctx_size=4096,
    ctx_size_source="guess",
    parallel=2,
    parallel_source="setting",
    token_counts="estimate",
    missing=["slots", "log"],
)
STATUSES = {
    "far": status(ServerState.READY, "qwen is served.", remote=FAR_FACTS, **FAR),
    "far, and told": status(
        ServerState.READY,
        "qwen is served.",
        remote=RemoteFacts(
            server="router",
            ctx_size=8192,
            ctx_size_source="told",
            parallel=4,
            parallel_source="told",
            token_counts="exact",
        ),
        slots=SlotCount(total=4, busy=1),
        models=TWO,
        **FAR,
    ),
    "far and gone": status(
        ServerState.UNRESPONSIVE,
        "The engine was not reached.",
        remote=FAR_FACTS.model_copy(update={"server": None, "missing": []}),
        notes=["Messages leave this machine."],
        **FAR,
    ),
    "one of several": status(ServerState.READY, "tiny is ready.", models=TWO, **UP),
    "stopped beside another": status(
        ServerState.STOPPED, "No llama-server runs with tiny; größe runs.", models=TWO[1:]
    ),
    "nothing": status(ServerState.STOPPED, "No llama-server is running."),
    "elsewhere": status(ServerState.STOPPED, "None here.", notes=["runs elsewhere (host b)"]),
    "loading": status(ServerState.STARTING, "tiny has been loading for 5 s.", **UP),
    "ready": status(ServerState.READY, "tiny is ready.", already_running=True, **UP),
    "fresh": status(ServerState.READY, "tiny is ready.", already_running=False, **UP),
    "silent": status(ServerState.UNRESPONSIVE, "The process lives but does not answer.", **UP),
    "of a model that sees": status(
        ServerState.READY, "tiny is ready.", already_running=False, about_model=SEES, **UP
    ),
    "crashed": status(
        ServerState.CRASHED,
        "tiny crashed (SIGKILL): somebody killed it. Look who.",
        last_exit=CRASH,
        model="tiny",
    ),
    "idle": status(ServerState.IDLE, "tiny was unloaded.", model="tiny", clients=2),
    "stopping": status(ServerState.STOPPING, "It is being stopped.", **UP),
}


def config(**facts: Any) -> CallToolResult:
    told = ServerConfig(llama_cpp_path="embedded", model_path="/models/tiny.gguf", **facts)
    return tool_result(config_text(told), told)


FAR_CONFIG = ServerConfig(
    running=True,
    port=0,
    url="https://gpu.example",
    url_model="qwen",
    notes=("Messages go there.",),
)
CONFIGS = {
    "of a start": config(running=False),
    "running": config(running=True, port=8085, n_gpu_layers=-1, extra_args=("-t", "1")),
    "of a model that is known": config(
        running=False, about_model=SEES.model_copy(update={"kind": "base", "audio": True})
    ),
    "far": tool_result(config_text(FAR_CONFIG), FAR_CONFIG),
    "wrong": config(running=False, notes=("A start would fail: no engine.",)),
}
USAGE = Usage(prompt_tokens=14, cached_tokens=3, completion_tokens=18)


def reply(text: str, how: TurnStatus = TurnStatus.COMPLETE, **facts: Any) -> ChatReply:
    known: dict[str, Any] = {
        "session_id": ID,
        "turn": 7,
        "status": how,
        "reply": text,
        "usage": USAGE,
        "timing": Timing(tokens_per_second=43.7),
        "context": ContextUse(tokens_used=32, limit=1024),
    }
    return ChatReply(**known | facts)


def told(one: ChatReply, *before: ChatReply) -> CallToolResult:
    telling = Telling()
    for each in before:
        telling.tell(each, telling.so_far)
    return telling.tell(one, telling.so_far if before else NOTHING)


SAVE_TO = SaveTo(path="/notes/four.md", folder="/notes")
GROWING = reply("It is", TurnStatus.IN_PROGRESS, usage=Usage(completion_tokens=2))
REPLIES = {
    "complete": told(reply("It is four.")),
    "cut off": told(reply("It", finish_reason="length", notes=["The reply was cut off."])),
    "empty": told(reply("", notes=["The reply is empty: the model ended its turn at once."])),
    "with reasoning": told(reply("4", receipt=Receipt(reasoning_tokens=11))),
    "read again": told(reply("4", receipt=Receipt(cache_miss="server restarted: it was."))),
    "turns left out": told(
        reply("4", context=ContextUse(tokens_used=900, limit=1024, turns_dropped=5))
    ),
    "growing": told(GROWING),
    "waiting": told(reply("", TurnStatus.IN_PROGRESS, usage=Usage(), place=Place(2, (OTHER,)))),
    "goes on": told(reply("It is four."), GROWING),
    "all told": told(reply("It is four."), reply("It is four.")),
    "data under way": told(GROWING.model_copy(update={"sampling": {"json_schema": {}}})),
    "in a file": told(reply("It is four.", save_to=SAVE_TO, saved_bytes=1311)),
    "in no file": told(reply("It is four.", save_to=SAVE_TO, notes=["It was not written."])),
    "on its way to a file": told(GROWING.model_copy(update={"save_to": SAVE_TO})),
    "cancelled": told(reply("It", TurnStatus.CANCELLED, notes=["It was stopped elsewhere."])),
    "interrupted": told(reply("It", TurnStatus.INTERRUPTED)),
}

LEFT_OUT = (
    LeftOutPart(file="b.png", why="it is a picture, and only text is read here"),
    LeftOutPart(file="a.md", lines="81-160", why="its reply was empty"),
)
COVERAGE = Coverage(files=2, pieces=9, tokens=31234, left_out=LEFT_OUT)
RESULTS_OF_FILES = (
    FileResult(file="a.md", lines="1-80", reply="Four words on it."),
    FileResult(file="c.md", parsed={"names": ["Tom", "Tim"]}),
    FileResult(file="d.md", error="llama-server could not complete the chat"),
)


def job(text: str, how: TurnStatus = TurnStatus.COMPLETE, **facts: Any) -> ChatReply:
    state: dict[str, Any] = {"done": 9, "planned": 9, "is_planned": True, "coverage": COVERAGE}
    about = {name: facts.pop(name) for name in JobState.model_fields.keys() & facts.keys()}
    return reply(text, how, job=JobState(**state | about), **facts)


WORKING = job("", TurnStatus.IN_PROGRESS, done=2, is_planned=False)
WORKING_ON_EACH = job("", TurnStatus.IN_PROGRESS, each=True, results=RESULTS_OF_FILES[:1])
EACH = job("## a.md", each=True, results=RESULTS_OF_FILES)
SAVED: dict[str, Any] = {
    "save_to": SaveTo(path="/notes/out.md", folder="/notes"),
    "saved_bytes": 5120,
}
JOBS = {
    "one reply": told(job("It is four.")),
    "data": told(job('{"n": 4}', parsed={"n": 4})),
    "each": told(EACH),
    "saved": told(job("It is four.", **SAVED)),
    "under way": told(WORKING),
    "under way with results": told(WORKING_ON_EACH),
    "putting together": told(job("", TurnStatus.IN_PROGRESS, stage="putting 9 replies together")),
    "waiting": told(job("", TurnStatus.IN_PROGRESS, place=Place(2, (OTHER,)))),
    "goes on": told(EACH, WORKING_ON_EACH),
    "all told": told(EACH, EACH),
    "cancelled": told(job("## a.md", TurnStatus.CANCELLED, results=RESULTS_OF_FILES[:1])),
    "interrupted": told(job("", TurnStatus.INTERRUPTED, notes=[JOB_INTERRUPTED])),
}


def session(**facts: Any) -> Session:
    known: dict[str, Any] = {"session_id": ID, "title": "Cats", "turns": 7}
    return Session(**known | {"created_at_utc": EARLY, "updated_at_utc": LATE} | facts)


FORK = session(forked_from=OTHER, forked_at_turn=3, system_prompt="Be brief.")


def changed(one: Session, note: str) -> CallToolResult:
    result = told_session(one, note)
    return tool_result(session_text(result), result)


def found(query: str = "", before: str = "", **facts: Any) -> CallToolResult:
    sessions = told_list(SessionList(**{"total": 0} | facts), query, before)
    return tool_result(list_text(sessions), sessions)


LISTS = {
    "none yet": found(),
    "none before": found(total=5, before="2020-01-01"),
    "none of the search before": found(total=5, query="cats", before="2020-01-01"),
    "no hit": found(query="dogs", note="Searched 5 sessions: none has this word."),
    "some": found(sessions=(session(), FORK), total=9, next_before="4097"),
    "hits": found(sessions=(session(match="three cats"),), total=1, query="cat"),
}
TURN = ArchivedTurn(
    turn=1,
    message="Three names?",
    status=TurnStatus.COMPLETE,
    reply="Tom, Tim, Tam",
    reasoning="Short ones",
    model="tiny",
    finish_reason="length",
    usage=USAGE,
    timing=Timing(first_token_ms=12.5, total_ms=99.1, tokens_per_second=43.7),
    receipt=Receipt(queue_ms=0.5, prompt_ms=7.5, generation_ms=80.2, cache_miss="unknown"),
    context_tokens=32,
    notes=("The reply was cut off.",),
    sampling={"temperature": 0.5, "json_schema": {"type": "object"}, "stop": ["x"]},
    started_at_utc=EARLY,
    ended_at_utc=LATE,
)
WITH_FILES = TURN.model_copy(
    update={
        "files": (
            AttachedFile(name="a b.md", first_line=3, last_line=84, size_bytes=905, sha256="5e"),
            AttachedFile(name="sea.png", media_type="image/png", size_bytes=1, sha256="6f"),
        ),
        "save_to": SAVE_TO,
        "saved_bytes": 1311,
    }
)
FAILED = TURN.model_copy(update={"turn": 2, "status": TurnStatus.FAILED, "error": "It broke."})
UNDER_WAY = TURN.model_copy(update={"turn": 3, "status": TurnStatus.IN_PROGRESS})


def page(*turns: ArchivedTurn, whose: Session = FORK, **facts: Any) -> CallToolResult:
    known: dict[str, Any] = {"session": whose, "turns": turns, "offset": 0, "total": len(turns)}
    told = told_page(TranscriptPage(**known | facts), facts.get("offset", 0))
    return tool_result(page_text(told), page_structure(told))


PAGES = {
    "all": page(TURN, FAILED, UNDER_WAY),
    "with files": page(WITH_FILES),
    "first": page(TURN, total=9, next_offset=1),
    "last": page(TURN, offset=8, total=9),
    "no turn": page(whose=session(turns=0)),
    "behind": page(offset=99, total=1, note="offset is 99, and the session has 1 turn."),
}


def log(**facts: Any) -> CallToolResult:
    told = ServerLog(**facts)
    return tool_result(log_text(told), told)


LOGS = {
    "none": log(note="There is no log: no llama-server was started yet."),
    "empty": log(log_path="/runs/a.log", note="The log is empty: nothing yet."),
    "end": log(lines=["one", "two"], log_path="/runs/a.log", truncated=True),
}
FIGURES = ServerMetrics(
    state=ServerState.READY,
    model="tiny",
    is_sleeping=True,
    uptime_seconds=321.4,
    prompt_tokens_total=1001,
    cached_prompt_tokens_total=502,
    generated_tokens_total=203,
    cache_hit_share=0.501,
    prompt_tokens_per_second=301.5,
    generated_tokens_per_second=40.5,
    prompt_tokens_per_second_now=299.5,
    generated_tokens_per_second_now=39.5,
    requests_processing=1,
    requests_deferred=6,
    slots=SlotCount(total=4, busy=1),
    memory_bytes=300 * MIB,
    cpu_percent=87.4,
    gpu_memory=[GpuMemory(name="H100", used_bytes=512 * MIB, total_bytes=81920 * MIB)],
    missing=["slots_processing"],
    waiting_turns=8,
    own_turns=[
        TurnStatistics(
            model="tiny",
            turns=55,
            failures=9,
            first_token_ms=Quantiles(median=12.0, p95=44.0),
            tokens_per_second=Quantiles(median=33.3, p95=66.6),
        )
    ],
)
STOPPED = ServerMetrics(state=ServerState.STOPPED)
METRICS = {
    name: tool_result(metrics_text(figures), figures)
    for name, figures in {"all": FIGURES, "stopped": STOPPED}.items()
}
QWEN = ModelRow(
    model="unsloth/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M",
    kind="chat",
    size_bytes=5027783488,
    quant="Q4_K_M",
    parameters=8190735360,
    context_length=40960,
    vision=True,
    fits="cpu",
    needs_bytes=7 * GIB,
    max_ctx_size=12288,
    source="huggingface",
    running=True,
)
BROKEN = ModelRow(
    model="half", size_bytes=3 * MIB, source="ollama", problem="its header ends early"
)


def models(**facts: Any) -> CallToolResult:
    listed = ModelList(**{"total": 0} | facts)
    return tool_result(models_text(listed), listed)


MODELS = {
    "none": models(note="No model was found. LLAMA_MCP_MODEL_DIRS is not set."),
    "all": models(models=(QWEN, BROKEN), total=2, available_bytes=9 * GIB),
    "first": models(models=(QWEN,), total=143, note="142 more: pass limit=143, or a query."),
}


def download(how: Literal["downloading", "complete", "cancelled"], **facts: Any) -> CallToolResult:
    told = told_download(Download(model="user/repo:q8_0", state=how, **facts))
    return tool_result(download_text(told), told)


PLANNED: dict[str, Any] = {
    "quant": "Q8_0",
    "files": [
        DownloadFile(name="a/m-Q8_0.gguf", size_bytes=5 * GIB),
        DownloadFile(name="a/mmproj-F16.gguf", size_bytes=600 * MIB),
    ],
    "other_quants": [Quant(quant="Q4_K_M", size_bytes=3 * GIB)],
    "notes": ["user/old is called user/repo now."],
}
DOWNLOADS = {
    "begins": download("downloading"),
    "comes": download(
        "downloading",
        bytes=Bytes(done=2 * GIB, total=6 * GIB, per_second=35.0 * MIB, seconds_left=117.0),
        **PLANNED,
    ),
    "complete": download(
        "complete", bytes=Bytes(done=6 * GIB, total=6 * GIB), model_path="/hub/m.gguf", **PLANNED
    ),
    "cancelled": download("cancelled", bytes=Bytes(done=2 * GIB, total=6 * GIB), **PLANNED),
}


def ranking(*rows: RankedRow, **facts: Any) -> CallToolResult:
    ranked = Ranking(by="minilm (cosine)", rows=rows, **facts)
    return tool_result(ranking_text(ranked), ranked)


RANKINGS = {
    "texts": ranking(
        RankedRow(score=0.9428, index=2, begins="That is a very happy person"),
        RankedRow(score=0.1, index=0, begins="Another one"),
        ranked=40,
        notes=("llama-server was started for this call (minilm).",),
    ),
    "files": ranking(
        RankedRow(score=0.5, file="docs/a.md", lines="10-24", begins="# A heading"),
        ranked=1,
        notes=("b.png left out: it is a picture, and only text is ranked.",),
    ),
}
SHOWN = f"{IN_CHAT} No llama-server is running."
DASHBOARD = tool_result(SHOWN, DashboardShown(message=SHOWN))
SITUATIONS: dict[str, dict[str, CallToolResult]] = {
    "start_llama_server": STATUSES,
    "stop_llama_server": STATUSES,
    "status": STATUSES,
    "get_config": CONFIGS,
    "chat": REPLIES,
    "wait_for_reply": REPLIES,
    "cancel_reply": REPLIES,
    "run_on_files": JOBS,
    "list_sessions": LISTS,
    "read_session": PAGES,
    "update_session": {"changed": changed(FORK, CHANGED)},
    "fork_session": {"all": changed(FORK, copied(FORK))},
    "delete_session": {"deleted": changed(session(), DELETED)},
    "list_models": MODELS,
    "download_model": DOWNLOADS,
    "rank_texts": RANKINGS,
    "server_metrics": METRICS,
    "server_log": LOGS,
    "open_dashboard": {"in the chat": DASHBOARD},
}
RESULTS = [
    pytest.param(result, id=f"{tool}: {name}")
    for tool, situations in SITUATIONS.items()
    for name, result in situations.items()
]
# Said in other words, or by another tool: the folder of the engine is get_config's llama_cpp_path.
ELSEWHERE = frozenset({"engine.path", "last_exit.signal", "sessions.created_at_utc"})


async def test_every_tool_has_its_situations_here() -> None:
    tools = await build_server(Settings()).list_tools()
    # What only the page calls has data for it, and no words for a model.
    assert [tool.name for tool in tools if tool.name not in PAGE_TOOLS] == list(SITUATIONS)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what the structure holds, each with where it is."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, path)
    else:
        yield path, value


AS_WORDS: tuple[Callable[[Any], str], ...] = (
    str,
    "{:.0f}".format,
    "{:.1f}".format,
    lasting,
    lambda share: f"{share * 100:.0f} %",
    lambda size: f"{size / MIB:.0f} MiB",
    lambda size: f"{size / MIB:.0f} of",
    size_text,
    amount_text,
    "{:g}".format,
)


def ways_to_say(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [as_words(value) for as_words in AS_WORDS]


@pytest.mark.parametrize("result", RESULTS)
def test_the_structure_tells_every_statement_and_every_number_of_the_text(
    result: CallToolResult,
) -> None:
    held = list(leaves(result.structured_content))
    texts = " ".join(str(value) for _, value in held if isinstance(value, str))
    # The head of a page is figures, if in words.
    lines = [line for line in text_of(result).splitlines() if not line.startswith("Session ")]
    said = "\n".join(lines)
    for statement in re.findall(r"[^\n.:\[\]>]*? [^\n.:\[\]>]*? [^\n.:\[\]>]*?\.(?=\s|$)", said):
        words = re.sub(r"^Note: |^# |^\s+", "", statement).strip()
        if not words.startswith(("Begun ", "Not known here")):
            assert words in texts, said
    numbers = {number for _, value in held for number in ways_to_say(value)}
    for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", said):
        is_held = number in texts or any(number in way.split() for way in numbers)
        # Pages count what is on them.
        assert is_held or "turns" in said or "session" in said, (number, said)


@pytest.mark.parametrize("result", RESULTS)
def test_the_text_tells_everything_that_the_structure_does(result: CallToolResult) -> None:
    said = text_of(result)
    for path, value in leaves(result.structured_content):
        # Nothing is said of what there is none of.
        if value and path not in ELSEWHERE and not isinstance(value, bool):
            assert any(way in said for way in ways_to_say(value)), (path, value, said)
