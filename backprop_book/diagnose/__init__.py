"""Which line of a backward pass is wrong, and what the slip is called."""
from .functions import diagnose_functions
from .gradients import *  # noqa: F403
from .gradients import __all__ as _of_gradients

__all__ = [*_of_gradients, 'diagnose_functions']
