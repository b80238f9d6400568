"""The replies that processes of llama-mcp have left behind, found again by the next one."""

from collections.abc import Collection, Iterator
from pathlib import Path

import anyio
import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.keeper import lease_locks, run_dir
from llama_mcp.llama_server.api.chunks import StreamMark
from llama_mcp.llama_server.over_run import OverRun
from llama_mcp.llama_server.ready_run import ReadyRun
from llama_mcp.llama_server.ready_server import ReadyServer
from llama_mcp.llama_server.reply_stream import StreamPlace
from llama_mcp.llama_server.run_stream import RunStream
from llama_mcp.llama_server.runs.run import Run, is_here, read_run, run_folders
from llama_mcp.llama_server.runs.run_state import read_run_state
from llama_mcp.llama_server.runs.stream_files import StreamFiles
from llama_mcp.llama_server.supervisor import Supervisor

# A keeper that stops llama-server writes down first what the streams have.
KEEPER_SECONDS = 5.0
KEEPER_POLL_SECONDS = 0.05


class LeftRunReplies:
    """LeftReplies of the runs of one home."""

    def __init__(self, supervisor: Supervisor, runs_dir: Path) -> None:
        self._supervisor = supervisor
        self._runs_dir = runs_dir

    async def find(self, point: StreamPlace) -> tuple[ReadyServer, RunStream]:
        """Return the llama-server of the reply and its stream, which this process reads now."""
        files, mark = self._files(point), StreamMark(point.stream_id, point.byte)
        if not files.is_registered():
            # Never asked for; somebody who waits for it has it asked for now.
            server = await self._ready(point.run)
            lost = RunStream(point.run, files, mark, None)
            return server or await self._over(point.run), lost
        ending = files.ending()
        # Of what llama-server was perhaps never asked for, it can be asked now.
        is_new = point.byte == 0 and ending is not None and ending.why == run_dir.LOST
        server = await self._ready(point.run) if ending is None or is_new else None
        if server is None:
            await self._wait_for_the_keeper(point)
        kept = await anyio.to_thread.run_sync(files.take_with_rest, point.byte)
        client = server.client if server and kept is not None else None
        stream = RunStream(point.run, files, mark, client)
        stream.kept, stream.ending = kept or b"", files.ending()
        return server or await self._over(point.run), stream

    async def is_going_on(self, point: StreamPlace) -> bool:
        """Tell whether its llama-server's keeper still looks after it."""
        files = self._files(point)
        is_open = files.is_registered() and files.ending() is None
        return is_open and self._has_keeper(point)

    async def can_be_sent(self, point: StreamPlace, age_seconds: float) -> bool:
        """Tell whether its llama-server was not asked for it yet, and somebody may still come."""
        run = read_run(self._runs_dir / point.run)
        if self._files(point).is_registered() or not isinstance(run, Run):
            return False
        # A keeper that was started just now has no lock yet.
        is_kept = self._has_keeper(point) or (is_here(run) and (await read_run_state(run)).is_live)
        return is_kept and age_seconds < run.launch.finish_seconds

    async def is_out_of_reach(self, point: StreamPlace) -> bool:
        """Tell whether it goes on where it cannot be read now.

        That is in another place (a machine or container with the same home), or in a llama-server
        that does not answer at present.
        """
        if not await self.is_going_on(point):
            return False
        if not is_here(read_run(self._runs_dir / point.run)):
            return True
        if await self._ready(point.run):
            return False
        await self._wait_for_the_keeper(point)
        return await self.is_going_on(point)

    async def stop(self, point: StreamPlace) -> None:
        """Stop generating a reply that another process reads, or nobody."""
        if server := await self._ready(point.run):
            await server.client.end_stream(point.stream_id)

    async def clear(self, wanted: Collection[str]) -> None:
        """Stop and forget the streams that nobody reads and whose ids are not among those."""
        for folder, stream_id in await anyio.to_thread.run_sync(list, self._registered()):
            files = StreamFiles(folder, stream_id)
            if stream_id not in wanted and files.take(patience_seconds=0):
                if server := await self._ready(folder.name):
                    await server.client.end_stream(stream_id)
                files.remove()

    def _registered(self) -> Iterator[tuple[Path, str]]:
        for folder in run_folders(self._runs_dir):
            ids = run_dir.registered_streams(str(folder))
            if ids and is_here(read_run(folder)):
                yield from ((folder, stream_id) for stream_id in ids)

    async def _ready(self, run: str) -> ReadyRun | None:
        """Return the run if it is one that answers, with a lease on it."""
        try:
            return await self._supervisor.ready_run(run)
        except LlamaMCPError:
            return None

    async def _wait_for_the_keeper(self, point: StreamPlace) -> None:
        with anyio.move_on_after(KEEPER_SECONDS):
            while await self.is_going_on(point):
                await anyio.sleep(KEEPER_POLL_SECONDS)

    def _has_keeper(self, point: StreamPlace) -> bool:
        return lease_locks.is_locked(str(self._runs_dir / point.run / run_dir.KEEPER_LOCK))

    async def _over(self, name: str) -> OverRun:
        run = read_run(self._runs_dir / name) if name else None
        if not isinstance(run, Run):
            return OverRun(name)
        state = await read_run_state(run)
        launch = run.launch
        return OverRun(name, launch.alias, state.slot_ctx_size, port=launch.port)

    def _files(self, point: StreamPlace) -> StreamFiles:
        return StreamFiles(self._runs_dir / point.run, point.stream_id)
