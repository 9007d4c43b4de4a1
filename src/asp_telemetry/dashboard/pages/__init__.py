"""The pages: one module each, which asks the analytics and fills in a template of the same name."""
