"""What an nginx binary is: what it was built with, which weaknesses it has, and which binary a process runs."""
