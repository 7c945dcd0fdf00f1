import pathlib
import sys

# `recipe_sizes` serves the tests of all recipes.
sys.path.insert(0, str(pathlib.Path(__file__).parent))
