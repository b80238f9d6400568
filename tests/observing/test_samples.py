"""What llama-server took and gave over time, as long as somebody looks."""

from llama_mcp.llama_server.metrics.figures import GpuMemory
from llama_mcp.llama_server.status import ServerState, Slot, SlotCount
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.observing.samples import MOST_SAMPLES, Samples

AT = 1_800_000_000.0


def metrics(generated: int | None = 0, read: int = 0, uptime: float = 100.0) -> ServerMetrics:
    return ServerMetrics(
        state=ServerState.READY,
        uptime_seconds=uptime,
        generated_tokens_total=generated,
        prompt_tokens_total=read,
        memory_bytes=2**30,
        cpu_percent=99.0,
        cache_hit_share=0.5,
        slots=SlotCount(total=4, busy=1),
        gpu_memory=[GpuMemory(name="a", used_bytes=1, total_bytes=9)] * 2,
    )


def slot(generated: int | None, processed: int = 0) -> Slot:
    return Slot(
        id=0, is_processing=True, generated_tokens=generated, prompt_tokens_processed=processed
    )


def test_a_sample_has_the_figures_of_its_moment() -> None:
    samples = Samples()
    samples.note(metrics(), [], AT)
    (sample,) = samples.since()
    assert sample.at_utc == "2027-01-15T08:00:00.000Z"
    assert (sample.memory_bytes, sample.gpu_memory_bytes, sample.cpu_percent) == (2**30, 2, 99.0)
    assert (sample.busy_slots, sample.slots, sample.cache_hit_share) == (1, 4, 0.5)
    assert sample.generated_tokens_per_second is None


def test_tokens_count_as_they_come_and_not_only_when_a_reply_is_over() -> None:
    samples = Samples()
    samples.note(metrics(1000, 50), [slot(None, 10)], AT)
    samples.note(metrics(1000, 80), [slot(20, 30)], AT + 2)  # the prompt is read, 30 tokens of it
    samples.note(metrics(1030, 80), [], AT + 3)  # the reply is over, and had 30 tokens
    rates = [
        (each.prompt_tokens_per_second, each.generated_tokens_per_second)
        for each in samples.since()
    ]
    assert rates == [(None, None), (10.0, 10.0), (0.0, 10.0)]


def test_no_rate_is_told_of_a_time_that_nobody_saw_nor_of_another_llama_server() -> None:
    samples = Samples()
    samples.note(metrics(10), [], AT)
    samples.note(metrics(5000), [], AT + 600)
    samples.note(metrics(5, uptime=1.0), [], AT + 602)
    samples.note(metrics(None), [], AT + 604)
    assert [each.generated_tokens_per_second for each in samples.since()] == [None] * 4


def test_looks_at_once_are_one_sample_and_the_oldest_samples_go() -> None:
    samples = Samples()
    for number in range(MOST_SAMPLES + 10):
        samples.note(metrics(), [], AT + number)
        samples.note(metrics(), [], AT + number + 0.1)
    kept = samples.since()
    assert len(kept) == MOST_SAMPLES
    assert samples.since(kept[-3].at_utc) == kept[-2:]


def test_a_clock_that_is_put_back_ends_no_sampling() -> None:
    samples = Samples()
    samples.note(metrics(), [], AT)
    samples.note(metrics(), [], AT - 1000)
    samples.note(metrics(), [], AT - 998)
    assert len(samples.since()) == 3
