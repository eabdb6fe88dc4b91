"""What is ordered from which CA, when, and how a name is proved: decisions on values. Pure; the time is an argument."""
