"""What the shows read from llama-server's log: lines as b11434 writes them."""

from tests.gpu.card import MIB
from tests.gpu.load_log import LoadLog

LINES = """\
0.00.054.067 I load_tensors: offloading 7 repeating layers to GPU
0.00.054.080 I load_tensors: offloaded 8/33 layers to GPU
0.00.054.095 I load_tensors:   CPU_Mapped model buffer size =  2937.00 MiB
0.00.054.095 I load_tensors:        CUDA0 model buffer size =   825.00 MiB
0.00.054.762 I llama_context:  CUDA_Host  output buffer size =     0.00 MiB
0.00.054.819 I llama_kv_cache:        CPU KV buffer size =   400.00 MiB
0.00.054.819 I llama_kv_cache:      CUDA0 KV buffer size =   112.00 MiB
0.00.057.061 I sched_reserve:      CUDA0 compute buffer size =   132.00 MiB
0.00.057.061 I sched_reserve:  CUDA_Host compute buffer size =    36.00 MiB
""".splitlines()


def test_layers_and_buffers_are_read_from_the_log() -> None:
    log = LoadLog.of(LINES)
    assert (log.layers_on_gpu, log.layers) == (8, 33)
    assert log.on_gpu == (825 + 112 + 132) * MIB
    assert log.everywhere == log.on_gpu + (2937 + 400 + 36) * MIB
    assert "CUDA0 KV 112" in str(log) and "output" not in str(log)


def test_a_log_that_says_nothing_has_no_layers() -> None:
    log = LoadLog.of(["0.00.164.574 I srv  llama_server: model loaded"])
    assert (log.layers, log.everywhere) == (None, 0)
