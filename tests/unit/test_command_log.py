"""Where lines of the log go, in commands and in the daemon."""

import json
import subprocess
import sys


def test_what_a_command_comes_upon_is_on_standard_error() -> None:
    """On standard output is the answer, which may be JSON."""
    program = (
        "import structlog; early = structlog.get_logger();"
        "from daemun.wiring.offline import offline_node_traffic;"
        "early.warning('a row cannot be used', key='a'); structlog.get_logger().error('worse');"
        "early.info('not for a person'); print('{}')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "{}\n"
    assert "a row cannot be used" in done.stderr and "worse" in done.stderr
    assert "not for a person" not in done.stderr


def test_the_log_of_a_daemon_stays_as_it_was_configured() -> None:
    program = (
        "from daemun import log, settings; log.configure(settings.LogFormat.JSON);"
        "from daemun.wiring.offline import offline_node_traffic; import structlog;"
        "structlog.get_logger().info('live')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stderr)["event"] == "live"
