import os
import pathlib
import sys

# The lists of subjects serve these tests and a script that runs with another backend.
sys.path.insert(0, str(pathlib.Path(__file__).parent))
# XLA reads it when it is first used: functions that run once or twice need not run fast.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
