import pytest

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.sessions.history import Opening, plan_opening
from llama_mcp.sessions.records import Message, Role


def messages(*roles: Role) -> list[Message]:
    return [Message(role=role, content=f"{role} {number}") for number, role in enumerate(roles)]


def test_a_history_becomes_pairs_of_message_and_reply() -> None:
    opening = plan_opening(None, messages("user", "assistant", "user", "assistant"))
    assert opening == Opening(None, (("user 0", "assistant 1"), ("user 2", "assistant 3")))


def test_a_system_message_at_the_beginning_is_the_system_prompt() -> None:
    assert plan_opening(None, messages("system")).system_prompt == "system 0"
    assert plan_opening("be brief", ()).system_prompt == "be brief"
    assert plan_opening("", ()).system_prompt is None


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
        plan_opening(None, messages(*roles))


def test_two_system_prompts_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="Pass one of them"):
        plan_opening("be brief", messages("system"))
