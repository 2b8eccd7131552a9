import os

from hypothesis import settings

# The same examples on every machine and in every run; a slow machine is no failure; nothing is kept in a folder.
settings.register_profile("same each time", derandomize=True, deadline=None, database=None)
settings.load_profile("same each time")

os.environ["MICROGRAD_MLP_CACHE"] = ""  # what a test compiles is compiled there and then
