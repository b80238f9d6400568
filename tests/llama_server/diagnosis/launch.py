"""What the llama-server was launched with whose end the tests diagnose."""

from llama_mcp.llama_server.diagnosis.advice import LaunchFacts

LAUNCH = LaunchFacts(
    model_path="/models/m.gguf",
    port=8080,
    ctx_size=4096,
    parallel=4,
    n_gpu_layers=None,
    extra_args=(),
    engine_path="/opt/llama.cpp/llama-server",
)
