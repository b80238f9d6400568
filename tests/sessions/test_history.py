import pytest

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.sessions.history import ImportedHistory, import_history
from llama_mcp.sessions.records import Message, Role


def messages(*roles: Role) -> list[Message]:
    return [Message(role=role, content=f"{role} {number}") for number, role in enumerate(roles)]


def test_a_history_becomes_pairs_of_message_and_reply() -> None:
    imported = import_history(None, messages("user", "assistant", "user", "assistant"))
    assert imported == ImportedHistory(None, (("user 0", "assistant 1"), ("user 2", "assistant 3")))


def test_a_system_message_at_the_beginning_is_the_system_prompt() -> None:
    assert import_history(None, messages("system")).system_prompt == "system 0"
    assert import_history("be brief", ()).system_prompt == "be brief"
    assert import_history("", ()).system_prompt is None


@pytest.mark.parametrize(
    ("roles", "problem"),
    [
        (["user"], "ends with a user message"),
        (["assistant"], "index 0"),
        (["system", "assistant"], "index 1"),
        (["user", "user"], "index 1"),
        (["user", "assistant", "assistant"], "index 2"),
        (["user", "assistant", "system"], "index 2"),
    ],
)
def test_roles_that_are_not_those_of_a_conversation_are_refused(
    roles: list[Role], problem: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=f"(?s)history.*{problem}"):
        import_history(None, messages(*roles))


def test_two_system_prompts_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="Pass one of them"):
        import_history("be brief", messages("system"))
