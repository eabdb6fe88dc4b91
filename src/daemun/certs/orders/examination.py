"""What is found out about names before an order, and the protocol of what finds it."""

from daemun.control import ports
from daemun.core import model

Finding = model.Finding
Weight = model.Weight
Examiner = ports.Examiner

__all__ = ["Examiner", "Finding", "Weight"]
