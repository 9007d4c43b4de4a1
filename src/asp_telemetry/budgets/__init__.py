"""Budgets: what a block, task, session, user, project or process may spend, and the refusal of what would be more.

`capture` knows of all this only that a scope may have a budget, which it asks before a call and tells of each answer.
"""
