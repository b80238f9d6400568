"""Every check, in the order in which they are made: what others rest on comes first."""

from llama_mcp.cli.doctor.archive import look_at_archive
from llama_mcp.cli.doctor.engine import look_at_engine
from llama_mcp.cli.doctor.findings import Check
from llama_mcp.cli.doctor.home import look_at_home
from llama_mcp.cli.doctor.installation import look_at_installation
from llama_mcp.cli.doctor.models import look_at_models
from llama_mcp.cli.doctor.port import look_at_port
from llama_mcp.cli.doctor.runs import look_at_runs
from llama_mcp.cli.doctor.setting_lines import look_at_settings
from llama_mcp.cli.doctor.space import look_at_space
from llama_mcp.cli.doctor.trial import make_a_trial

# A large model on a slow disk takes its time to load; what hangs the proof itself ends.
_TRIAL_SECONDS = 1800.0

CHECKS = (
    Check("command", look_at_installation),
    Check("setting", look_at_settings),
    Check("home", look_at_home),
    Check("space", look_at_space),
    Check("archive", look_at_archive),
    Check("engine", look_at_engine),
    Check("model", look_at_models),
    Check("port", look_at_port),
    Check("run", look_at_runs),
    Check("start", make_a_trial, _TRIAL_SECONDS),
)
