"""How much is asked for at once goes by how fast the model reads."""

from llama_mcp.ranking.measuring import BATCH_CHARACTERS, FIRST_CHARACTERS, Pace


def test_a_fast_model_is_soon_asked_for_much_and_a_slow_one_for_one_text_at_a_time() -> None:
    pace = Pace()
    for _ in range(10):
        pace.note(0.01)
    assert pace.characters == BATCH_CHARACTERS
    for _ in range(30):
        pace.note(20.0)
    assert pace.characters == 1
    pace = Pace()
    pace.note(2.0)
    assert pace.characters == FIRST_CHARACTERS
