"""Shows what was recorded in a browser: one local web application over the analytics, which can only read."""
