"""What was expected and what was seen, line by line."""

from dataclasses import dataclass, field


@dataclass
class Report:
    """The lines so far; each is printed at once."""

    failed: list[str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """Begin a part."""
        print(f"\n{text}", flush=True)

    def check(self, is_good: bool, what: str, expected: object, seen: object) -> None:
        """Tell of something that was expected."""
        mark = "ok    " if is_good else "FAILED"
        print(f"{mark}  {what:44} expected {expected}; seen {seen}", flush=True)
        if not is_good:
            self.failed.append(what)

    def figure(self, what: str, value: object) -> None:
        """Tell of something that is only measured."""
        print(f"        {what:44} {value}", flush=True)
