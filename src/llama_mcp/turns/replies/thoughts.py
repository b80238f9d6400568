"""Thoughts that a model writes into its reply, parted from it as llama.cpp parts them.

llama-server sends thoughts apart where it knows the model's template. It does not with
`--reasoning-format none`, with templates that it does not see through, and with some builds: then
they stand at the beginning of the reply between two tags, or the first tag is in the template and
only the second one in the reply. A reply that speaks of such tags further on is left as it is.
"""

import re
from collections.abc import Sequence

# Openings and ends that llama.cpp knows (common/chat.cpp and common/chat-auto-parser*.cpp), and
# those of models whose templates it reads them from.
TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "<mm:think>": "</mm:think>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|inner_prefix|>": "<|inner_suffix|>",
    "<|open|>think<|sep|>": "<|close|>think<|sep|>",
    "<|channel>thought": "<channel|>",
    "<|channel|>analysis<|message|>": "<|end|>",
    "\u25c1think\u25b7": "\u25c1/think\u25b7",
}
# How gpt-oss announces its answer, whether it has thought or not.
_ANNOUNCEMENTS = ("<|start|>assistant", "<|channel|>final<|message|>")
# What every tag begins with: a text without any of these holds no tag.
_SIGNS = {tag[0] for tag in (*TAGS, *TAGS.values(), *_ANNOUNCEMENTS)}
_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)


class ThoughtParter:
    """Parts a reply that comes in pieces: each piece, or a part of it, is thought or answer."""

    def __init__(self) -> None:
        self._held = ""
        # The tag that is waited for: None before anything is decided, "" once the answer has begun.
        self._end: str | None = None
        # A tag was just read; what it stands before begins after the blanks.
        self._is_after_tag = False

    @property
    def is_holding_back(self) -> bool:
        """Whether there is text of which it is not known yet what it is."""
        return bool(self._held)

    def take(self, piece: str) -> tuple[str, str]:
        """Return what is now known to be thought, and what to be answer."""
        self._held += piece
        if self._end is None:
            self._look_for_opening()
        if self._is_after_tag:
            self._skip_what_follows_a_tag()
        if self._end is None or self._is_after_tag:
            return "", ""
        return self._part() if self._end else ("", self._release())

    def leave_alone(self) -> None:
        """Take all that comes for the answer: llama-server has parted the thoughts itself."""
        self._end = ""

    def end(self) -> tuple[str, str]:
        """Return what was held back, once nothing more comes."""
        held = self._release()
        if self._is_after_tag:
            held = held.strip()
        return (held, "") if self._end else ("", held)

    def _look_for_opening(self) -> None:
        text = self._held.lstrip()
        if _may_become_one_of(text, (*TAGS, *_ANNOUNCEMENTS)):
            return
        self._end = ""
        for tag, end in (*TAGS.items(), *((tag, "") for tag in _ANNOUNCEMENTS)):
            if text.startswith(tag):
                self._end, self._held, self._is_after_tag = end, text.removeprefix(tag), True
                return

    def _skip_what_follows_a_tag(self) -> None:
        text = self._held.lstrip()
        announcements = () if self._end else _ANNOUNCEMENTS
        for announcement in announcements:
            text = text.removeprefix(announcement).lstrip()
        self._held = text
        self._is_after_tag = _may_become_one_of(text, announcements)

    def _part(self) -> tuple[str, str]:
        end = self._end or ""
        thought, found, answer = self._held.partition(end)
        if found:
            self._end, self._held, self._is_after_tag = "", "", True
            return thought, self.take(answer)[1]
        kept = next(n for n in range(len(end) - 1, -1, -1) if thought.endswith(end[:n]))
        cut = len(thought) - kept
        self._held = thought[cut:]
        return thought[:cut], ""

    def _release(self) -> str:
        held, self._held = self._held, ""
        return held


def _may_become_one_of(text: str, tags: Sequence[str]) -> bool:
    """Return whether a text is empty, or the beginning of one of the tags."""
    return not text or any(tag.startswith(text) and tag != text for tag in tags)


def part_thoughts(text: str) -> tuple[str, str]:
    """Return thoughts and answer of a whole reply."""
    if not any(sign in text for sign in _SIGNS):
        return "", text
    parter = ThoughtParter()
    pieces = [parter.take(text), parter.end()]
    thought, answer = ("".join(parts) for parts in zip(*pieces, strict=True))
    return (thought, answer) if thought else part_unopened(answer)


def part_unopened(text: str) -> tuple[str, str]:
    """Return thoughts and answer of a whole reply whose first tag is in the template."""
    for opening, end in TAGS.items():
        at = text.find(end)
        if at < 0 or opening in text[:at]:
            continue
        thought, answer = text[:at], text[at + len(end) :]
        if _ends_thoughts(thought):
            return thought.strip(), answer.lstrip()
    return "", text


def _ends_thoughts(thought: str) -> bool:
    """Return whether a tag behind this ends thoughts, and is not quoted in prose or code."""
    if len(_FENCE.findall(thought)) % 2:
        return False
    line = thought.rpartition("\n")[2]
    if line.count("`") % 2 or line.endswith(("'", '"', "`", "\u201c", "(", "<")):
        return False
    # At the beginning of a line, after a sentence, or glued to a word.
    before = line.rstrip()
    return not before or before == line or before.endswith((".", "!", "?", "\u3002", "\u2026"))
