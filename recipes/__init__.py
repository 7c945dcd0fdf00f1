"""The recipes; installed as `medgan.recipes`, so that their bare names work anywhere."""
