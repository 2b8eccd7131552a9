import os
import signal

import pytest
from hypothesis import settings

# The same examples on every machine and in every run; a slow machine is no failure; nothing is kept in a folder.
settings.register_profile("same each time", derandomize=True, deadline=None, database=None)
settings.load_profile("same each time")

os.environ["MICROGRAD_MLP_CACHE"] = ""  # what a test compiles is compiled there and then


@pytest.fixture
def interruptible():
    """Ctrl-C reaches child processes, also where the tests themselves run in the background and it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
