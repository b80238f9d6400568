"""What a caller asks of a job over files, checked."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from llama_mcp.callers import LOCAL_OWNER, NO_LIMITS, Limits
from llama_mcp.errors import InvalidArgumentError
from llama_mcp.sessions.attachments import SaveTo
from llama_mcp.turns.chat_request import Sampling
from llama_mcp.turns.jobs.saving import Form, form_of

MAX_NAMES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """One call of run_on_files."""

    instruction: str
    owner: str
    """Who asks: the session of the job becomes one of its own."""
    limits: Limits = NO_LIMITS
    """What the owner's turns may take."""
    files: Sequence[str]
    """Paths and patterns, as the caller names them."""
    each: bool = False
    """Every file has a result of its own."""
    model: str | None = None
    """The only one that will do, by path or name; None for the one that runs."""
    wait_seconds: float = 0.0
    """How long its caller waits."""
    sampling: Sampling = Sampling()
    save_to: SaveTo | None = None
    """The file that the results go to."""

    @property
    def form(self) -> Form:
        """In which form the results are saved."""
        return form_of(self.save_to.path if self.save_to else "")

    def check(self) -> None:
        """Raise InvalidArgumentError for what cannot be done."""
        if not self.instruction.strip():
            raise InvalidArgumentError("instruction", "is empty", "Say what to do with the files.")
        if not [name for name in self.files if name.strip()]:
            raise InvalidArgumentError(
                "files", "is empty", "Pass paths, or a pattern: src/**/*.py."
            )
        if len(self.files) > MAX_NAMES:
            raise InvalidArgumentError(
                "files", f"has {len(self.files)} entries", f"Pass patterns; at most {MAX_NAMES}."
            )
        if self.form is Form.JSON_LINES and not self.each:
            raise InvalidArgumentError(
                "save_to", "ends in .jsonl, which has a line for each file", "Pass each=true too."
            )

    def with_sampling(self, sampling: Sampling) -> "JobRequest":
        """Return the request with another sampling."""
        return replace(self, sampling=sampling)

    def digest(self) -> str:
        """Return what is the same for two calls that ask the same; where it is saved is no part."""
        asked = {
            "instruction": self.instruction,
            "files": list(self.files),
            "each": self.each,
            "model": self.model,
            "sampling": self.sampling.given(),
            # A process of an older version knows no owner, and the calls of one.
            **({"owner": self.owner} if self.owner != LOCAL_OWNER else {}),
        }
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]
