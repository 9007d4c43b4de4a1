"""Both databases, from the module that the commands' tests share."""

from keeping import new_database

__all__ = ["new_database"]
