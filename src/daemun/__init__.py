"""daemun: the front gate of one machine. Python decides; a stock nginx carries the traffic."""

__version__ = "0.1.0"
