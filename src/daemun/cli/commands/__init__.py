"""One module per command; `daemun.cli.app` lists them."""
