"""Recipes: TOML tables that name public functions and classes, turned into objects."""

from medgan.recipe.building import build
from medgan.recipe.reading import Recipe, find_recipe, read_recipe

__all__ = ["Recipe", "build", "find_recipe", "read_recipe"]
