"""What happens on a full disk, in a mount that only this process sees.

unshare --map-root-user --mount python small_disk_program.py FOLDER
"""

import subprocess
import sys
from pathlib import Path

import anyio

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import ArchiveError
from llama_mcp.sessions.records import TurnEnding, TurnStatus

REPLY = "a long reply " * 20_000


def mount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)


def fill_up(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


async def fill_during_a_turn(folder: Path) -> None:
    archive = Archive(folder / "sessions.db")
    ballast = folder / "ballast"
    begun = await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)
    session_id = begun.session.session_id
    await archive.save_partial(session_id, 1, "a long", "")
    fill_up(ballast)
    for attempt in (
        archive.save_partial(session_id, 1, REPLY[:200_000], ""),
        archive.end_turn(session_id, 1, TurnEnding(status=TurnStatus.COMPLETE, reply=REPLY)),
        archive.begin_turn(None, REPLY, owner=LOCAL_OWNER),
    ):
        try:
            await attempt
        except ArchiveError as error:
            print(error)
    turn = await archive.last_turn(session_id, owner=LOCAL_OWNER)
    print(turn.status, turn.reply)
    ballast.unlink()
    turn = await archive.last_turn(session_id, owner=LOCAL_OWNER)
    print(turn.status, turn.reply == REPLY)
    await archive.close()


async def begin_on_a_full_disk(folder: Path) -> None:
    folder = folder / "new"
    folder.mkdir()
    fill_up(folder / "ballast")
    archive = Archive(folder / "sessions.db")
    try:
        await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)
    except ArchiveError as error:
        print(error)
    (folder / "ballast").unlink()
    begun = await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)
    print(begun.turn, archive.notice())
    await archive.close()


def main() -> None:
    folder = Path(sys.argv[1])
    mount(folder, "size=2m")
    anyio.run(fill_during_a_turn, folder)
    anyio.run(begin_on_a_full_disk, folder)


if __name__ == "__main__":
    main()
