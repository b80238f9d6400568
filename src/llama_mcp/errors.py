"""The base of what can go wrong, and the kinds that every room knows; each room has its errors.py.

Every text says the situation, the evidence and the next step. The next step is data, so that each
door can say it in its own words: the MCP desk as a tool, the command line as a command.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

_SHOWN_NAME = 100
_STEP = re.compile(r"\{(\w+)\}")
EVIDENCE_HEADING = "\nFrom its log:\n"


class Step(StrEnum):
    """What the reader of an error or a status can do next."""

    START = "start"
    STOP = "stop"
    FORCE_STOP = "force_stop"
    STOP_LAST = "stop_last"
    """What was started last, whose name is not known."""
    STOP_ONE = "stop_one"
    """One of those that were named."""
    REPLACE = "replace"
    STATUS = "status"
    CHAT = "chat"
    WAIT = "wait"
    CANCEL = "cancel"
    FORK = "fork"
    LIST_SESSIONS = "list_sessions"
    DOWNLOAD = "download"
    RUN_ON_FILES = "run_on_files"


Words = Mapping[Step, str]

# For logs and the archive, which no door has yet put into its own words.
PLAIN_WORDS: Words = {
    Step.START: "start llama-server",
    Step.STOP: "stop llama-server",
    Step.FORCE_STOP: "stop llama-server by force",
    Step.STOP_LAST: "stop llama-server",
    Step.STOP_ONE: "stop one of them",
    Step.REPLACE: "ask for a replacement",
    Step.STATUS: "look at its status",
    Step.CHAT: "send a message",
    Step.WAIT: "wait for the reply",
    Step.CANCEL: "cancel the reply",
    Step.FORK: "fork the session",
    Step.LIST_SESSIONS: "list the sessions",
    Step.DOWNLOAD: "download it",
    Step.RUN_ON_FILES: "run a job on the files",
}


def in_words(template: str, words: Words) -> str:
    """Return a next step with each `{step}` in a door's words; `{Step}` begins a sentence."""

    def word(match: re.Match[str]) -> str:
        name = match[1]
        text = words[Step(name.lower())]
        return text[0].upper() + text[1:] if name[0].isupper() else text

    return _STEP.sub(word, template)


class LlamaMCPError(Exception):
    """An anticipated failure; its text is written for a reader who can act on it."""

    next_step = ""
    """What to do, with each Step in braces: `{Start} first.` Names and values of the case at hand
    belong in the situation."""

    discreet: str | None = None
    """What is told in place of the situation to who may not see the machine; None: the same."""

    can_go_on = False
    """Whether the reply that it broke off can go on once llama-server was started again."""

    def __init__(
        self,
        situation: str,
        *,
        next_step: str | None = None,
        evidence: Sequence[str] = (),
        cause: "LlamaMCPError | None" = None,
    ) -> None:
        """Take what happened.

        Args:
            situation: what happened, and advice that names parameters; whole sentences.
            next_step: replaces the class's own.
            evidence: lines of llama-server's log.
            cause: the failure that led to this one; it is told first.
        """
        super().__init__(situation)
        self.situation = situation
        self.evidence = tuple(evidence)
        self.cause = cause
        if next_step is not None:
            self.next_step = next_step

    @property
    def next(self) -> tuple[Step, ...]:
        """The steps that the text proposes, in its order."""
        return tuple(Step(name.lower()) for name in _STEP.findall(self.next_step))

    def told(self, words: Words) -> str:
        """Return the whole text, with the next step in a door's words; lines of a log come last."""
        text = self._told_without_evidence(words)
        evidence = [line for error in self._causes() for line in error.evidence]
        if evidence:
            text += EVIDENCE_HEADING + "\n".join(f"  {line}" for line in evidence)
        return text

    def told_discreetly(self, words: Words) -> str:
        """Return the text for who may not see the machine: without lines of a log."""
        return self._told_without_evidence(words, is_discreet=True)

    def _told_without_evidence(self, words: Words, *, is_discreet: bool = False) -> str:
        situation = (is_discreet and self.discreet) or self.situation
        text = " ".join(filter(None, (situation, in_words(self.next_step, words))))
        if self.cause is None:
            return text
        return f"{self.cause._told_without_evidence(words, is_discreet=is_discreet)}\n{text}"

    def _causes(self) -> "list[LlamaMCPError]":
        return [*(self.cause._causes() if self.cause else []), self]

    def __str__(self) -> str:
        return self.told(PLAIN_WORDS)


class InvalidArgumentError(LlamaMCPError):
    """A value outside what the parameter takes."""

    def __init__(self, parameter: str, problem: str, advice: str) -> None:
        self.parameter = parameter
        super().__init__(f"{parameter} {problem}. {advice}")


class PathNotAllowedError(LlamaMCPError):
    """A file outside the folders that the operator allows."""

    def __init__(self, parameter: str, path: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"{parameter} names {path}, which is outside the folders that the operator allows: "
            f"{', '.join(allowed)}. Pass a file inside them; only the operator can change "
            "LLAMA_MCP_ALLOWED_PATHS."
        )


class ScopeNeededError(LlamaMCPError):
    """Something that the caller's token does not allow."""

    def __init__(self, what: str, needed: str, has: str) -> None:
        """Take what was asked for, the scope that it needs, and the one that the caller has."""
        super().__init__(
            f"{what} needs the scope {needed}, and this token has {has}. Nothing was done. Do "
            "without it, or ask whoever runs this llama-mcp."
        )


class ModelIsNoNameError(LlamaMCPError):
    """A path or an address where the caller may only name a model."""

    def __init__(self, parameter: str, name: str) -> None:
        super().__init__(
            f"{parameter} takes the name of a model here, and {name[:_SHOWN_NAME]} looks "
            "like a path or an address; only the scope admin may pass one. Nothing was looked at. "
            "Pass a name from the list of models."
        )


class WrongSettingsError(LlamaMCPError):
    """A setting that this call needs cannot be what its variable says."""

    discreet = (
        "Nothing was done, because settings of llama-mcp are wrong. Only the operator can set "
        "them right."
    )

    def __init__(self, faults: Sequence[str]) -> None:
        """Take what is wrong.

        Args:
            faults: all wrong settings, those too that this call does not need; whole sentences.
        """
        super().__init__(
            f"Nothing was done, because settings of llama-mcp are wrong: {' '.join(faults)} Only "
            "the operator can set them right: in the environment of llama-mcp, which clients take "
            "from the `env` of its entry. Then llama-mcp has to be started again."
        )


class NoHomeError(LlamaMCPError):
    """There is no folder for state and sessions."""

    discreet = (
        "There is no folder for llama-mcp's records and sessions. Only the operator can change "
        "that."
    )

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"There is no folder for llama-mcp's records and sessions: {problem}. Only the "
            "operator can change that: by setting LLAMA_MCP_HOME to the full path of a folder that "
            "the user of llama-mcp can write to, and starting llama-mcp again."
        )
