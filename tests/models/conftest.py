import pathlib
import sys

# `steps_by_hand` serves the tests of all trainers.
sys.path.insert(0, str(pathlib.Path(__file__).parent))
