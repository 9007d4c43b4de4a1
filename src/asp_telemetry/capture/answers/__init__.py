"""Reads what an answer of a model provider says about its own cost, whichever client or framework brings it."""
