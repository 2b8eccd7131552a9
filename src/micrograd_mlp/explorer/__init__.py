"""`explore`: any graph of Values as a page in the browser, to be stepped through one operation at a time."""

from .exploration import Explorer, explore
from .page import policy

__all__ = ["Explorer", "explore", "policy"]
