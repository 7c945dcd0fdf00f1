"""What differs between tasks, an object for each: batches, validation, pictures, scores, words."""

from medgan.tasks.fusion import Fusion
from medgan.tasks.synthesis import Synthesis
from medgan.tasks.task import Task
from medgan.tasks.translation import Translation, UnpairedTranslation

__all__ = ["Fusion", "Synthesis", "Task", "Translation", "UnpairedTranslation", "choose"]

TASKS = {
    "fusion": Fusion,
    "translation": Translation,
    "unpaired": UnpairedTranslation,
    "synthesis": Synthesis,
}


def choose(recipe, data):
    """The task that `data.task` of a recipe names, fusion by default.

    Args:
        recipe: a `medgan.recipe.Recipe`.
        data: its `medgan.recipe_data.RecipeData`.

    Returns:
        A `Task`.

    Raises:
        RecipeError: if the task needs a source and the recipe names none.
    """
    return TASKS[recipe["data"].get("task", "fusion")](data)
