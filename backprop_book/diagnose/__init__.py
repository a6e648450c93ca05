"""Which line of a backward pass is wrong, and what the slip is called."""
from . import gradients
from .functions import diagnose_functions
from .gradients import *  # noqa: F403

__all__ = [*gradients.__all__, 'diagnose_functions']
