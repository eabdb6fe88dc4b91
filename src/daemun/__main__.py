"""The command line: what the `daemun` script runs, and `python -m daemun` where no such script is on PATH."""

import os
import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where Ctrl-C is ignored, as below nohup
    # First of all: Ctrl-C while modules are imported ends without a traceback. `cli.clean_exit` has the rest.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

from daemun import cli  # noqa: E402 - after the line above

main = cli.main

if __name__ == "__main__":
    main()
