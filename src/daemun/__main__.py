"""`python -m daemun`: the command line, where no `daemun` script is on PATH."""

from daemun import cli

if __name__ == "__main__":
    cli.main()
