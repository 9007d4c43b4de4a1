"""Connects what users have already: retry libraries, provider clients, and the like; imports none of them."""
