"""What survives the process."""

from .deliveries import Delivery
from .jobs import Acceptance, Full, KeyTaken
from .ledger import Ledger

__all__ = ["Acceptance", "Delivery", "Full", "KeyTaken", "Ledger"]
