"""How far a turn is, as whoever looks from another process is told."""

import time

from llama_mcp.llama_server.ready_server import ModelLoad
from llama_mcp.sessions.recent_turns import Stage, TurnProgress
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.turns.replies.progress import progress_of, progress_of_pieces
from llama_mcp.turns.slot_queue import Place


def reading(total: int, processed: int) -> dict[str, object]:
    return {"prompt_progress": {"total": total, "processed": processed, "cache": 0, "time_ms": 9}}


def token(text: str) -> dict[str, object]:
    return {"choices": [{"delta": {"content": text}}]}


def test_a_turn_goes_through_its_stages() -> None:
    reply = PartialReply(load=ModelLoad(1.0, ""))
    assert progress_of(reply) == TurnProgress(stage=Stage.LOADING)
    reply.begin()
    assert progress_of(reply).stage is Stage.READING  # its prompt is put together
    reply.take_place(Place(2, ("other",)))
    assert progress_of(reply) == TurnProgress(stage=Stage.QUEUED, place=2)
    reply.take_place(None)
    # Sent, and in llama-server's own queue, which tells no places.
    assert progress_of(reply) == TurnProgress(stage=Stage.QUEUED)
    reply.take(reading(400, 100))
    assert progress_of(reply) == TurnProgress(
        stage=Stage.READING, prompt_tokens=400, prompt_tokens_read=100
    )
    reply.take(reading(400, 400))
    for word in ("one", "two", "three"):
        reply.take(token(word))
    seen = progress_of(reply)
    assert (seen.stage, seen.prompt_tokens_read, seen.generated_tokens) == (
        *(Stage.GENERATING, 400),
        3,
    )


def test_the_rate_is_that_of_the_reply_so_far_and_nothing_is_said_where_the_clock_is_another() -> (
    None
):
    reply = PartialReply(begun_at=time.monotonic() - 5, first_token_ms=3000.0, generated=21)
    rate = progress_of(reply).tokens_per_second
    assert rate is not None and 0 < rate <= 10.0
    reply.is_read_on = True
    assert progress_of(reply).tokens_per_second is None


def test_a_second_try_is_what_is_generated_now() -> None:
    reply, again = PartialReply(generated=80, is_answered=True), PartialReply()
    reply.take_place(None)
    again.take(reading(50, 10))
    seen = progress_of(reply, again)
    assert (seen.stage, seen.prompt_tokens, seen.generated_tokens) == (Stage.READING, 50, 0)


def test_a_job_is_as_far_as_the_pieces_that_it_asks_for_now() -> None:
    job, one, two = PartialReply(), PartialReply(), PartialReply()
    assert progress_of_pieces(job, []).stage is Stage.READING
    one.take(reading(100, 100))
    two.take(reading(50, 20))
    job.generated = 3
    seen = progress_of_pieces(job, [one, two])
    assert (seen.stage, seen.prompt_tokens, seen.prompt_tokens_read) == (Stage.READING, 150, 120)
    one.take(token("word"))
    seen = progress_of_pieces(job, [one, two])
    assert (seen.stage, seen.generated_tokens) == (Stage.GENERATING, 1)
    job.queue_place = Place(1, ("other",))
    assert progress_of_pieces(job, [one]).place == 1
