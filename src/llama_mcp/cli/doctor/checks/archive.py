"""Check: the archive of sessions, looked at and not changed."""

from collections.abc import Sequence

import anyio.to_thread

from llama_mcp.cli.doctor.findings import Circumstances, Finding, fault, fine, warning
from llama_mcp.sessions.sqlite.examining import ArchiveFacts, examine
from llama_mcp.wording import counted, first_few, size_text

_MOST_NAMED = 2


async def look_at_archive(circumstances: Circumstances) -> Sequence[Finding]:
    """Say whether the archive can be read, its version and its size."""
    path = circumstances.settings.archive_path
    facts = await anyio.to_thread.run_sync(examine, path, abandon_on_cancel=True)
    if facts is None:
        return [fine(f"{path} will be made with the first session")]
    lines = [_state(str(path), facts)]
    if facts.set_aside:
        named = first_few(facts.set_aside, _MOST_NAMED)
        recover = "`sqlite3 FILE .recover` reads what is left of them; then delete them."
        lines.append(warning(f"Damaged archives were set aside: {named}.", recover))
    return lines


def _state(path: str, facts: ArchiveFacts) -> Finding:
    if facts.damage:
        return fault(
            f"{path} is damaged: {facts.damage}.",
            "Copy it, then go on: llama-mcp sets it aside when it next uses it, and deletes "
            "nothing. `sqlite3 FILE .recover` reads what is left of it.",
        )
    version = f"version {facts.version} of {facts.newest_version}"
    if facts.version < facts.newest_version:
        version += ", brought up to date by its next use"
    about = f"{counted(facts.sessions, 'session')}, {size_text(facts.size_bytes)}, {version}"
    return fine(f"{path}: {about}")
